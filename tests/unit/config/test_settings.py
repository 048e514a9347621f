"""Settings: which value wins, and where each came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import Config, parse_config
from runner.config.naming import RegistryAddress
from runner.config.settings import Options, artifacts_folder, config_file, is_quiet, resolve_settings
from runner.errors import UsageInvalid
from runner.oci.name import Name

PRODUCTION = "registry.example/ack"
STAGING = "127.0.0.1:5000/staging"
CONFIG: Config = parse_config(f"registry: {PRODUCTION}\nservices: {{s3: {{}}}}\n".encode(), Path("config/jobs.yaml"))
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
