"""What fails around a run: a clock that is wrong, programs that never end, a registry that never answers."""

from __future__ import annotations

import email.utils
import time
from typing import TYPE_CHECKING

import pytest

from testbed.faults.silent import SilentServer
from testbed.programs import find_program
from testbed.release_harness import ReleaseHarness, go_environment, open_harness
from testbed.sample_controller import CONFIGURATION
from testbed.soak.world import SHORT_PAUSES
from tests.support.ending import Ending, left_behind, left_running
from tests.support.tools import require_faketime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.release_harness import Ended

NEVER_ENDING = """#!/bin/sh
trap '' TERM INT HUP
while :; do sleep 1; done
"""
"""Stands in a program's place: it does nothing, never ends, and neither listens to what asks it to end."""

TIMEOUT, GRACE = 24.0, 15.0
"""Seconds of Prow's timeout, of which the run leaves itself one half, and of the time after it."""
TEN_MINUTES = {"fast": "+10m", "slow": "-10m"}


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    """A harness whose releases are for one platform."""
    with open_harness(tmp_path, config=CONFIGURATION.replace("[linux/amd64, linux/arm64]", "[linux/amd64]")) as made:
        yield made


def with_clock(offset: str) -> dict[str, str]:
    """The environment of a run whose clock is wrong; what measures how long something takes is right."""
    return {"LD_PRELOAD": str(require_faketime()), "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.parametrize("offset", TEN_MINUTES.values(), ids=TEN_MINUTES.keys())
def test_a_release_with_a_wrong_clock(harness: ReleaseHarness, offset: str) -> None:
    """It gives the same digests as one with a right clock, and a date in Retry-After is no reason to give up."""
    now, soon = (email.utils.formatdate(when, usegmt=True) for when in (time.time(), time.time() + 1))
    headers = {"Date": now, "Retry-After": soon}
    harness.proxy.fail(503, method="GET", path=r"/manifests/", times=1, headers=headers)
    ended = harness.run("v1.2.3", extra=with_clock(offset))
    assert ended.code == 0, ended.out
    harness.proxy.clear()
    again = harness.run("v1.2.3")
    assert (again.code, again.digests) == (0, ended.digests)
    assert harness.proxy.writes == ()


@pytest.mark.parametrize(("first", "second"), [("+10m", "-10m"), ("-10m", "+10m")], ids=["back", "forward"])
def test_moves_of_stable_with_clocks_that_disagree(harness: ReleaseHarness, first: str, second: str) -> None:
    """Which commit is newer is decided by git and not by the clock of whoever moves it; a rerun has nothing to do."""
    assert harness.run("v1.2.3").code == 0
    harness.repository.stable("1.2.3")
    assert harness.run("stable", extra=with_clock(first)).code == 0
    harness.repository.stable("1.2.3", edits={"helm/templates/NOTES.txt": "newer\n"})
    moved = harness.run("stable", extra=with_clock(second))
    assert moved.code == 0, moved.out
    harness.proxy.clear()
    again = harness.run("stable")
    assert again.code == 0, again.out
    assert harness.proxy.writes == ()
    assert again.digests["ack/widget-chart:v1-stable"] == moved.digests["ack/widget-chart:v1-stable"]


def end_by_deadline(
    harness: ReleaseHarness, *options: str | Path, extra: Mapping[str, str] | None = None, grace: float = GRACE
) -> Ended:
    """Run as a job with a short timeout, and check that it ends within it and the time after it, with nobody left."""
    ending = Ending(harness, "v1.2.3", grace=grace)
    began = time.monotonic()
    with ending.start(*options, extra=extra or {}, timeout=TIMEOUT) as running:
        ended = running.wait(TIMEOUT + grace)
    assert time.monotonic() - began < TIMEOUT + grace
    assert left_running(harness) == []
    assert left_behind(harness) == []
    [line] = ended.errors
    assert ended.lines[-1] == line
    return ended


@pytest.mark.parametrize(("program", "step"), [("git", "checkout"), ("helm", "tools"), ("go", "tools")])
def test_a_program_that_never_ends(harness: ReleaseHarness, tmp_path: Path, program: str, step: str) -> None:
    """The deadline ends the run with 9 and names the step, although the program ignores what asks it to end."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("git", "go", "helm"):
        if name == program:
            (folder / name).write_text(NEVER_ENDING)
            (folder / name).chmod(0o755)
        else:
            (folder / name).symlink_to(find_program("helm4" if name == "helm" else name))
    config = tmp_path / "wrapped.yaml"
    config.write_text(harness.config.read_text().replace(f"helm: {find_program('helm4')}", "helm: helm"))
    path = f"{folder}:{go_environment()['PATH']}"
    ended = end_by_deadline(harness, "--config", config, extra={"PATH": path})
    assert ended.code == 9, ended.out
    assert f"ended by the deadline during {step}" in ended.errors[0]
    assert harness.proxy.writes == ()


@pytest.mark.parametrize("drip", [None, 0.2], ids=["never answers", "never finishes an answer"])
def test_a_registry_that_lets_wait(harness: ReleaseHarness, drip: float | None) -> None:
    """A registry that accepts and never answers, or a byte at a time, ends the run in time, and the step is named."""
    with SilentServer(drip=drip) as silent:
        ended = end_by_deadline(harness, "--registry", f"{silent.host}/ack")
    assert ended.code in {7, 9}, ended.out
    assert ended.record["error"]["step"] == "observe"
    assert ended.record["error"]["service"] in {"widget", None}


def test_a_registry_that_never_answers_before_the_deadline(harness: ReleaseHarness) -> None:
    """Where there is time enough, the limit for answers ends the run with 7, which says what was asked of whom."""
    harness.program = SHORT_PAUSES
    with SilentServer() as silent:
        ended = harness.run("v1.2.3", "--registry", f"{silent.host}/ack")
    assert ended.code == 7, ended.out
    assert f"GET {silent.host}/v2/ack/" in ended.errors[0]
    assert "no answer within the time allowed" in ended.errors[0]
