"""Ending a run at one of its moments, in one of the ways in which Prow does it, and checking what is left."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RunEnded
from testbed.halts import Child
from testbed.process_table import processes_with
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.report.record import StepName
    from testbed.halts import Breakpoint
    from testbed.release_harness import Ended, ReleaseHarness, Running

GRACE_SECONDS = 15.0
LATE = 4
"""How often a deadline is doubled that fell before the run was where it should end."""


# --- ways -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """How a run is ended: by volleys of signals, with a moment between two volleys, or by its own deadline (none).

    ``reason`` is a regular expression for what the run says ended it.
    """

    volleys: tuple[tuple[signal.Signals, ...], ...]
    reason: str


INT_AND_TERM = (signal.SIGINT, signal.SIGTERM)
EITHER = "(SIGINT|SIGTERM|SIGINT and SIGTERM|SIGTERM and SIGINT)"
DEADLINE = Way((), "the deadline")
WAYS: Mapping[str, Way] = {
    "SIGINT alone": Way(((signal.SIGINT,),), "SIGINT"),
    "SIGTERM alone": Way(((signal.SIGTERM,),), "SIGTERM"),
    "both at once": Way((INT_AND_TERM,), EITHER),
    "both, twice": Way((INT_AND_TERM, INT_AND_TERM), EITHER),
    "the deadline": DEADLINE,
}
"""Prow's timeout is SIGINT alone; its abort is both at once; an impatient operator aborts twice."""


# --- points -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A moment of a run: in which step it is, of which service, and what makes the run stand still there.

    ``forget`` is the path of a manifest that is taken out of the registry before each run, so that the run writes it.
    """

    step: StepName
    service: str | None
    place: Breakpoint
    options: tuple[str, ...] = ()
    forget: str | None = None

    @property
    def words(self) -> str:
        """What an ended run says of it."""
        return f"during {self.step}" + (f" of {self.service}" if self.service else "")


# --- ending -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EndedRun:
    """What a run was like that was ended: how it ended, and how many seconds it took to its point."""

    ended: Ended
    reached_after: float


@dataclass
class Ending:
    """Ends runs of one ref again and again, each with an empty folder for its reports."""

    harness: ReleaseHarness
    ref: str
    options: tuple[str, ...] = ()
    grace: float = GRACE_SECONDS
    runs: int = 0

    def __post_init__(self) -> None:
        self.clone = self.harness.clone(self.ref)

    def end(self, point: Point, way: Way, *, carried_out: bool = False, usual: float = 1.0) -> EndedRun:
        """Run to the point, end the run there, and check how it ended.

        Args:
            point: where.
            way: how.
            carried_out: whether a request that was held is carried out after the end.
            usual: seconds that a run takes to the point; the deadline is laid after it.
        """
        seconds = 2 * usual + 0.5
        for _ in range(LATE):
            ended_run = self._end(point, way, seconds, carried_out=carried_out)
            if ended_run is not None:
                return ended_run
            seconds *= 2
        raise AssertionError(f"no run was {point.words} within {seconds / 2} s")

    @contextlib.contextmanager
    def start(self, *options: str | Path, extra: Mapping[str, str], timeout: float) -> Iterator[Running]:
        """Start a run that Prow would end after ``timeout`` seconds."""
        self.runs += 1
        workspace, sha = self.clone
        job = json.loads(self.harness.environment(self.ref, sha)["JOB_SPEC"])
        job["decoration_config"] = {"timeout": f"{timeout * 1000:.0f}ms", "grace_period": f"{self.grace * 1000:.0f}ms"}
        environment = {
            **extra,
            "JOB_SPEC": json.dumps(job),
            "ARTIFACTS": str(self.harness.folder / f"ended-{self.ref}-{self.runs}"),
        }
        with self.harness.start(self.ref, *map(str, options), clone=(workspace, sha), extra=environment) as running:
            yield running

    def _end(self, point: Point, way: Way, seconds: float, *, carried_out: bool) -> EndedRun | None:
        by_deadline = not way.volleys
        folder = self.harness.folder / f"halt-{self.ref}-{self.runs}"
        folder.mkdir()
        self.harness.proxy.clear()
        halt = point.place.halt(self.harness, folder)
        options = (*self.options, *(option.format(harness=self.harness) for option in point.options), *halt.options())
        # A timeout under 30 seconds puts the deadline at its half.
        timeout = 2 * seconds if by_deadline else 1800.0
        began = time.monotonic()
        try:
            with self.start(*options, extra=halt.environment(), timeout=timeout) as running:
                until(lambda: halt.is_reached() or running.process.poll() is not None)
                reached = time.monotonic()
                if by_deadline and running.process.poll() is not None:
                    check_ended(running.wait(0), way, r"(during|after|before) .*")
                    return None
                assert running.process.poll() is None, running.wait(0).out
                # At its own timeout Prow sends a signal, and waits for the grace period after it.
                allowed = self.grace + (timeout - (reached - began) if by_deadline else 0)
                ended = end(running, way, allowed)
        finally:
            halt.let_go(carried_out=carried_out)
        if by_deadline and f" {point.words}." not in ended.errors[-1]:
            return None
        check_ended(ended, way, re.escape(point.words))
        check_reports(ended, point)
        assert left_running(self.harness) == []
        assert left_behind(self.harness) == []
        return EndedRun(ended, reached - began)


def end(running: Running, way: Way, allowed: float) -> Ended:
    """End a run that stands still, and return it once it has ended, which may take ``allowed`` seconds."""
    began = time.monotonic()
    for number, volley in enumerate(way.volleys):
        if number:
            time.sleep(0.03)
        for one in volley:
            running.process.send_signal(one)
    ended = running.wait(allowed)
    assert time.monotonic() - began < allowed
    return ended


def check_ended(ended: Ended, way: Way, place: str) -> None:
    """Check exit code and last line; ``place`` is a regular expression for where the run says that it was."""
    assert ended.code == 9, ended.out + ended.err
    [line] = ended.errors
    assert ended.lines[-1] == line
    cause = ended.record["error"]["cause"]
    assert re.fullmatch(f"the run was ended by {way.reason} {place}", cause), cause
    assert line.startswith(f"ERROR: {cause}. {RunEnded.remedy} exit=9 code=run-ended")
    assert ended.metadata["Cause"] == cause
    assert ended.metadata["Remedy"] == RunEnded.remedy
    assert [failure.get("message") for failure in ended.junit.iter("failure")] == [cause]
    assert [node.text() for node in ended.page.css(".cause, .remedy")] == [cause, RunEnded.remedy]
    assert ended.record["exit"] == 9
    assert [error["code"] for error in ended.record["errors"]] == ["run-ended"]
    assert not [step for step in ended.record["steps"] if step["outcome"] == "running" or step["seconds"] is None]
    assert not [file.name for file in ended.artifacts.iterdir() if file.name.startswith(".")]
    for event in (ended.artifacts / "release-log.jsonl").read_text("utf-8").splitlines():
        json.loads(event)


def check_reports(ended: Ended, point: Point) -> None:
    """Check that every report names the step, and the service that it is of."""
    failed = [(step["name"], step["service"]) for step in ended.record["steps"] if step["outcome"] == "failed"]
    assert failed == [(point.step, point.service)]
    error = ended.record["error"]
    assert (error["step"], error["service"]) == (point.step, point.service)
    assert ended.metadata["Step"] == point.words.removeprefix("during ")
    [case] = [case for case in ended.junit.iter("testcase") if case.find("failure") is not None]
    assert (case.get("name"), case.get("classname")) == (point.step, point.service or "run")
    [failure] = case.iter("failure")
    assert RunEnded.remedy in (failure.text or "")


def left_running(harness: ReleaseHarness) -> list[str]:
    """What runs of this harness have started and not ended: every process that was given their temporary folder."""
    mark = str(harness.folder / "tmp")
    # A process that was killed goes on for the moment that the kernel needs.
    with contextlib.suppress(AssertionError):
        until(lambda: not processes_with(mark, told="environ"), seconds=1.0)
    return processes_with(mark, told="environ")


def left_behind(harness: ReleaseHarness) -> list[str]:
    """What runs of this harness have left in their temporary folder."""
    return sorted(path.name for path in (harness.folder / "tmp").iterdir())


def holds_signals(pid: int) -> bool:
    """Whether a process has come so far that SIGTERM does not end it: it blocks or catches it (proc_pid_status(5))."""
    bit = 1 << signal.SIGTERM - 1
    status = Path(f"/proc/{pid}/status").read_text()
    masks = re.findall(r"^Sig(?:Blk|Cgt):\s+([0-9a-f]+)$", status, re.MULTILINE)
    return any(int(mask, 16) & bit for mask in masks)


def deaf(point: Point) -> Point:
    """The same point with a child that ignores what asks it to end."""
    assert isinstance(point.place, Child)
    return replace(point, place=replace(point.place, deaf=True))
