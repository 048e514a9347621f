"""Ending a run at one of its moments, in one of the ways in which Prow does it, and looking at what is left."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runner.errors import RunEnded
from tests.support.processes import processes_with, until
from tests.support.releases import Bench, Ended, Running, go_environment
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.report.record import StepName
    from testbed.faults.rules import Held

GRACE_SECONDS = 15.0
LATE = 4
"""How often a deadline is doubled that fell before the run was where it should end."""

WRAPPER = """#!/bin/sh
{ignoring}case " $* " in
  *" {words} "*)
    echo >> {folder}/{program}.calls
    if [ "$(wc -l < {folder}/{program}.calls)" -ge {nth} ]; then
      sleep 300 &
      : > {folder}/{program}.reached
      wait
    fi
    ;;
esac
exec {real} "$@"
"""


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


class Halt(Protocol):
    """What makes a run stand still once."""

    def options(self) -> Sequence[str | Path]:
        """What the command line needs for it."""

    def environment(self) -> Mapping[str, str]:
        """What the environment needs for it."""

    def is_reached(self) -> bool:
        """Whether the run stands still."""

    def let_go(self, *, carried_out: bool) -> None:
        """Called after the end: what was held is carried out after all, or never."""


class Place(Protocol):
    """Where a run can be made to stand still."""

    def halt(self, bench: Bench, folder: Path) -> Halt:
        """Prepare it for one run; ``folder`` is empty."""


@dataclass(frozen=True)
class Child:
    """A program that waits, with a grandchild, when it is called with these words for the nth time.

    ``deaf`` lets both ignore what asks them to end.
    """

    program: str
    words: str
    nth: int = 1
    deaf: bool = False

    def halt(self, bench: Bench, folder: Path) -> Halt:
        """Put a wrapper before the program on the run's PATH."""
        for program in ("git", "go", "helm"):
            real = require_tool("helm4" if program == "helm" else program)
            file = folder / program
            if program != self.program:
                file.symlink_to(real)
                continue
            ignoring = "trap '' TERM INT\n" if self.deaf else ""
            text = WRAPPER.format(
                words=self.words, folder=folder, program=program, nth=self.nth, real=real, ignoring=ignoring
            )
            file.write_text(text)
            file.chmod(0o755)
        config = folder / "jobs.yaml"
        config.write_text(bench.config.read_text().replace(f"helm: {require_tool('helm4')}", "helm: helm"))
        return _Waiting(folder, self.program)


@dataclass(frozen=True)
class _Waiting:
    folder: Path
    program: str

    def options(self) -> Sequence[str | Path]:
        return ("--config", self.folder / "jobs.yaml")

    def environment(self) -> Mapping[str, str]:
        return {"PATH": f"{self.folder}:{go_environment()['PATH']}"}

    def is_reached(self) -> bool:
        return (self.folder / f"{self.program}.reached").exists()

    def let_go(self, *, carried_out: bool) -> None:
        pass


@dataclass(frozen=True)
class Asked:
    """A request that is held back: the first of its kind, or the one that comes ``skip`` requests after ``after``.

    ``half`` holds it in the middle of its answer.
    """

    method: str
    path: str
    after: tuple[str, str] | None = None
    skip: int = 0
    half: bool = False

    def halt(self, bench: Bench, folder: Path) -> Halt:  # noqa: ARG002 - nothing is written
        """Have the proxy before the registry hold it."""
        held = _HeldRequest(self)
        if self.after is None:
            held.arm(bench)
        else:
            bench.proxy.intervene(lambda: held.arm(bench), method=self.after[0], path=self.after[1])
        return held


class _HeldRequest:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._held: list[Held] = []

    def arm(self, bench: Bench) -> None:
        asked = self._asked
        self._held.append(bench.proxy.hold(method=asked.method, path=asked.path, skip=asked.skip, half=asked.half))

    def options(self) -> Sequence[str | Path]:
        return ()

    def environment(self) -> Mapping[str, str]:
        return {}

    def is_reached(self) -> bool:
        return any(held.reached.is_set() for held in self._held)

    def let_go(self, *, carried_out: bool) -> None:
        for held in self._held:
            held.let_go(forward=carried_out)
            if held.reached.is_set():
                assert held.finished.wait(10)


@dataclass(frozen=True)
class SlowFile:
    """A jobs.yaml whose content does not come: a named pipe into which nobody writes."""

    def halt(self, bench: Bench, folder: Path) -> Halt:  # noqa: ARG002 - the pipe is all
        """Make the pipe."""
        os.mkfifo(folder / "slow.yaml")
        return _Pipe(folder / "slow.yaml")


class _Pipe:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: int | None = None

    def options(self) -> Sequence[str | Path]:
        return ("--config", self._path)

    def environment(self) -> Mapping[str, str]:
        return {}

    def is_reached(self) -> bool:
        try:
            self._writer = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return False  # nobody reads yet
        return True

    def let_go(self, *, carried_out: bool) -> None:  # noqa: ARG002 - nothing is carried out
        if self._writer is not None:
            os.close(self._writer)


@dataclass(frozen=True)
class Point:
    """A moment of a run: in which step it is, of which service, and what makes the run stand still there.

    ``forget`` is the path of a manifest that is taken out of the registry before each run, so that the run writes it.
    """

    step: StepName
    service: str | None
    place: Place
    options: tuple[str, ...] = ()
    forget: str | None = None

    @property
    def words(self) -> str:
        """What an ended run says of it."""
        return f"during {self.step}" + (f" of {self.service}" if self.service else "")


# --- ending -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """What a run was like that was ended: how it ended, and how many seconds it took to its point."""

    ended: Ended
    reached_after: float


@dataclass
class Ending:
    """Ends runs of one ref again and again, each with an empty folder for its reports."""

    bench: Bench
    ref: str
    options: tuple[str, ...] = ()
    grace: float = GRACE_SECONDS
    runs: int = 0

    def __post_init__(self) -> None:
        self.clone = self.bench.clone(self.ref)

    def end(self, point: Point, way: Way, *, carried_out: bool = False, usual: float = 1.0) -> Story:
        """Run to the point, end the run there, and check how it ended.

        Args:
            point: where.
            way: how.
            carried_out: whether a request that was held is carried out after the end.
            usual: seconds that a run takes to the point; the deadline is laid after it.
        """
        seconds = 2 * usual + 0.5
        for _ in range(LATE):
            story = self._end(point, way, seconds, carried_out=carried_out)
            if story is not None:
                return story
            seconds *= 2
        raise AssertionError(f"no run was {point.words} within {seconds / 2} s")

    @contextlib.contextmanager
    def start(self, *options: str | Path, extra: Mapping[str, str], timeout: float) -> Iterator[Running]:
        """Start a run that Prow would end after ``timeout`` seconds."""
        self.runs += 1
        workspace, sha = self.clone
        job = json.loads(self.bench.environment(self.ref, sha)["JOB_SPEC"])
        job["decoration_config"] = {"timeout": f"{timeout * 1000:.0f}ms", "grace_period": f"{self.grace * 1000:.0f}ms"}
        environment = {
            **extra,
            "JOB_SPEC": json.dumps(job),
            "ARTIFACTS": str(self.bench.folder / f"ended-{self.ref}-{self.runs}"),
        }
        with self.bench.start(self.ref, *map(str, options), clone=(workspace, sha), extra=environment) as running:
            yield running

    def _end(self, point: Point, way: Way, seconds: float, *, carried_out: bool) -> Story | None:
        by_deadline = not way.volleys
        folder = self.bench.folder / f"halt-{self.ref}-{self.runs}"
        folder.mkdir()
        self.bench.proxy.clear()
        halt = point.place.halt(self.bench, folder)
        options = (*self.options, *(option.format(bench=self.bench) for option in point.options), *halt.options())
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
        assert left_running(self.bench) == []
        assert left_behind(self.bench) == []
        return Story(ended, reached - began)


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


def left_running(bench: Bench) -> list[str]:
    """What runs of this bench have started and not ended: every process that was given their temporary folder."""
    mark = str(bench.folder / "tmp")
    # A process that was killed goes on for the moment that the kernel needs.
    with contextlib.suppress(AssertionError):
        until(lambda: not processes_with(mark, told="environ"), seconds=1.0)
    return processes_with(mark, told="environ")


def left_behind(bench: Bench) -> list[str]:
    """What runs of this bench have left in their temporary folder."""
    return sorted(path.name for path in (bench.folder / "tmp").iterdir())


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
