"""Ending well: a signal or the deadline at any step gives exit 9 and whole reports, and a rerun completes."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.releases import Bench, Running, crane, go_environment, open_bench
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GRACE_SECONDS = 15.0
IMAGE, CHART, ALIAS = "ack/controller:widget-v1.2.3", "ack/chart:widget-v1.2.3", "ack/widget-chart:1.2.3"

WRAPPER = """#!/bin/sh
case " $* " in
  *" {command} "*)
    sleep 300 & echo $! > {folder}/grandchild
    touch {folder}/reached
    wait
    ;;
esac
exec {program} "$@"
"""

SIGNALS = {
    "SIGINT": (signal.SIGINT,),
    "SIGTERM": (signal.SIGTERM,),
    "both at once": (signal.SIGINT, signal.SIGTERM),
    "twice": (signal.SIGTERM, signal.SIGTERM),
}
REQUESTS = {
    "observe": ("GET", r"/manifests/"),
    "publish image: probe": ("GET", r"/v2/$"),
    "publish image: blob": ("PUT", r"/ack/controller/blobs/uploads/"),
    "publish image: child": ("PUT", r"/ack/controller/manifests/sha256:"),
    "publish image: tag": ("PUT", r"/ack/controller/manifests/widget-"),
    "publish chart: blob": ("POST", r"/ack/chart/blobs/uploads/"),
    "publish chart: digest": ("PUT", r"/ack/chart/manifests/sha256:"),
    "publish chart: tag": ("PUT", r"/ack/chart/manifests/widget-"),
    "publish chart: last name": ("PUT", r"/ack/widget-chart/manifests/1.2.3"),
}


CHILDREN = {
    **{f"build, {name}": ("go", "build", numbers) for name, numbers in SIGNALS.items()},
    **{f"chart, {name}": ("helm", "lint", numbers) for name, numbers in SIGNALS.items()},
    "checkout": ("git", "status", SIGNALS["both at once"]),
    "export": ("git", "checkout-index", SIGNALS["both at once"]),
    "tools": ("helm", "version", SIGNALS["both at once"]),
    "render": ("helm", "template", SIGNALS["both at once"]),
    "package": ("helm", "package", SIGNALS["both at once"]),
    "modules": ("go", "list", SIGNALS["both at once"]),
}
STABLE_REQUESTS = {
    "tags": ("GET", r"/tags/list"),
    "image": ("GET", r"/ack/controller/manifests/"),
    "blob": ("POST", r"/ack/chart/blobs/uploads/"),
    "history": ("PUT", r"/ack/chart/manifests/widget-v1-stable-2"),
    "moving name": ("PUT", r"/ack/chart/manifests/widget-v1-stable$"),
    "last name": ("PUT", r"/ack/widget-chart/manifests/v1-stable$"),
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as made:
        yield made


def alive(pid: int) -> bool:
    """Whether a process goes on (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """The processes that a process started and that go on."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[1] == str(pid) and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def wait_for(file: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} did not come"
        time.sleep(0.02)


def end(running: Running, numbers: Sequence[signal.Signals]) -> None:
    """Send signals one directly after the other, and check how the run ends."""
    began = time.monotonic()
    for number in numbers:
        running.process.send_signal(number)
    check_end(running, began, " and ".join(dict.fromkeys(number.name for number in numbers[:1])))


def check_end(running: Running, began: float, by: str) -> None:
    """Check that a run ended with 9, in time, with whole reports and one error line."""
    ended = running.wait(GRACE_SECONDS)
    assert time.monotonic() - began < GRACE_SECONDS
    assert ended.code == 9, ended.out + ended.err
    [line] = ended.errors
    assert ended.lines[-1] == line
    assert by in line
    assert "code=run-ended" in line
    assert ended.record["exit"] == 9
    assert not [step for step in ended.record["steps"] if step["outcome"] == "running"]
    assert ended.metadata["error"]
    assert list(ended.junit.iter("failure"))
    assert not list(ended.artifacts.glob(".*partial"))


def check_complete(bench: Bench) -> None:
    """Check that a rerun completes the release and that everything is whole."""
    bench.proxy.clear()
    ended = bench.run("v1.2.3")
    assert ended.code == 0, ended.out
    assert set(ended.digests) == {IMAGE, CHART, ALIAS}
    crane("validate", "--insecure", "--remote", f"{bench.host}/{IMAGE}")
    chart = json.loads(crane("manifest", "--insecure", f"{bench.host}/{CHART}"))
    assert chart["annotations"]["dev.ack.release.image"].endswith(ended.digests[IMAGE])


def check_nothing_incomplete(bench: Bench) -> None:
    """Check that what has a name is whole: every chart's image answers."""
    bench.proxy.clear()
    for name in (CHART, ALIAS):
        chart = held(f"{bench.host}/{name}")
        if chart is not None:
            crane("validate", "--insecure", "--remote", chart["annotations"]["dev.ack.release.image"])


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


def stop_at(bench: Bench, method: str, path: str) -> threading.Event:
    """Hold the first request of this kind back for two seconds; the event says when it came."""
    reached = threading.Event()

    def hold() -> None:
        reached.set()
        time.sleep(2)

    bench.proxy.intervene(hold, method=method, path=path)
    return reached


@pytest.mark.parametrize(("tool", "command", "numbers"), CHILDREN.values(), ids=CHILDREN.keys())
def test_a_signal_while_a_child_runs(
    bench: Bench, tmp_path: Path, tool: str, command: str, numbers: Sequence[signal.Signals]
) -> None:
    """Ended while git, helm or go runs: the child and what it started end too, and a rerun completes."""
    real = require_tool("helm4" if tool == "helm" else tool)
    folder = tmp_path / "bin"
    folder.mkdir()
    wrapper = folder / tool
    wrapper.write_text(WRAPPER.format(command=command, folder=tmp_path, program=real))
    wrapper.chmod(0o755)
    config = tmp_path / "wrapped.yaml"
    config.write_text(bench.config.read_text().replace(f"helm: {require_tool('helm4')}", "helm: helm"))
    if tool != "helm":
        (folder / "helm").symlink_to(require_tool("helm4"))
    path = {"PATH": f"{folder}:{go_environment()['PATH']}"}
    with bench.start("v1.2.3", config=config, extra=path) as running:
        wait_for(tmp_path / "reached")
        children = children_of(running.process.pid)
        assert children
        end(running, numbers)
        grandchild = int((tmp_path / "grandchild").read_text())
        assert [pid for pid in (*children, grandchild) if alive(pid)] == []
    assert bench.proxy.writes == ()
    check_complete(bench)


@pytest.mark.parametrize("request_", STABLE_REQUESTS.values(), ids=STABLE_REQUESTS.keys())
def test_a_signal_while_stable_moves(bench: Bench, request_: tuple[str, str]) -> None:
    """Ended at any request of a move of stable: a rerun completes it, with one history for each name."""
    assert bench.run("v1.2.3").code == 0
    bench.repository.stable("1.2.3")
    bench.proxy.clear()
    reached = stop_at(bench, *request_)
    with bench.start("stable") as running:
        assert reached.wait(60)
        end(running, (signal.SIGTERM,))
    time.sleep(2.2)
    bench.proxy.clear()
    ended = bench.run("stable")
    assert ended.code == 0, ended.out
    for repository, name in (("chart", "widget-v1-stable"), ("widget-chart", "v1-stable")):
        tags = crane("ls", "--insecure", f"{bench.host}/ack/{repository}").split()
        assert name in tags
        assert len([tag for tag in tags if tag.startswith(f"{name}-2")]) == 1


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_a_signal_while_the_registry_is_spoken_to(bench: Bench, request_: tuple[str, str]) -> None:
    """Ended at any request, which is carried out after the end: nothing incomplete is named, and a rerun completes."""
    reached = stop_at(bench, *request_)
    with bench.start("v1.2.3") as running:
        assert reached.wait(60)
        end(running, (signal.SIGTERM,))
    check_nothing_incomplete(bench)
    check_complete(bench)


def test_the_deadline_ends_the_run_before_prow_does(bench: Bench) -> None:
    """The run plans its own deadline from JOB_SPEC, ends itself before Prow's timeout, and says so."""
    bench.proxy.delay(60, method="PUT", path=r"/blobs/")
    workspace, sha = bench.clone("v1.2.3")
    job = json.loads(bench.environment("v1.2.3", sha)["JOB_SPEC"])
    job["decoration_config"] = {"timeout": "10s", "grace_period": "5s"}
    began = time.monotonic()
    with bench.start("v1.2.3", clone=(workspace, sha), extra={"JOB_SPEC": json.dumps(job)}) as running:
        check_end(running, began, "deadline")
    assert time.monotonic() - began < 10
    check_complete(bench)


def test_a_kill_leaves_nothing_incomplete(bench: Bench) -> None:
    """Killed outright between image and chart, nothing incomplete is named, and a rerun completes without the image."""
    reached = stop_at(bench, "PUT", r"/ack/chart/manifests/sha256:")
    with bench.start("v1.2.3") as running:
        assert reached.wait(60)
        running.process.kill()
    check_nothing_incomplete(bench)
    bench.proxy.clear()
    ended = bench.run("v1.2.3")
    assert ended.actions == {IMAGE: "skip", CHART: "publish", ALIAS: "publish"}
    assert bench.proxy.count("PUT", r"/ack/controller/") == 0


def test_a_signal_before_anything_is_started(bench: Bench) -> None:
    """A signal that comes while modules are imported is answered like any other, never with 130."""
    for pause in (0.05, 0.1, 0.2):
        with bench.start("v1.2.3") as running:
            time.sleep(pause)
            running.process.send_signal(signal.SIGINT)
            running.process.send_signal(signal.SIGTERM)
            ended = running.wait(GRACE_SECONDS)
        # Before the program's first line there is nobody to hold a signal back; from then on it is 9.
        assert ended.code == 9 or (pause < 0.1 and ended.code in {-signal.SIGTERM, -signal.SIGINT}), ended.out
