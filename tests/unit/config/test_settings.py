"""Settings: which value wins, and where each came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import Config, parse_config
from runner.config.naming import RegistryAddress
from runner.config.settings import (
    DECLARED,
    OPTIONS,
    Options,
    artifacts_folder,
    config_file,
    find,
    is_quiet,
    resolve_settings,
)
from runner.errors import UsageInvalid
from runner.oci.name import Name

PRODUCTION = "registry.example/ack"
STAGING = "127.0.0.1:5000/staging"
CONFIG: Config = parse_config(f"registry: {PRODUCTION}\nservices: {{s3: {{}}}}\n".encode(), Path("config/jobs.yaml"))
GIVEN: dict[str, tuple[Any, str]] = {
    "config": (Path("x.yaml"), "x.yaml"),
    "workspace": (Path("w"), "w"),
    "registry": (STAGING, STAGING),
    "artifacts": (Path("a"), "a"),
    "builder": ("go", "go"),
    "base_image": ("scratch", "scratch"),
    "to_layout": (Path("l"), "l"),
    "services": (("s3", "sns"), "s3,sns"),
    "adopt_existing": (True, "True"),
    "as_tag": ("v1.2.3", "v1.2.3"),
    "as_json": (True, "True"),
}
"""Every option with a value, and how that is recorded."""

FULL: Config = parse_config(
    f"registry: {PRODUCTION}\nplatforms: [linux/amd64]\nbuild: {{builder: go, base_image: 'oci:base'}}\n"
    "services: {s3: {}}\nadopt: {services: [s3]}\n".encode(),
    Path("config/jobs.yaml"),
)
"""A configuration that says all that steers a run."""

NAMED = Name.parse(f"{PRODUCTION}/controller:s3-v1.2.3")


def test_without_options_the_configured_registry_is_production() -> None:
    """Nothing given: the configured registry is written to, and the run is no staging release."""
    settings = resolve_settings(Options(), {}, CONFIG)
    assert settings.registry == settings.production == RegistryAddress.parse(PRODUCTION)
    assert not settings.is_staging
    assert settings.table["registry"].origin == "config/jobs.yaml"


@pytest.mark.parametrize(
    ("option", "environment", "registry", "origin"),
    [
        (STAGING, {"HELM_REGISTRY": PRODUCTION, "CONTROLLER_ECR_REGISTRY": PRODUCTION}, STAGING, "option --registry"),
        (None, {"CONTROLLER_ECR_REGISTRY": STAGING}, STAGING, "environment CONTROLLER_ECR_REGISTRY"),
        (None, {"HELM_REGISTRY": STAGING}, STAGING, "environment HELM_REGISTRY"),
        (
            None,
            {"HELM_REGISTRY": STAGING, "CONTROLLER_ECR_REGISTRY": STAGING},
            STAGING,
            "environment CONTROLLER_ECR_REGISTRY",
        ),
        (None, {"HELM_REGISTRY": PRODUCTION}, PRODUCTION, "environment HELM_REGISTRY"),
        (None, {"HELM_REGISTRY": ""}, PRODUCTION, "config/jobs.yaml"),
    ],
    ids=["option wins", "controller's", "helm's", "both agree", "equal to production", "empty is not given"],
)
def test_option_then_environment_then_file(
    option: str | None, environment: dict[str, str], registry: str, origin: str
) -> None:
    """The option wins over the environment, which wins over the file; the table says which it was."""
    settings = resolve_settings(Options(registry=option), environment, CONFIG)
    assert str(settings.registry) == registry
    assert settings.table["registry"].origin == origin
    assert settings.is_staging is (registry != PRODUCTION)


@pytest.mark.parametrize(
    ("options", "environment", "says"),
    [
        (Options(), {"HELM_REGISTRY": STAGING, "CONTROLLER_ECR_REGISTRY": PRODUCTION}, "must agree"),
        (Options(registry="no registry"), {}, "option --registry"),
        (Options(), {"HELM_REGISTRY": "oci://x"}, "environment HELM_REGISTRY"),
        (Options(), {"DOCKER_REPOSITORY": "x"}, "DOCKER_REPOSITORY"),
        (Options(), {"AWS_SERVICE_DOCKER_IMG": "registry.example/a"}, "AWS_SERVICE_DOCKER_IMG"),
        (
            Options(),
            {"DOCKER_REPOSITORY": "registry.example/a", "AWS_SERVICE_DOCKER_IMG": "registry.example/b:1"},
            "not in DOCKER_REPOSITORY",
        ),
    ],
    ids=["disagree", "malformed option", "malformed variable", "no repository", "no tag", "image elsewhere"],
)
def test_what_cannot_be_meant_is_refused(options: Options, environment: dict[str, str], says: str) -> None:
    """Malformed or contradicting values are exit 2, naming where they came from."""
    with pytest.raises(UsageInvalid, match=says):
        resolve_settings(options, environment, CONFIG)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, str(NAMED)),
        ({"DOCKER_REPOSITORY": "h.example/own"}, "h.example/own:s3-v1.2.3"),
        ({"AWS_SERVICE_DOCKER_IMG": "h.example/own:mine"}, "h.example/own:mine"),
        ({"DOCKER_REPOSITORY": "h.example/own", "AWS_SERVICE_DOCKER_IMG": "h.example/own:mine"}, "h.example/own:mine"),
    ],
    ids=["naming", "repository", "whole name", "both"],
)
def test_the_environment_may_name_the_image(environment: dict[str, str], expected: str) -> None:
    """DOCKER_REPOSITORY replaces the repository and keeps the tag; AWS_SERVICE_DOCKER_IMG replaces the whole name."""
    assert str(resolve_settings(Options(registry=STAGING), environment, CONFIG).image_for(NAMED)) == expected


def test_another_image_is_not_for_the_production_registry() -> None:
    """An image of another name is exit 2 without another registry, where its chart would stay as production's."""
    environment = {"AWS_SERVICE_DOCKER_IMG": "h.example/own:mine"}
    with pytest.raises(UsageInvalid, match="production registry"):
        resolve_settings(Options(), environment, CONFIG).image_for(NAMED)
    same = {"AWS_SERVICE_DOCKER_IMG": str(NAMED)}
    assert resolve_settings(Options(), same, CONFIG).image_for(NAMED) == NAMED
    assert str(resolve_settings(Options(to_layout=Path("x")), environment, CONFIG).image_for(NAMED)).endswith(":mine")


def test_artifacts_go_where_the_option_says_else_where_prow_says() -> None:
    """The option wins over ARTIFACTS, and without both they go to ./artifacts."""
    assert artifacts_folder(Options(artifacts=Path("a")), {"ARTIFACTS": "b"}).value == "a"
    assert artifacts_folder(Options(), {"ARTIFACTS": "b"}).value == "b"
    assert artifacts_folder(Options(), {}).value == "artifacts"


def test_the_configuration_is_the_options_else_the_default() -> None:
    """The option names jobs.yaml; without it, and outside of the runner's image, it is config/jobs.yaml."""
    assert config_file(Options(config=Path("x.yaml"))).value == "x.yaml"
    assert config_file(Options()).value in {"config/jobs.yaml", "/etc/ack-release/jobs.yaml"}


@given(st.text())
def test_quiet_is_true_one_or_yes(value: str) -> None:
    """QUIET is on for 1, true and yes in any case, and off for everything else."""
    assert is_quiet({"QUIET": value}) is (value.lower() in {"1", "true", "yes"})


def test_each_option_is_declared_once() -> None:
    """Every option has a flag, a help and a value here, and no two have the same flag or the same row."""
    assert list(OPTIONS) == list(GIVEN)
    assert all(one.flag and one.help for one in OPTIONS.values())
    for names in ([one.flag for one in OPTIONS.values()], [one.row for one in DECLARED.values() if one.row]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_given_wins(name: str) -> None:
    """Whatever else gives a value: an option that is given is what counts, and is named as its origin."""
    declared, (value, text) = OPTIONS[name], GIVEN[name]
    environment = dict.fromkeys(declared.variables, PRODUCTION)
    found = find(name, Options(**{name: value}), environment, FULL)
    assert (found.value, found.origin) == (text, f"option {declared.flag}")


@pytest.mark.parametrize("name", DECLARED)
def test_the_order_of_the_sources(name: str) -> None:
    """Without the option each of its variables counts, without those jobs.yaml, and without that the default."""
    declared = DECLARED[name]
    for variable in declared.variables:
        found = find(name, Options(), {variable: f"{STAGING}:1"} if name == "image" else {variable: STAGING}, FULL)
        assert (found.value.removesuffix(":1"), found.origin) == (STAGING, f"environment {variable}")
    empty = dict.fromkeys(declared.variables, "")
    if declared.key is None:
        assert find(name, Options(), empty, FULL) == declared.default()
    else:
        assert find(name, Options(), empty, FULL).origin == "config/jobs.yaml"
        required = declared.key == "registry"
        assert find(name, Options(), empty, CONFIG).origin == ("config/jobs.yaml" if required else "default")
        assert find(name, Options(), empty) == declared.default()


def test_an_empty_option_is_no_missing_one() -> None:
    """An option whose value is empty, as of a variable that is not set, does not give way to production's registry."""
    with pytest.raises(UsageInvalid, match="option --registry"):
        resolve_settings(Options(registry=""), {}, CONFIG)


def test_an_empty_base_image_is_a_missing_one() -> None:
    """``--base-image ""``, as a script gives it whose variable is not set, takes the configured one."""
    settings = resolve_settings(Options(base_image=""), {}, CONFIG)
    assert settings.base_image == CONFIG.build.base_image
    assert settings.table["base image"] == find("base_image", Options(), {}, CONFIG)


def test_rows() -> None:
    """The table begins with what every run has, in one order, and has of the rest only what is given."""
    usual = ["config", "registry", "production registry", "config digest", "builder", "base image", "platforms"]
    assert list(resolve_settings(Options(), {}, CONFIG).table) == [*usual, "artifacts"]
    given = Options(**{name: value for name, (value, _) in GIVEN.items()})
    environment = {"DOCKER_REPOSITORY": "h.example/own", "AWS_SERVICE_DOCKER_IMG": "h.example/own:mine"}
    assert list(resolve_settings(given, environment, CONFIG).table) == [
        *usual,
        *(
            "artifacts",
            "image repository",
            "image",
            "workspace",
            "layout folder",
            "services",
            "adopt existing",
            "as tag",
        ),
    ]


@given(st.sets(st.sampled_from(sorted(GIVEN.keys() - {"as_json"}))))
def test_every_row_tells_its_origin(names: set[str]) -> None:
    """Whichever options are given: the rows of those, and no others, say that an option gave them."""
    table = resolve_settings(Options(**{name: GIVEN[name][0] for name in names}), {}, FULL).table
    told = {row for row, setting in table.items() if setting.origin.startswith("option ")}
    assert told == {OPTIONS[name].row for name in names}
    assert all(setting.value and setting.origin for setting in table.values())


def test_what_may_be_adopted() -> None:
    """Nothing unless jobs.yaml or the option says so; the option means every service, and the table says who asked."""
    assert not resolve_settings(Options(), {}, CONFIG).adopts("s3", "1.2.3")
    by_file, by_option = (resolve_settings(options, {}, FULL) for options in (Options(), Options(adopt_existing=True)))
    assert [by_file.adopts(name, "1.2.3") for name in ("s3", "sns")] == [True, False]
    assert [by_option.adopts(name, "1.2.3") for name in ("s3", "sns")] == [True, True]
    assert (by_file.table["adopt existing"].value, by_file.table["adopt existing"].origin) == (
        "s3: all versions",
        "config/jobs.yaml",
    )
    assert by_option.table["adopt existing"].origin == "option --adopt-existing"
