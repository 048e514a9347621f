"""Runs of a release and of stable, again and again, each before a registry that holds what it should find."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from testbed.faults.fault import Drop, Fault
from testbed.programs import find_program
from testbed.registries import serve
from testbed.release_harness import open_harness
from testbed.sample_controller import CONFIGURATION
from testbed.soak.contents import Contents, Reader, comparable
from testbed.soak.watch import RegistryWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from testbed.faults.proxy import FaultProxy
    from testbed.faults.schedule import FaultSchedule
    from testbed.release_harness import Ended, ReleaseHarness, Running

SHORT_PAUSES = (sys.executable, "-P", str(Path(__file__).with_name("short_pauses.py")))
"""The program whose retries do not take long."""
PathName = Literal["release", "stable"]
REFS: Mapping[PathName, str] = {"release": "v1.2.3", "stable": "stable"}
HONEST = {0, 7, 8, 9}
"""How a run may end under faults: done, or one of the codes that say that a rerun, perhaps with other credentials, will
complete it."""


@dataclass(frozen=True)
class Course:
    """One of the two paths: where it begins and ends when nothing disturbs it.

    Attributes:
        ref: what Prow is told of.
        clone: workspace and commit.
        before: what the registry holds before.
        after: what it holds after an undisturbed run.
        requests: how many requests that run sent.
    """

    ref: str
    clone: tuple[Path, str]
    before: Contents
    after: Contents
    requests: int


@dataclass(frozen=True)
class Disturbed:
    """A run under faults and its rerun: how both ended, and what was not as it must be (nothing, if all is well)."""

    code: int
    seconds: float
    requests: int
    looks: int
    problems: tuple[str, ...] = ()
    out: str = ""


@dataclass
class Soak:
    """Where the runs take place."""

    harness: ReleaseHarness
    folder: Path
    courses: dict[PathName, Course] = field(default_factory=dict)
    count: int = 0

    @property
    def proxy(self) -> FaultProxy:
        """What stands before every registry, always at one address: it is part of what is released."""
        return self.harness.proxy

    def under_schedule(self, path: PathName, schedule: FaultSchedule) -> Disturbed:
        """Run under a schedule, then again without faults; say what was not as it must be."""
        course = self.courses[path]
        with self.registry(course.before) as (host, watch):
            schedule.apply(self.proxy)
            began = time.monotonic()
            ended = self.run(course, SHORT_PAUSES)
            seconds = time.monotonic() - began
            requests = len(self.proxy.requests)
            self.proxy.wait_until_idle()
            with Reader(host) as reader:
                held = reader.tags()
            problems = [*_ended_honestly(ended), *untruths(ended.record, course.before.tags, held)]
            if ended.code == 0:
                problems += _differences("the run ended with 0", held, course.after.tags)
            problems += self._complete(course, host)
            return Disturbed(ended.code, seconds, requests, watch.looked, (*problems, *watch.violations), ended.out)

    def killed_at(self, path: PathName, number: int, drop: Drop) -> Disturbed:
        """Kill a run with SIGKILL at one of its requests, then run again; say what was not as it must be.

        Args:
            path: what is run.
            number: of the request, in the order of arrival, from 0.
            drop: whether it is killed before the registry sees the request, or when the registry has acted on it and
                the answer is not yet sent.
        """
        course = self.courses[path]
        with self.registry(course.before) as (host, watch):
            started = threading.Event()
            kill: list[Callable[[], None]] = []

            def end() -> None:
                started.wait()
                kill[0]()

            before, after = (end, None) if drop is Drop.BEFORE else (None, end)
            self.proxy.meet(Fault(drop=drop, before=before, after=after), times=1, skip=number)
            began = time.monotonic()
            with self._start(course, self.harness.program) as running:
                kill.append(running.process.kill)
                started.set()
                ended = running.wait()
            seconds = time.monotonic() - began
            self.proxy.wait_until_idle()
            watch.look("after the kill")
            requests = len(self.proxy.requests)
            problems = [] if ended.code == -9 else [f"request {number} never came: the run ended with {ended.code}"]  # noqa: PLR2004
            problems += self._complete(course, host)
            return Disturbed(ended.code, seconds, requests, watch.looked, (*problems, *watch.violations), ended.out)

    @contextlib.contextmanager
    def registry(self, contents: Contents) -> Iterator[tuple[str, RegistryWatch]]:
        """A new registry that holds this, behind the proxy, and watched after every write."""
        self.count += 1
        folder = self.folder / f"registry-{self.count}"
        with serve(find_program("crane"), folder) as server:
            contents.write(server.host, folder / "blobs")
            self.proxy.clear()
            self.proxy.stand_before(server.host)
            watch = RegistryWatch(server.host)
            watch.look("before the run")
            self.proxy.watch(watch)
            try:
                yield server.host, watch
            finally:
                self.proxy.watch(None)
                self.proxy.clear()
                watch.close()
        shutil.rmtree(folder)

    def run(self, course: Course, program: Sequence[str | Path]) -> Ended:
        """Run to the end."""
        with self._start(course, program) as running:
            return running.wait()

    @contextlib.contextmanager
    def _start(self, course: Course, program: Sequence[str | Path]) -> Iterator[Running]:
        artifacts = self.folder / "artifacts"
        shutil.rmtree(artifacts, ignore_errors=True)
        usual, self.harness.program = self.harness.program, program
        try:
            with self.harness.start(course.ref, clone=course.clone, extra={"ARTIFACTS": str(artifacts)}) as running:
                yield running
        finally:
            self.harness.program = usual

    def _complete(self, course: Course, host: str) -> list[str]:
        """Run again without faults: it must complete, and send nothing of what has its tag."""
        with Reader(host) as reader:
            there = {name for name, digest in reader.tags().items() if course.after.tags.get(name) == digest}
        self.proxy.clear()
        ended = self.run(course, self.harness.program)
        if ended.code != 0:
            return [f"the rerun ended with {ended.code}:\n{ended.out}"]
        with Reader(host) as reader:
            problems = _differences("the rerun ended with 0", reader.tags(), course.after.tags)
        return problems + [f"the rerun sent again: {text}" for text in self._sent_again(course, there)]

    def _sent_again(self, course: Course, there: set[str]) -> list[str]:
        repositories = {name.rpartition(":")[0] for name in course.after.tags}
        missing = {
            name.rpartition(":")[0] for name in course.after.tags if name not in there and "-stable-" not in name
        }
        tags = {f"/v2/{name.rpartition(':')[0]}/manifests/{name.rpartition(':')[2]}" for name in there}
        whole = tuple(f"/v2/{repository}/" for repository in repositories - missing)
        return [
            f"{seen.method} {seen.path}"
            for seen in self.proxy.writes
            if seen.path in tags or (whole and seen.path.startswith(whole))
        ]


@contextlib.contextmanager
def open_soak(folder: Path) -> Iterator[Soak]:
    """Prepare both paths by an undisturbed run of each.

    Raises:
        ProgramMissing: crane, helm or go is not here.
        RuntimeError: an undisturbed run failed.
    """
    config = CONFIGURATION.replace("[linux/amd64, linux/arm64]", "[linux/amd64]")
    with open_harness(folder, config=config) as harness:
        soak = Soak(harness, folder / "soak")
        soak.folder.mkdir()
        harness.repository.stable("1.2.3")
        before = Contents.nothing(folder / "contents-0")
        for number, (path, ref) in enumerate(REFS.items(), 1):
            clone = harness.clone(ref)
            with soak.registry(before) as (host, watch):
                course = Course(ref, clone, before, before, 0)
                ended = soak.run(course, harness.program)
                if ended.code or watch.violations:
                    raise RuntimeError(f"an undisturbed run failed: {watch.violations}\n{ended.out}")
                blobs = soak.folder / f"registry-{soak.count}" / "blobs"
                after = Contents.read(host, blobs, folder / f"contents-{number}")
                soak.courses[path] = Course(ref, clone, before, after, len(harness.proxy.requests))
            before = after
        yield soak


def untruths(record: Mapping[str, Any], before: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """What a record says that is not so, or does not say although it is. Pure.

    A name that it says was written holds the digest that it gives. A name that it does not say was written holds what
    it held before, or an error tells of the write whose answer was lost: it names repository and tag.

    Args:
        record: record.json.
        before: what each ``REPOSITORY:TAG`` held before the run.
        held: what each holds after it.
    """
    found: list[str] = []
    told = " ".join([*(f"{error['cause']} {' '.join(error['detail'])}" for error in record["errors"])])
    for entry in record["entries"]:
        name = entry["name"].partition("/")[2]
        repository, _, tag = name.rpartition(":")
        now = held.get(name)
        if entry["written"] or entry["action"] == "skip":
            if entry["digest"] != now:
                done = "written" if entry["written"] else "there"
                found.append(f"{name} is said to be {done} as {entry['digest']} and holds {now}")
        elif now != before.get(name) and not (repository in told and tag in told):
            found.append(f"{name} holds {now}, and nothing tells that it was written")
    if bool(record["exit"]) != bool(record["errors"]):
        found.append(f"exit {record['exit']} with {len(record['errors'])} errors")
    return found


def _ended_honestly(ended: Ended) -> list[str]:
    problems = [] if ended.code in HONEST else [f"the run ended with {ended.code}"]
    if ended.record["exit"] != ended.code:
        problems.append(f"the run ended with {ended.code} and its record says {ended.record['exit']}")
    if ended.code and not ended.lines[-1].startswith("ERROR:"):
        problems.append(f"the last line of a run that ended with {ended.code} is {ended.lines[-1]}")
    return problems


def _differences(when: str, held: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    ours, theirs = comparable(held), comparable(wanted)
    if ours == theirs:
        return []
    return [f"{when}, but the registry holds {ours} and not {theirs}"]
