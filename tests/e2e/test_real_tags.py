"""All 175 real release tags go through the stages up to the plan, with the configuration as it is checked in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from runner.config.load import load_config, service_named
from runner.config.naming import PRESETS
from runner.errors import ChartDisagrees
from runner.published.observed import ABSENT
from runner.run import release
from runner.run.plan.model import Action
from runner.runtime.workspace import open_workspace
from runner.source.route import ReleasePath
from testbed.origin import push_environment
from testbed.real_controllers import RELEASES
from testbed.registry_clients import crane
from testbed.release_harness import PROGRAM, Ended, go_environment, run_program
from tests.support.real_tags import CONFIG, MovedClone, check_content, clone_of, describe, told
from tests.support.registry import crane_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runner.config.load import Config

PRODUCTION = "public.ecr.aws/aws-controllers-k8s"
SCHEMES = {
    "s3": {"repo-per-service-v": 31, "repo-per-service": 55},
    "ecr": {"seed": 4, "repo-per-service-v": 36, "repo-per-service": 49},
}
"""How many releases of each scheme a service has."""

ERAS = [
    ("ecr-v0.0.3", "seed", "controller:ecr-v0.0.3"),
    ("s3-v0.0.3", "repo-per-service-v", "s3-controller:v0.0.3"),
    ("s3-v1.0.3", "repo-per-service-v", "s3-controller:v1.0.3"),
    ("s3-v1.0.4", "repo-per-service", "s3-controller:1.0.4"),
    ("s3-v1.10.0", "repo-per-service", "s3-controller:1.10.0"),
]
"""Releases at the turns of the years: service and tag, scheme, image."""


@pytest.fixture(params=sorted(SCHEMES))
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> MovedClone:
    return clone_of(request.param, tmp_path)


def scheme_of(service: str, tag: str, values: bytes) -> str:
    """Say by the image in a chart's values alone which scheme a release was named by."""
    image = yaml.safe_load(values)["image"]
    written = f"{image['repository']}:{image['tag']}"
    known = {
        f"{PRODUCTION}/controller:{service}-{tag}": "seed",
        f"{PRODUCTION}/{service}-controller:{tag}": "repo-per-service-v",
        f"{PRODUCTION}/{service}-controller:{tag.removeprefix('v')}": "repo-per-service",
    }
    return known[written]


def narrowed(folder: Path) -> dict[str, Config]:
    """The checked-in configuration, with each scheme as the only one accepted."""
    text = CONFIG.read_text("utf-8")
    accepted = "naming: [seed, repo-per-service-v, repo-per-service]"
    assert text.count(accepted) == 1
    configs = {}
    for label in PRESETS:
        file = folder / f"{label}.yaml"
        file.write_text(text.replace(accepted, f"naming: {label}"), "utf-8")
        configs[label] = load_config(file)
    return configs


def test_every_real_tag_is_accepted_with_its_own_scheme_only(
    clone: MovedClone, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each real tag gives its version and the names of its scheme; with any other scheme it is exit 4."""
    name = clone.origin.name.removesuffix("-controller")
    configs = narrowed(tmp_path)
    found: Counter[str] = Counter()
    refused = 0
    for tag in clone.tags:
        with open_workspace({"TMPDIR": str(tmp_path)}) as folder:
            planned = describe(clone, tag, folder)
        scheme = scheme_of(name, tag, planned.files["helm/values.yaml"] or b"")
        version = tag.removeprefix("v")
        assert planned.inputs.route == ReleasePath(version)
        assert (planned.desired.version, planned.desired.scheme.label) == (version, scheme), tag
        assert str(planned.desired.image_name) == planned.desired.facts.image
        names = [one for artifact in planned.desired.artifacts for one in artifact.names]
        plan = planned.desired.plan(dict.fromkeys((*names, *planned.desired.others), ABSENT))
        assert plan.error is None
        assert [(entry.target, entry.action) for entry in plan.entries] == [(one, Action.PUBLISH) for one in names]
        found[scheme] += 1
        for label, config in configs.items():
            selected = replace(planned.selected, service=service_named(config, name))
            narrow = replace(planned.inputs, config=config), selected, planned.files
            if label == scheme:
                assert release.describe(*narrow).image.names == planned.desired.image.names
            else:
                with pytest.raises(ChartDisagrees) as caught:
                    release.describe(*narrow)
                assert caught.value.exit_code == 4
                refused += 1
    counts = ", ".join(f"{count} {scheme}" for scheme, count in found.items())
    said = f"{name}: {found.total()} of {len(clone.tags)} real tags accepted: {counts}; {refused} refusals"
    record_property("counted", said)
    assert len(clone.tags) == RELEASES[name]
    assert found == SCHEMES[name]
    assert refused == 2 * len(clone.tags)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with crane_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry.host


def plan(clone: MovedClone, tag: str, config: Path, folder: Path, host: str) -> Ended:
    """Run the program's ``plan`` on a push of a tag, as staging."""
    clone.check_out(tag)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(require_tool("helm4"))
    return run_program(
        *(PROGRAM, "plan", "--json", "--config", config, "--workspace", clone.workspace),
        *("--registry", f"{host}/staging", "--base-image", "scratch"),
        env={
            **go_environment(),
            **push_environment(clone.origin, tag, clone.tags[tag]),
            "PATH": f"{programs}:{go_environment()['PATH']}",
            "ARTIFACTS": str(folder / "artifacts"),
        },
        cwd=folder,
    )


@pytest.mark.parametrize(("release", "scheme", "image"), ERAS, ids=[era[0] for era in ERAS])
def test_a_tag_of_any_year_is_planned_as_staging(
    host: str, tmp_path: Path, release: str, scheme: str, image: str
) -> None:
    """The program plans image and chart of a tag of any year, its chart linted and rendered, and writes nothing."""
    service, _, tag = release.partition("-")
    ended = plan(clone_of(service, tmp_path), tag, CONFIG, tmp_path, host)
    assert ended.code == 0, ended.err
    planned = ended.plan
    assert (planned["version"], planned["staging"], planned["exit"]) == (tag.removeprefix("v"), True, 0)
    assert [row["scheme"] for row in planned["services"]] == [scheme]
    assert {entry["action"] for entry in planned["entries"]} == {"publish"}
    images = [entry["name"] for entry in planned["entries"] if entry["kind"] == "image"]
    assert images == [f"{host}/staging/{image}"]
    assert ended.record["tools"]["helm"].startswith("4.")
    assert ("chart", "passed") in {(step["name"], step["outcome"]) for step in ended.record["steps"]}
    assert crane("catalog", "--insecure", host) == ""


def test_a_tag_named_by_a_scheme_that_is_not_accepted_is_refused(host: str, tmp_path: Path) -> None:
    """With seed as the only scheme, a release of today is exit 4, naming what would be accepted."""
    narrowed(tmp_path)
    ended = plan(clone_of("s3", tmp_path), "v1.10.0", tmp_path / "seed.yaml", tmp_path, host)
    assert ended.code == ended.plan["exit"] == 4
    assert ended.plan["error"]["code"] == "chart-disagrees"
    assert f"{PRODUCTION}/controller:s3-v1.10.0" in ended.err


SAMPLE = 20
"""Every how many tags one is checked here; ``make soak`` checks all of them."""


def test_content_of_real_tags(
    clone: MovedClone, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Pointers, definitions, what is held and installable, one version from two commits: silent over real releases."""
    service = clone.origin.name.removesuffix("-controller")
    tags = list(clone.tags)[::SAMPLE]
    counted, hits = told(service, [check_content(clone, tag, tmp_path, require_tool("helm4")) for tag in tags])
    record_property("counted", counted)
    assert hits == ()
