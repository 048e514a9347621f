"""A run where what it stands on fails: full disks, closed pipes, odd locales, odd registries."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.annotations import RELEASE_PLATFORMS
from runner.errors import ExitCode
from runner.oci.manifest import OCI_INDEX, Manifest
from runner.oci.name import Name
from testbed.job_inputs import checkout_folder
from testbed.registry_clients import crane
from testbed.release_harness import CHART, IMAGE, PROGRAM, ReleaseHarness
from tests.support.refusals import check_refusal
from tests.support.waiting import until

if TYPE_CHECKING:
    from runner.oci.registry import Registry


@pytest.mark.parametrize("sink", ["/dev/full", "closed"])
def test_a_stdout_that_takes_nothing_does_not_stop_the_release(harness: ReleaseHarness, sink: str) -> None:
    """Nobody reads stdout, or it cannot be written: the release is made, the reports are there, the code is right."""
    workspace, sha = harness.clone("v1.2.3")
    environment = harness.environment("v1.2.3", sha)
    reader, writer = os.pipe()
    os.close(reader)
    out = writer if sink == "closed" else os.open(sink, os.O_WRONLY)
    ended = subprocess.run(
        [PROGRAM, "run", "--config", harness.config],
        env=environment,
        cwd=checkout_folder(workspace, harness.repository),
        stdout=out,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(Path(environment["ARTIFACTS"], "record.json").read_text("utf-8"))["exit"] == 0
    crane("validate", "--insecure", "--remote", f"{harness.host}/{IMAGE}")


def test_a_reader_that_stopped_does_not_keep_an_ended_run(harness: ReleaseHarness) -> None:
    """A pipe that is full and not read delays neither the reports nor the end."""
    harness.proxy.delay(60, method="PUT", path=r"/blobs/")
    with harness.start("v1.2.3") as running:
        until(lambda: harness.proxy.count("POST", r"/blobs/uploads/"))
        assert running.process.stdout is not None
        fill(running.process.stdout.fileno())
        began = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(15) == ExitCode.ENDED
        assert time.monotonic() - began < 15
        record = json.loads((running.artifacts / "record.json").read_text("utf-8"))
        assert record["exit"] == ExitCode.ENDED
        assert (running.artifacts / "junit_release.xml").exists()


def fill(reader: int) -> None:
    """Fill a pipe, given its reading end, until it takes nothing more."""
    # Opened anew: a flag set on the writer that the run has would be set for the run, too.
    writer = os.open(f"/proc/self/fd/{reader}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x")
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    "extra", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=["ascii", "C"]
)
def test_text_that_the_locale_cannot_say_is_told_all_the_same(harness: ReleaseHarness, extra: dict[str, str]) -> None:
    """An error with letters that stdout cannot encode is exit 2 with its line and its reports."""
    ended = harness.run("v1.2.3", "--config", "/nowhere/é\udcff.yaml", extra=extra)
    check_refusal(ended, 2, "configuration-invalid", "/nowhere/")


@pytest.mark.parametrize("extra", [{"TMPDIR": "/nowhere"}, {"TMPDIR": "/dev/null"}], ids=["missing", "a file"])
def test_a_temporary_folder_that_cannot_be_used_is_exit_2(harness: ReleaseHarness, extra: dict[str, str]) -> None:
    """Without a place to work the run ends with 2, its line and its reports, and plan with its document."""
    check_refusal(harness.run("v1.2.3", extra=extra), 2, "usage-invalid", extra["TMPDIR"])
    assert harness.run("v1.2.3", "--json", command="plan", extra=extra).plan["error"]["code"] == "usage-invalid"


def test_artifacts_that_vanish_do_not_stop_the_release(harness: ReleaseHarness) -> None:
    """When the artifacts folder is gone in the middle, the release goes on and says once what is missing."""
    artifacts = harness.folder / "artifacts-1"
    harness.proxy.intervene(lambda: shutil.rmtree(artifacts), method="PUT", path=r"/ack/controller/manifests/sha256")
    ended = harness.run("v1.2.3")
    assert ended.code == 0, ended.out
    assert sum("report is no longer kept" in line for line in ended.lines) == 2
    assert ended.lines[-1].startswith("RELEASED:")


def test_a_report_that_cannot_be_written_takes_nobody_the_others(harness: ReleaseHarness) -> None:
    """A report whose place is taken is reported in a line before the last; the others are there, the code is right."""
    clone = harness.clone("v1.2.3")
    (harness.folder / "artifacts-1" / "junit_release.xml").mkdir(parents=True)
    ended = harness.run("v1.2.3", "--config", "/nowhere.yaml", clone=clone)
    assert ended.code == 2, ended.out
    assert "report=junit_release.xml" in ended.lines[-2]
    assert ended.lines[-1].startswith("ERROR:")
    assert ended.record["exit"] == 2
    assert ended.metadata["Cause"] == ended.record["error"]["cause"]


@pytest.mark.parametrize("folder", ["/proc/layout", "/dev/null/layout"], ids=["read-only", "below a file"])
def test_a_layout_folder_that_cannot_be_written_is_exit_2(harness: ReleaseHarness, folder: str) -> None:
    """A folder that cannot be made is reported as wrong usage, not as a bug."""
    check_refusal(harness.run("v1.2.3", "--to-layout", folder), 2, "usage-invalid", folder)


def test_a_failed_run_leaves_an_earlier_layout_alone(harness: ReleaseHarness, tmp_path: Path) -> None:
    """A layout that is there stays as it is when a later run builds nothing."""
    folder = tmp_path / "layout"
    assert harness.run("v1.2.3", "--to-layout", str(folder)).code == 0
    before = (folder / "index.json").read_bytes()
    harness.repository.release("1.3.0", edits={"ATTRIBUTION.md": None})
    assert harness.run("v1.3.0", "--to-layout", str(folder)).code == 6
    assert (folder / "index.json").read_bytes() == before


def put(harness: ReleaseHarness, registry: Registry, text: str, manifest: Manifest) -> None:
    """Write a manifest over whatever a name holds."""
    name = Name.parse(f"{harness.proxy.upstream}/{text}")
    found = registry.manifest(name.repository, name.tag)
    registry.put_manifest(name.repository, name.tag, manifest, replacing=found.digest if found else None)


def test_an_index_that_cannot_be_understood_is_the_registrys_fault(harness: ReleaseHarness, registry: Registry) -> None:
    """Annotations that are no platforms are exit 7, not a bug."""
    document = {"schemaVersion": 2, "manifests": [], "annotations": {RELEASE_PLATFORMS: "garbage"}}
    put(harness, registry, IMAGE, Manifest.write(OCI_INDEX, document))
    check_refusal(harness.run("v1.2.3"), 7, "registry-answer-wrong", "garbage")


def test_a_chart_that_no_image_answers_for_gets_no_second_name(harness: ReleaseHarness) -> None:
    """When the image a chart was released with is gone and today's differs, its other names are not written."""
    assert harness.run("v1.2.3").code == 0
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/{CHART}"))
    digest = chart["annotations"]["dev.ack.release.image"].rpartition("@")[2]
    harness.proxy.clear()
    for gone in (
        rf"/controller/manifests/{digest}$",
        r"/controller/manifests/widget-v",
        r"/widget-chart/manifests/1\.2\.3$",
    ):
        harness.proxy.fail(
            404, method="GET", path=gone, code="MANIFEST_UNKNOWN", times=1 if "widget-v" in gone else None
        )
    other = harness.config.with_name("other.yaml")
    other.write_text(harness.config.read_text().replace("[linux/amd64, linux/arm64]", "[linux/amd64]"))
    ended = harness.run("v1.2.3", config=other)
    assert ended.code == 5, ended.out
    assert harness.proxy.count("PUT", r"/ack/widget-chart/manifests/1.2.3") == 0


def test_a_chart_made_for_another_registry_is_another_chart(harness: ReleaseHarness) -> None:
    """A chart under a release's name that deploys an image from elsewhere is a conflict, not this release."""
    config = harness.config.with_name("staging.yaml")
    address = f"{harness.host}/ack"
    config.write_text(harness.config.read_text().replace(f"registry: {address}", f"registry: {harness.host}/other"))
    harness.repository.release(
        "1.3.0", edits={"helm/values.yaml": lambda text: text.replace(address, f"{harness.host}/other")}
    )
    staged = {"AWS_SERVICE_DOCKER_IMG": f"{harness.host}/try/widget:mine"}
    assert harness.run("v1.3.0", "--registry", address, extra=staged, config=config).code == 0
    ended = harness.run("v1.3.0", "--registry", address, config=config)
    check_refusal(ended, 5, "already-published", "published for the image")
