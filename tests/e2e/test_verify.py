"""Releases, verified: of this program, as they are and with one thing broken by hand, and of the former job."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from runner.annotations import RELEASE_IMAGE
from runner.oci.credentials import Anonymous
from runner.oci.manifest import OCI_MANIFEST, REVISION, SOURCE, Manifest
from runner.oci.name import Name
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.base_images import ARM64
from testbed.former_images import controller, former_image
from testbed.job_inputs import checkout_folder
from testbed.prow import storage
from testbed.registry_clients import crane
from testbed.release_harness import (
    ALIAS,
    CHART,
    IMAGE,
    PROGRAM,
    Ended,
    ReleaseHarness,
    go_environment,
    open_harness,
    run_program,
)
from tests.support.former import publish_former
from tests.support.pages import commands_of
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OTHER = "f" * 40
BUCKET = "prow-logs"


def verify(harness: ReleaseHarness, *options: str, extra: Mapping[str, str] | None = None) -> Ended:
    """Verify the sample's first version."""
    environment = {**go_environment(), "DOCKER_CONFIG": str(harness.folder / "none"), **(extra or {})}
    argv: list[str | Path] = [PROGRAM, "verify", "widget", "v1.2.3", "--config", harness.config, *options]
    return run_program(*argv, env=environment, cwd=harness.folder)


def results(ended: Ended) -> dict[str, str]:
    """What came of each check, by its name; of several of one name the worst."""
    order = ["failed", "warning", "passed", "note"]
    found: dict[str, str] = {}
    for check in json.loads(ended.out)["checks"]:
        said = found.get(check["check"], "note")
        found[check["check"]] = min(said, check["result"], key=order.index)
    return found


def failures(ended: Ended) -> list[str]:
    """The checks that failed."""
    return [name for name, result in results(ended).items() if result == "failed"]


@pytest.fixture
def client() -> Iterator[Registry]:
    """Somebody else who writes to the registry."""
    with Transport(Lifetime(), {}) as transport:
        yield Registry(transport, Anonymous())


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReleaseHarness, Ended]]:
    """A harness whose first version is released, and the run that did it; tests leave it as it is."""
    with open_harness(tmp_path_factory.mktemp("released")) as harness:
        ended = harness.run("v1.2.3")
        assert ended.code == 0
        harness.proxy.clear()
        yield harness, ended


def test_a_release(released: tuple[ReleaseHarness, Ended]) -> None:
    """What this program publishes passes every check: by itself, with the clone of its tag, and with its record."""
    harness, run = released
    clone = checkout_folder(harness.folder / f"workspace-{harness.runs}", harness.repository)
    record = str(run.artifacts / "record.json")
    ended = verify(harness, "--clone", str(clone), "--record", record, "--anonymous", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["exit"], document["scheme"], failures(ended)) == (0, 0, "seed", [])
    found = results(ended)
    passed = {name for name, result in found.items() if result == "passed"}
    assert passed >= {
        *("image", "platforms", "config linux/amd64", "program linux/amd64", "program linux/arm64", "image commit"),
        *("image source", "image version", "chart", "chart names", "chart name", "Chart.yaml", "chart's image"),
        *("chart's image digest", "chart commit", "record", "without credentials"),
    }
    assert found["stable"] == "note"
    ended = verify(harness)
    assert ended.code == 0
    assert ended.lines[0].split() == ["check", "result", "found", "expected"]
    assert ended.lines[-1].startswith("widget 1.2.3 is published as it should be:")
    assert not ended.err


def test_other_commits_and_records(released: tuple[ReleaseHarness, Ended]) -> None:
    """Another commit than the one that is given, and another digest than a record has, fail their checks."""
    harness, _ = released
    assert failures(verify(harness, "--commit", OTHER, "--json")) == ["image commit", "chart commit"]
    record = harness.folder / "record.json"
    name = f"{harness.host}/{IMAGE}"
    record.write_text(json.dumps({"entries": [{"name": name, "digest": f"sha256:{'0' * 64}"}]}))
    assert failures(verify(harness, "--record", str(record), "--json")) == ["record"]


def test_what_is_not_published(harness: ReleaseHarness) -> None:
    """A version that is not there is told as that, exit 5; a service that is not known is exit 2."""
    ended = verify(harness)
    assert ended.code == 5
    assert f"widget 1.2.3 is not published at {harness.host}/ack" in ended.lines[-1]
    assert ended.err.splitlines()[-1].startswith("ERROR: widget 1.2.3 is not published")


def test_a_registry_that_does_not_answer(harness: ReleaseHarness) -> None:
    """What cannot be read is not absent: exit 7, and as JSON the error and no document."""
    harness.proxy.fail(400, method="GET", path="/manifests/")
    ended = verify(harness, "--json")
    assert ended.code == 7
    assert json.loads(ended.out)["error"]["exit"] == 7


def change(registry: Registry, host: str, names: tuple[str, ...], annotations: dict[str, str]) -> None:
    """Put a chart's manifest with other annotations under these names."""
    for text in names:
        name = Name.parse(f"{host}/{text}")
        found = registry.manifest(name.repository, name.tag)
        assert found is not None
        changed = {**found.document, "annotations": {**found.annotations, **annotations}}
        written = Manifest.write(OCI_MANIFEST, changed)
        registry.put_manifest(name.repository, name.tag, written, replacing=found.digest)


@pytest.mark.parametrize(
    ("names", "annotation", "value", "named"),
    [
        ((CHART, ALIAS), RELEASE_IMAGE, f"HOST/ack/controller@sha256:{'0' * 64}", "chart's image digest"),
        ((CHART, ALIAS), REVISION, OTHER, "one commit"),
        ((CHART, ALIAS), SOURCE, "https://github.com/other/fork", "chart source"),
        ((ALIAS,), "note", "by hand", "chart names"),
    ],
)
def test_one_thing_broken(
    released: tuple[ReleaseHarness, Ended],
    client: Registry,
    *,
    names: tuple[str, ...],
    annotation: str,
    value: str,
    named: str,
) -> None:
    """Each single breakage fails exactly its check; exit 5, and the last line names it."""
    harness, _ = released
    name = Name.parse(f"{harness.host}/{CHART}")
    good = client.manifest(name.repository, name.tag)
    assert good is not None
    change(client, harness.host, names, {annotation: value.replace("HOST", harness.host)})
    ended = verify(harness, "--json")
    for text in names:
        client.put_manifest(Name.parse(f"{harness.host}/{text}").repository, text.rpartition(":")[2], good)
    assert (ended.code, failures(ended)) == (5, [named])
    assert f"({named})" in ended.err.splitlines()[-1]


def test_a_platform_that_is_gone(released: tuple[ReleaseHarness, Ended], client: Registry) -> None:
    """An index whose child does not answer is for fewer platforms than it was released for."""
    harness, _ = released
    name = Name.parse(f"{harness.host}/{IMAGE}")
    index = client.manifest(name.repository, name.tag)
    assert index is not None
    child = client.manifest(name.repository, index.children[1].digest)
    assert child is not None
    crane("delete", "--insecure", f"{name.repository}@{child.digest}")
    ended = verify(harness, "--json")
    client.put_manifest(name.repository, child.digest, child)
    assert (ended.code, failures(ended)) == (5, ["platforms"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--commit", "abc"], "not the full id"),
        (["--record", "nowhere.json"], "cannot be read"),
        (["--record", "s3://"], "is not s3://BUCKET/KEY"),
        (["--clone", "."], "git cannot read the clone"),
    ],
)
def test_options_that_are_wrong(harness: ReleaseHarness, options: list[str], said: str) -> None:
    """A value that cannot be used is refused with exit 2, before the registry is asked."""
    ended = verify(harness, *options)
    assert (ended.code, said in ended.err, harness.proxy.requests) == (2, True, ()), ended.err


def test_a_release_of_the_former_job(harness: ReleaseHarness) -> None:
    """Its known flaws are warnings, and it passes; a program for another architecture is none of them."""
    image = former_image(harness.folder / "former", stated={ARM64: ARM64})
    publish_former(harness, image)
    ended = verify(harness, "--json")
    assert failures(ended) == ["chart"]
    assert results(ended)["image commit"] == "warning"
    assert harness.run("v1.2.3", "--adopt-existing").code == 0
    ended = verify(harness, "--json")
    assert (ended.code, failures(ended), results(ended)["image commit"]) == (0, [], "note")
    publish_former(harness, former_image(harness.folder / "wrong", programs={ARM64: controller("amd64")}))
    assert "program linux/arm64" in failures(verify(harness, "--json"))


def test_the_commands_of_the_page(released: tuple[ReleaseHarness, Ended], tmp_path: Path) -> None:
    """Every command of docs/verify.md runs where config/jobs.yaml is, as it is printed there."""
    harness, run = released
    clone = checkout_folder(harness.folder / f"workspace-{harness.runs}", harness.repository)
    (tmp_path / "config").mkdir()
    shutil.copy(harness.config, tmp_path / "config" / "jobs.yaml")
    shutil.copy(run.artifacts / "record.json", tmp_path / "record.json")
    words = {
        "verify s3": "verify widget",
        "../s3-controller": str(clone),
        "0123456789abcdef0123456789abcdef01234567": run.record["commit"],
        "127.0.0.1:5000/test": f"{harness.host}/ack",
    }
    commands = commands_of("verify.md", words)
    assert len(commands) == 8
    with storage.serve(require_tool("moto_server"), tmp_path / "storage", bucket=BUCKET) as bucket:
        bucket.write("logs/s3-release/1234/artifacts/record.json", (run.artifacts / "record.json").read_bytes())
        environment = {
            **go_environment(),
            "AWS_ENDPOINT_URL_S3": f"http://{bucket.host}",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_REGION": "us-east-1",
            "PATH": f"{PROGRAM.parent}:{go_environment()['PATH']}",
            "DOCKER_CONFIG": str(tmp_path / "none"),
        }
        for command in commands:
            ended = run_program("bash", "-c", command, env=environment, cwd=tmp_path)
            assert ended.code == 0, f"{command}: {ended.err}"
    assert json.loads((tmp_path / "verify.json").read_text("utf-8"))["exit"] == 0
