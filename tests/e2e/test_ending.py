"""Ending well: whatever ends a run, wherever: exit 9, whole reports that say where, nobody left, a rerun completes."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import pytest

from runner.errors import RunEnded
from runner.oci.credentials import DockerConfig
from runner.oci.layout import INDEX
from runner.oci.manifest import digest_of
from runner.oci.name import Repository
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.report.record import StepName
from runner.runtime.lifetime import Lifetime
from testbed.base_images import BOTH, base_layout, push
from testbed.halts import Asked, Child, SlowFile
from testbed.job_inputs import checkout_folder
from testbed.monorepo import open_monorepo, part
from testbed.registry_clients import crane
from testbed.release_harness import ALIAS, CHART, IMAGE, PROGRAM, ReleaseHarness, Running, open_harness, start_program
from testbed.sample_controller import CONFIGURATION
from tests.support.ending import (
    DEADLINE,
    EITHER,
    GRACE_SECONDS,
    INT_AND_TERM,
    WAYS,
    Ending,
    Point,
    Way,
    check_ended,
    check_reports,
    deaf,
    end,
    holds_signals,
    left_behind,
    left_running,
)
from tests.support.tools import require_tool
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from testbed.release_harness import Ended

MOVING = {"chart": "widget-v1-stable", "widget-chart": "v1-stable"}

ON_BASE = ("--base-image", "{harness.host}/base/static:1")
TAG_PATH = "/v2/ack/controller/manifests/widget-v1.2.3"
TAG = f"{TAG_PATH}$"
ALIAS_PATH = "/v2/ack/widget-chart/manifests/1.2.3"
STABLE_PATH = "/v2/ack/widget-chart/manifests/v1-stable"

SHARED: Mapping[str, Point] = {
    "configuration": Point("configuration", None, SlowFile()),
    "checkout": Point("checkout", None, Child("git", "status")),
    "select": Point("select", None, Child("git", "cat-file --batch")),
    "describe": Point("describe", None, Child("git", "cat-file --batch", nth=2)),
    "tools": Point("tools", None, Child("helm", "version")),
    "export, read": Point("export", None, Child("git", "read-tree")),
    "export, write": Point("export", None, Child("git", "checkout-index")),
    "chart, lint": Point("chart", "widget", Child("helm", "lint")),
    "chart, render": Point("chart", "widget", Child("helm", "template")),
    "chart, package": Point("chart", "widget", Child("helm", "package")),
    "access": Point("access", None, Asked("GET", r"/v2/$")),
}
"""What both paths do in the same way."""

RELEASE: Mapping[str, Point] = {
    **SHARED,
    "observe": Point("observe", "widget", Asked("GET", r"/manifests/")),
    "tools, go": Point("tools", None, Child("go", "env")),
    "base image": Point("base image", None, Asked("GET", r"/base/static/manifests/1$"), ON_BASE),
    "base image, config": Point("base image", None, Asked("GET", r"/base/static/blobs/"), ON_BASE),
    "chart, go": Point("chart", "widget", Child("go", "env", nth=2)),
    "build, go": Point("build", "widget", Child("go", "env", nth=3)),
    "build, modules": Point("build", "widget", Child("go", "list")),
    "build, compile": Point("build", "widget", Child("go", "build")),
    "publish image, look": Point("publish image", "widget", Asked("HEAD", r"/ack/controller/blobs/")),
    "publish image, begin": Point("publish image", "widget", Asked("POST", r"/ack/controller/blobs/")),
    "publish image, blob": Point("publish image", "widget", Asked("PUT", r"/ack/controller/blobs/")),
    "publish image, child": Point("publish image", "widget", Asked("PUT", r"/ack/controller/manifests/sha256:")),
    "publish image, root": Point("publish image", "widget", Asked("PUT", r"/ack/controller/manifests/sha256:", skip=1)),
    "publish image, read": Point("publish image", "widget", Asked("GET", r"/ack/controller/manifests/sha256:")),
    "publish image, tag": Point("publish image", "widget", Asked("PUT", TAG)),
    "publish image, read back": Point(
        "publish image", "widget", Asked("GET", TAG, after=("PUT", TAG)), forget=TAG_PATH
    ),
    "publish chart, image": Point(
        "publish chart",
        "widget",
        Asked("GET", r"/ack/controller/manifests/sha256:", after=("PUT", TAG)),
        forget=TAG_PATH,
    ),
    "publish chart, blob": Point("publish chart", "widget", Asked("PUT", r"/ack/chart/blobs/")),
    "publish chart, root": Point("publish chart", "widget", Asked("PUT", r"/ack/chart/manifests/sha256:")),
    "publish chart, tag": Point("publish chart", "widget", Asked("PUT", r"/ack/chart/manifests/widget-")),
    "publish chart, last name": Point("publish chart", "widget", Asked("PUT", ALIAS_PATH)),
    "verify": Point("verify", None, Asked("GET", ALIAS_PATH, after=("PUT", ALIAS_PATH), skip=1), forget=ALIAS_PATH),
}

STABLE: Mapping[str, Point] = {
    **SHARED,
    "observe, tags": Point("observe", "widget", Asked("GET", r"/tags/list")),
    "observe, image": Point("observe", "widget", Asked("GET", r"/ack/controller/manifests/widget-")),
    "observe, config": Point("observe", "widget", Asked("GET", r"/ack/controller/blobs/")),
    "chart, compare": Point("chart", "widget", Asked("GET", r"/ack/chart/blobs/", skip=1)),
    "publish chart, blob": Point("publish chart", "widget", Asked("PUT", r"/ack/chart/blobs/")),
    "publish chart, root": Point("publish chart", "widget", Asked("PUT", r"/ack/chart/manifests/sha256:")),
    "publish chart, history": Point(
        "publish chart", "widget", Asked("PUT", r"/ack/chart/manifests/widget-v1-stable-2")
    ),
    "publish chart, tag": Point("publish chart", "widget", Asked("PUT", r"/ack/chart/manifests/widget-v1-stable$")),
    "publish chart, last name": Point("publish chart", "widget", Asked("PUT", f"{STABLE_PATH}$")),
    "verify": Point(
        "verify",
        None,
        Asked("GET", f"{STABLE_PATH}$", after=("PUT", f"{STABLE_PATH}$"), skip=1),
        forget=STABLE_PATH,
    ),
}

INTO_A_FOLDER = (*ON_BASE, "--to-layout", "{harness.folder}/layout")

PURE = {
    "event": "reads the environment",
    "route": "decides from what was read",
    "plan": "decides from what was read",
}
"""Steps in which nothing can be held up, and why: a sweep of moments passes through them."""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    """A harness whose releases are for one platform, since each of a few hundred runs links its program anew."""
    with open_harness(tmp_path, config=CONFIGURATION.replace("[linux/amd64, linux/arm64]", "[linux/amd64]")) as made:
        yield made


@pytest.fixture
def two_platforms(tmp_path: Path) -> Iterator[ReleaseHarness]:
    """A harness whose releases are for two platforms, which are compiled at once."""
    with open_harness(tmp_path) as made:
        yield made


def push_base(harness: ReleaseHarness, folder: Path) -> Artifact:
    """Put a base image into the registry, past the proxy."""
    layout = base_layout(folder, BOTH)
    with Transport(Lifetime(), {}) as transport:
        registry = Registry(transport, DockerConfig.find({}))
        push(registry, Repository(harness.proxy.upstream, "base/static"), "1", layout)
    return layout


def take_out(harness: ReleaseHarness, path: str) -> None:
    """Delete a manifest by tag, past the proxy; one that is not there is no matter."""
    connection = http.client.HTTPConnection(harness.proxy.upstream, timeout=10)
    try:
        connection.request("DELETE", path)
        assert connection.getresponse().status in {200, 202, 404}
    finally:
        connection.close()


def held(name: str) -> dict[str, Any] | None:
    """The manifest under a name, None when there is none."""
    asked = subprocess.run(
        [require_tool("crane"), "manifest", "--insecure", name], capture_output=True, text=True, check=False, timeout=60
    )
    if asked.returncode:
        assert "UNKNOWN" in asked.stderr, asked.stderr
        return None
    document: dict[str, Any] = json.loads(asked.stdout)
    return document


def check_nothing_incomplete(harness: ReleaseHarness) -> set[str]:
    """Check that what has a name is whole, and return what has one: every chart's image answers."""
    harness.proxy.clear()
    found = {name: held(f"{harness.host}/{name}") for name in (IMAGE, CHART, ALIAS)}
    if found[IMAGE] is not None:
        crane("validate", "--insecure", "--remote", f"{harness.host}/{IMAGE}")
    for name in (CHART, ALIAS):
        chart = found[name]
        if chart is not None:
            crane("validate", "--insecure", "--remote", chart["annotations"]["dev.ack.release.image"])
    return {name for name, manifest in found.items() if manifest is not None}


def check_complete(harness: ReleaseHarness, *options: str) -> None:
    """Check that a rerun completes the release, sends nothing of what has a name, and that everything is whole."""
    there = check_nothing_incomplete(harness)
    harness.proxy.clear()
    ended = harness.run("v1.2.3", *options)
    assert ended.code == 0, ended.out
    for name in there:
        repository, _, tag = name.partition(":")
        assert harness.proxy.count("PUT", f"/{repository}/manifests/{tag}$") == 0
        if name in {IMAGE, ALIAS}:
            assert harness.proxy.count("PUT|POST|PATCH", f"/{repository}/") == 0
    assert set(ended.digests) == {IMAGE, CHART, ALIAS}
    assert check_nothing_incomplete(harness) == {IMAGE, CHART, ALIAS}


def end_in_every_way(ending: Ending, point: Point, subtests: pytest.Subtests) -> None:
    """End a run at a point in every way, one after the other; what was held is carried out after the last end only."""
    usual = 1.0
    for name, way in WAYS.items():
        with subtests.test(way=name):
            if point.forget is not None:
                take_out(ending.harness, point.forget)
            ended_run = ending.end(point, way, carried_out=way is DEADLINE, usual=usual)
            usual = ended_run.reached_after


@pytest.mark.parametrize("point", RELEASE.values(), ids=RELEASE.keys())
def test_a_release_ended_at_a_step(
    harness: ReleaseHarness, tmp_path: Path, point: Point, subtests: pytest.Subtests
) -> None:
    """Ended in every way: exit 9, the reports name the step, nobody is left, and a rerun completes the release."""
    options = tuple(option.format(harness=harness) for option in point.options)
    if options:
        push_base(harness, tmp_path / "base")
    end_in_every_way(Ending(harness, "v1.2.3"), point, subtests)
    if isinstance(point.place, Child):
        assert harness.proxy.writes == ()
    check_complete(harness, *options)


@pytest.mark.parametrize("point", STABLE.values(), ids=STABLE.keys())
def test_a_move_of_stable_ended_at_a_step(harness: ReleaseHarness, point: Point, subtests: pytest.Subtests) -> None:
    """Ended in every way at any step: a rerun completes the move, with one history for each name."""
    assert harness.run("v1.2.3").code == 0
    harness.repository.stable("1.2.3")
    end_in_every_way(Ending(harness, "stable"), point, subtests)
    harness.proxy.clear()
    ended = harness.run("stable")
    assert ended.code == 0, ended.out
    for repository, name in MOVING.items():
        tags = crane("ls", "--insecure", f"{harness.host}/ack/{repository}").split()
        assert name in tags
        assert len([tag for tag in tags if tag.startswith(f"{name}-2")]) == 1


def test_every_step_has_a_point(harness: ReleaseHarness) -> None:
    """Every step that either path takes, and every one there is, has a point at which it is ended here, or is pure."""
    release = harness.run("v1.2.3")
    harness.repository.stable("1.2.3")
    stable = harness.run("stable")
    for ended, points in ((release, RELEASE), (stable, STABLE)):
        assert ended.code == 0, ended.out
        taken = {step["name"] for step in ended.record["steps"] if step["outcome"] == "passed"}
        assert taken - PURE.keys() <= {point.step for point in points.values()}
    covered = {point.step for point in (*RELEASE.values(), *STABLE.values())}
    assert covered | PURE.keys() == set(get_args(StepName))
    assert not covered & PURE.keys()


def test_a_signal_at_any_moment(harness: ReleaseHarness) -> None:
    """From the program's first line on, through imports and steps that hold nothing up, every moment ends with 9.

    Before that line nobody can hold a signal back, so it is waited for. The run ends at the tools at the latest.
    """
    ending, seen = Ending(harness, "v1.2.3"), set[str]()
    whole, moments = 0.0, 24
    for number in range(moments + 1):
        folder = harness.folder / f"sweep-{number}"
        folder.mkdir()
        halt = Child("helm", "version").halt(harness, folder)
        way = Way((INT_AND_TERM,), EITHER) if number % 2 else Way((INT_AND_TERM[:1],), "SIGINT")
        with ending.start(*halt.options(), extra=halt.environment(), timeout=1800) as running:
            wait_for_hold(running)
            began = time.monotonic()
            if number == 0:
                until(halt.is_reached)
                whole = time.monotonic() - began
            else:
                time.sleep(whole * (number - 1) / (moments - 1))
            ended = end(running, way, ending.grace)
        check_ended(ended, way, "((during|after) .*|before its first step)")
        assert left_running(harness) == []
        assert left_behind(harness) == []
        seen |= set(re.findall(r"(?:during|after|before) .*$", ended.record["error"]["cause"]))
    assert len(seen) > 1, seen
    check_complete(harness)


def wait_for_hold(running: Running) -> None:
    """Wait until a run holds signals back."""
    until(lambda: holds_signals(running.process.pid))


def test_a_layout_folder_is_whole_or_as_it_was(
    harness: ReleaseHarness, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Ended while a layout folder is written, it reads as before, holds no half file, and a rerun completes it."""
    folder = tmp_path / "layout"
    assert harness.run("v1.2.3", "--to-layout", str(folder)).code == 0
    before = (folder / INDEX).read_bytes()
    base = push_base(harness, tmp_path / "base")
    ending = Ending(harness, "v1.2.3")
    configs = {manifest.blobs[0].digest for manifest in base.children}
    layers = "|".join(blob.descriptor.digest for blob in base.blobs if blob.descriptor.digest not in configs)
    point = Point("verify", None, Asked("GET", f"/base/static/blobs/({layers})", half=True), INTO_A_FOLDER)
    for name, way in WAYS.items():
        with subtests.test(way=name):
            ending.end(point, way)
            assert (folder / INDEX).read_bytes() == before
            check_folder(folder)
    options = [option.format(harness=harness) for option in point.options]
    harness.proxy.clear()
    ended = harness.run("v1.2.3", *options)
    assert ended.code == 0, ended.out
    check_folder(folder)
    listed = {entry["digest"] for entry in json.loads((folder / INDEX).read_bytes())["manifests"]}
    assert listed == set(ended.digests.values())
    assert harness.proxy.writes == ()


def check_folder(folder: Path) -> None:
    """Check that every file among the blobs is what its name says, and that nothing else is there."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    blobs = [path for path in files if path.parent.name == "sha256"]
    assert {path.name for path in files} - {path.name for path in blobs} == {"oci-layout", INDEX}
    assert [path.name for path in blobs if digest_of(path.read_bytes()) != f"sha256:{path.name}"] == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_services_side_by_side_are_all_named(tmp_path: Path, way: Way) -> None:
    """Ended while two services are built at once, every report names both steps, and both compilers end."""
    with open_monorepo(tmp_path, "ecr", "s3") as harness:
        for service in ("ecr", "s3"):
            part(harness.repository, service).write_release("1.2.3")
        harness.repository.commit("Release artifacts for release v1.2.3")
        harness.repository.git("tag", "v1.2.3")
        ending = Ending(harness, "v1.2.3")
        folder = tmp_path / "halt"
        folder.mkdir()
        halt = Child("go", "list").halt(harness, folder)
        with ending.start(*halt.options(), extra=halt.environment(), timeout=1800 if way.volleys else 16) as running:
            until(lambda: (folder / "go.calls").exists() and (folder / "go.calls").read_text().count("\n") == 2)
            ended = end(running, way, ending.grace)
        check_both(ended, way)
        assert left_running(harness) == []
        assert left_behind(harness) == []
        harness.proxy.clear()
        assert harness.run("v1.2.3").code == 0


def check_both(ended: Ended, way: Way) -> None:
    """Check that the build of both services is named."""
    cause = ended.record["error"]["cause"]
    assert re.fullmatch(f"the run was ended by {way.reason} during build of (ecr, build of s3|s3, build of ecr)", cause)
    assert sorted(ended.metadata["Step"].split(", ")) == ["build of ecr", "build of s3"]
    failed = {
        (case.get("classname"), case.get("name"), failure.get("message"))
        for case in ended.junit.iter("testcase")
        for failure in case.iter("failure")
    }
    assert failed == {("ecr", "build", cause), ("s3", "build", cause)}
    [line] = ended.errors
    assert ended.lines[-1] == line


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_child_that_will_not_end_does_not_keep_the_run(two_platforms: ReleaseHarness, way: Way) -> None:
    """A compiler that ignores the first signal is killed with all that it started, inside a short grace period."""
    ending = Ending(two_platforms, "v1.2.3", grace=6.0)
    ending.end(deaf(RELEASE["build, compile"]), way)


def test_the_deadline_ends_the_run_before_prow_does(harness: ReleaseHarness) -> None:
    """The run plans its own deadline from JOB_SPEC, and is over with all that it does before Prow's timeout."""
    harness.proxy.hold(method="PUT", path=r"/blobs/")
    ending = Ending(harness, "v1.2.3", grace=60.0)
    began = time.monotonic()
    with ending.start(extra={}, timeout=10) as running:
        ended = running.wait(10)
    assert 5 < time.monotonic() - began < 10
    check_ended(ended, DEADLINE, "during publish image of widget")


@dataclass(frozen=True)
class UnderProw:
    """How Prow's entrypoint ends a run: at its timeout, in seconds, or since it is itself asked to end so many times.

    ``reason`` is what the run says ended it; ``marker`` what Prow then takes for the job's result.
    """

    timeout: int
    terminations: int
    reason: str
    marker: str


@pytest.mark.parametrize(
    "prow",
    [UnderProw(8, 0, "SIGINT", "127"), UnderProw(1800, 1, EITHER, "130"), UnderProw(1800, 2, EITHER, "130")],
    ids=["timeout", "abort", "second abort"],
)
def test_prows_entrypoint_has_nothing_to_kill(two_platforms: ReleaseHarness, tmp_path: Path, prow: UnderProw) -> None:
    """Ended in a compile by Prow's own entrypoint, a run is over inside the grace period, with whole reports."""
    harness = two_platforms
    clone, sha = harness.clone("v1.2.3")
    folder = tmp_path / "halt"
    folder.mkdir()
    halt = RELEASE["build, compile"].place.halt(harness, folder)
    argv = (
        *(require_tool("entrypoint"), f"--timeout={prow.timeout}s", f"--grace-period={GRACE_SECONDS:.0f}s"),
        *(f"--process-log={tmp_path}/process-log.txt", f"--marker-file={tmp_path}/marker.txt"),
        *("--", PROGRAM, "run", *halt.options()),
    )
    environment = {**harness.environment("v1.2.3", sha), **halt.environment()}
    with start_program(*argv, env=environment, cwd=checkout_folder(clone, harness.repository)) as entrypoint:
        until(halt.is_reached)
        for _ in range(prow.terminations):
            entrypoint.process.terminate()
            time.sleep(0.03)
        ended = entrypoint.wait(prow.timeout + 2 * GRACE_SECONDS)
    assert f"Process gracefully exited before {GRACE_SECONDS:.0f}s grace period" in ended.out
    assert (tmp_path / "marker.txt").read_text() == prow.marker
    [line] = ended.errors
    assert re.match(f"ERROR: the run was ended by {prow.reason} during build of widget[.] {RunEnded.remedy}", line)
    check_reports(ended, RELEASE["build, compile"])
    assert left_running(harness) == []
    assert left_behind(harness) == []
    check_complete(harness)


def test_an_ended_plan_is_still_one_document(harness: ReleaseHarness) -> None:
    """A plan that is ended prints its one JSON document all the same, which says where it ended."""
    stopped = harness.proxy.hold(path=r"/manifests/")
    with harness.start("v1.2.3", "--json", command="plan") as running:
        assert stopped.reached.wait(60)
        running.process.terminate()
        ended = running.wait(GRACE_SECONDS)
    assert ended.code == ended.plan["exit"] == 9
    assert ended.plan["error"]["cause"] == "the run was ended by SIGTERM during observe of widget"
    assert ended.plan["error"] == ended.record["error"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_reports_that_cannot_be_written_do_not_keep_the_run(harness: ReleaseHarness, tmp_path: Path, way: Way) -> None:
    """On a disk that takes what is written and never answers, a run is over inside a short grace period, with 9."""
    ending = Ending(harness, "v1.2.3", grace=3.0)
    artifacts = tmp_path / "ended-v1.2.3-1"
    artifacts.mkdir()
    os.mkfifo(artifacts / ".record.json.partial")
    log = artifacts / "release-log.jsonl"
    with ending.start(extra={}, timeout=1800 if way.volleys else 6) as running:
        until(lambda: log.exists() and '"step": "event"' in log.read_text())
        ended = end(running, way, ending.grace + (0 if way.volleys else 6))
    assert ended.code == 9
    [line] = ended.errors
    assert re.match(f"ERROR: the run was ended by {way.reason} after event[.] ", line)
    assert left_running(harness) == []
    assert left_behind(harness) == []


def test_a_kill_leaves_nothing_incomplete(harness: ReleaseHarness) -> None:
    """Killed outright between image and chart, nothing incomplete is named, and a rerun completes without the image."""
    stopped = harness.proxy.hold(method="PUT", path=r"/ack/chart/manifests/sha256:")
    with harness.start("v1.2.3") as running:
        assert stopped.reached.wait(60)
        running.process.kill()
    stopped.let_go(forward=True)
    assert check_nothing_incomplete(harness) == {IMAGE}
    harness.proxy.clear()
    ended = harness.run("v1.2.3")
    assert ended.actions == {IMAGE: "skip", CHART: "publish", ALIAS: "publish"}
    assert harness.proxy.count("PUT", r"/ack/controller/") == 0
