"""The commands about jobs: what each asks, decides and prints."""

from __future__ import annotations

import json
import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from runner.errors import LogUnavailable, ReleaseError, RunEnded, UsageInvalid
from runner.prow.operate import explain, rows
from runner.prow.operate import rerun as again
from runner.prow.operate.cluster import EXPIRED
from runner.prow.operate.select import failed_now, find, newest_first, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from runner.prow.operate.bucket import Kept
    from runner.prow.operate.cluster import Jobs
    from runner.prow.operate.explain import Why
    from runner.prow.operate.prowjob import ProwJob
    from runner.prow.operate.select import Wanted
    from runner.runtime.lifetime import Lifetime
    from runner.terminal.screen import Screen
    from runner.terminal.table import Table

Output = Literal["table", "wide", "name", "json"]

RECORD: Final = "artifacts/record.json"
BUILD_LOG: Final = "build-log.txt"
READERS: Final = 8
"""How many records are read at once."""

WHOLE_NAME: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What Prow calls a ProwJob: such a one need not be looked for among all."""

LOOK_SECONDS: Final = 1.0
ABORT_ATTEMPTS: Final = 5
TAIL_LINES: Final = 200
"""How many of a log's last lines are looked at for why a job failed that left no record."""


@dataclass(frozen=True)
class Operator:
    """Who gives a command, and what it works with.

    Attributes:
        jobs: the cluster's.
        kept: what Prow keeps of them.
        screen: where it prints.
        lifetime: whose end ends what waits.
        now: the wall clock.
        new_name: gives the name of a new ProwJob.
        flags: how to name the same cluster again, for commands that are proposed.
        told: what was said once.
        unreadable: buckets that did not answer.
    """

    jobs: Jobs
    kept: Kept
    screen: Screen
    lifetime: Lifetime
    now: Callable[[], datetime]
    new_name: Callable[[], str]
    flags: str = ""
    told: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)

    def tell_once(self, what: str, error: ReleaseError | None = None) -> None:
        """Say something beside what was asked for, the first time, and which error is why."""
        if what not in self.told:
            self.told.add(what)
            self.screen.note(f"{what}: {error.cause}" if error else what, "warning")


def show_list(operator: Operator, wanted: Wanted, *, limit: int, output: Output) -> None:
    """Print the jobs that are wanted, the newest first, with why they failed."""
    screen = operator.screen
    found, _ = operator.jobs.jobs()
    matching = select(found, wanted, operator.now())
    shown = matching[:limit] if limit else matching
    if output == "name":
        for job in shown:
            screen.line(job.name)
        return
    causes = causes_of(operator, shown)
    if screen.as_json:
        documents = [rows.job_document(job, causes.get(job.name, explain.NOTHING), operator.now()) for job in shown]
        screen.json({"namespace": operator.jobs.namespace, "found": len(matching), "jobs": documents})
        return
    if not shown:
        screen.note(nothing_found(operator, found))
        return
    screen.table(_table(operator, shown, causes, output))
    if len(shown) < len(matching):
        screen.note(f"the newest {len(shown)} of {len(matching)} jobs; --limit 0 shows all")


def nothing_found(operator: Operator, found: Sequence[ProwJob]) -> str:
    """Why there is nothing to show, in words."""
    where = f"in the namespace {operator.jobs.namespace} of {operator.jobs.name}"
    if not found:
        return f"there are no ProwJobs {where}"
    releases = sum(job.is_release for job in found)
    return f"no job is like that; there are {len(found)} ProwJobs {where}, {releases} of them releases"


def watch_list(operator: Operator, wanted: Wanted, *, limit: int, output: Output) -> None:
    """Print the jobs that are wanted, and what becomes of them, until a signal."""
    screen = operator.screen
    if screen.is_terminal:
        with screen.live() as show:
            for shown, causes in _states(operator, wanted, limit):
                show(_table(operator, shown, causes, output))
        return
    said: dict[str, str] = {}
    for shown, causes in _states(operator, wanted, limit):
        changed = [job for job in reversed(shown) if said.get(job.name) != job.state]
        said = {job.name: job.state for job in shown}
        if changed:
            screen.more_rows(_table(operator, changed, causes, output))


def _states(operator: Operator, wanted: Wanted, limit: int) -> Iterator[tuple[list[ProwJob], Mapping[str, Why]]]:
    """What is to be shown, each time that something may have changed."""
    causes: dict[str, Why] = {}
    while True:
        listed, version = operator.jobs.jobs()
        jobs = {job.name: job for job in listed}
        seen = ""
        while version:
            if version == seen:
                # A watch that ends at once must not make this a loop without a pause.
                operator.lifetime.wait(LOOK_SECONDS)
            seen = version
            matching = select(jobs.values(), wanted, operator.now())
            shown = matching[:limit] if limit else matching
            causes |= causes_of(operator, [job for job in shown if job.name not in causes])
            yield shown, causes
            for event, job, version_of in operator.jobs.changes(version):
                version = version_of
                if event == EXPIRED or job is None:
                    continue
                if event == "DELETED":
                    jobs.pop(job.name, None)
                elif event in {"ADDED", "MODIFIED"}:
                    jobs[job.name] = job
                matching = select(jobs.values(), wanted, operator.now())
                shown = matching[:limit] if limit else matching
                causes |= causes_of(operator, [job for job in shown if job.name not in causes])
                yield shown, causes


def _table(operator: Operator, shown: Sequence[ProwJob], causes: Mapping[str, Why], output: Output) -> Table:
    return rows.jobs_table(shown, causes, operator.now(), wide=output == "wide", short=operator.screen.is_terminal)


def causes_of(operator: Operator, jobs: Sequence[ProwJob]) -> dict[str, Why]:
    """Why jobs did not end well, by name: from their records, else from what Prow says."""
    failed = [job for job in jobs if explain.needs_explaining(job)]
    if not failed:
        return {}

    def look(job: ProwJob) -> Why:
        return explain.first(explain.from_record(read_record(operator, job)), explain.from_description(job))

    with ThreadPoolExecutor(READERS) as readers:
        return dict(zip((job.name for job in failed), readers.map(look, failed), strict=True))


def read_record(operator: Operator, job: ProwJob) -> object:
    """A job's record; None where there is none that can be had, which is told once."""
    if job.place is None or job.place.bucket in operator.unreadable:
        return None
    try:
        content = operator.kept.read(job.place, RECORD)
        return None if content is None else json.loads(content)
    except LogUnavailable as error:
        # Each attempt may take seconds, and the next answer would be the same.
        operator.unreadable.add(job.place.bucket)
        operator.tell_once("records are not read", error)
    except ValueError:
        pass
    return None


def show_job(operator: Operator, name: str) -> None:
    """Print all that is known of a job: how it is, why, and what to do now."""
    job = find_job(operator, name)
    pod = _pod(operator, job)
    why = _why(operator, job, pod)
    command = explain.next_command(job, why, job.name) + operator.flags
    if operator.screen.as_json:
        document = rows.job_document(job, why, operator.now())
        more = {"pod": explain.pod_in_words(pod) or None, "detail": list(why.detail), "next": f"ack-release {command}"}
        operator.screen.json(document | more)
        return
    operator.screen.table(rows.explanation(job, why, explain.pod_in_words(pod), command, operator.now()))
    for line in why.detail:
        operator.screen.log_line(f"  | {line}")


def _pod(operator: Operator, job: ProwJob) -> Mapping[str, Any] | None:
    """A job's pod; where the cluster does not give it that is told, since the rest can be shown."""
    try:
        return operator.jobs.pod(job)
    except RunEnded:
        raise
    except ReleaseError as error:
        operator.tell_once("the pod is not shown", error)
        return None


def _why(operator: Operator, job: ProwJob, pod: Mapping[str, Any] | None) -> Why:
    if job.state == "success":
        return explain.NOTHING
    found = [explain.from_record(read_record(operator, job))] if not job.is_unfinished else []
    found += [explain.from_pod(pod), explain.from_description(job)]
    if job.is_unfinished or any(why.cause for why in found):
        return explain.first(*found)
    try:
        lines = _log_lines(operator, job, follow=False)
        return explain.from_log(deque(lines, TAIL_LINES))
    except LogUnavailable:
        return explain.NOTHING


def show_log(operator: Operator, name: str, *, follow: bool) -> None:
    """Print a job's log: from its pod while that is there, then from where Prow keeps it."""
    job = find_job(operator, name)
    if follow:
        job = _wait_for_start(operator, job)
    for line in _log_lines(operator, job, follow=follow):
        operator.screen.log_line(line)
    if follow:
        job = operator.jobs.job(job.name)
        operator.screen.note(f"{job.service} {job.of}: {job.state}", rows.TONES.get(job.state, "none"))


def _wait_for_start(operator: Operator, job: ProwJob) -> ProwJob:
    """Wait until a job's container has started, or the job has ended, and say what it waits for."""
    while job.is_unfinished:
        pod = operator.jobs.pod(job) if job.state == "pending" else None
        if job.state == "pending" and not explain.is_waiting(pod):
            break
        why = explain.from_pod(pod)
        operator.tell_once(why.cause or f"{job.service} {job.of} is {job.state}: waiting for it to start")
        operator.lifetime.wait(LOOK_SECONDS)
        job = operator.jobs.job(job.name)
    return job


def _log_lines(operator: Operator, job: ProwJob, *, follow: bool) -> Iterator[str]:
    try:
        lines = operator.jobs.pod_log(job, follow=follow and job.is_unfinished)
    except RunEnded:
        raise
    except ReleaseError:
        if job.is_unfinished or job.place is None:
            raise
        lines = None
    if lines is None and job.place is not None and not job.is_unfinished:
        lines = operator.kept.lines(job.place, BUILD_LOG)
    if lines is None:
        raise LogUnavailable(*_no_log(job))
    yield from lines


def _no_log(job: ProwJob) -> tuple[str]:
    if job.is_unfinished:
        return (f"{job.name} ({job.service} {job.of}) has no log yet: it is {job.state}",)
    where = f"nor is there {job.place}/{BUILD_LOG}" if job.place else "and Prow does not say where it keeps the log"
    return (f"the pod of {job.name} is gone, {where}",)


@dataclass(frozen=True)
class Rerun:
    """How jobs are run again.

    Attributes:
        propose: says how a job is configured today; None to run it as it was.
        dry_run: whether nothing is created.
        force: whether one that has not ended is run again, too.
    """

    propose: Callable[[ProwJob], object] | None = None
    dry_run: bool = False
    force: bool = False


def rerun_named(operator: Operator, names: Sequence[str], how: Rerun) -> None:
    """Run jobs again that are named.

    Raises:
        JobUnknown: a name means none; then none is run again.
        JobStillRuns: one has not ended; likewise.
    """
    jobs = [find_job(operator, name) for name in names]
    if not how.force:
        for job in jobs:
            again.check_rerun(job)
    _rerun(operator, jobs, how)


def rerun_failed(operator: Operator, wanted: Wanted, how: Rerun, *, limit: int, agreed: bool) -> None:
    """Run again what has failed and has not been run again since, at most ``limit`` of them, in the order of pushes."""
    found, _ = operator.jobs.jobs()
    now = operator.now()
    failed = [job for job in failed_now(found) if wanted.takes(job, now)]
    jobs = failed[:limit] if limit else failed
    screen = operator.screen
    if len(jobs) < len(failed):
        screen.note(f"the oldest {len(jobs)} of {len(failed)} failed jobs; call it again for the others")
    if not jobs:
        screen.note("nothing has failed that was not run again since")
    if jobs and not how.dry_run and not screen.as_json:
        screen.table(_table(operator, jobs, causes_of(operator, jobs), "table"))
    if not jobs or how.dry_run or agreed or _agrees(operator, f"Rerun {_count(jobs)}?"):
        _rerun(operator, jobs, how)


def abort_named(operator: Operator, names: Sequence[str], *, agreed: bool) -> None:
    """Abort jobs that are named.

    Raises:
        JobUnknown: a name means none; then none is aborted.
        NothingToAbort: one has ended; likewise.
    """
    jobs = [find_job(operator, name) for name in names]
    for job in jobs:
        again.abort(job)
    if not agreed:
        if not operator.screen.as_json:
            operator.screen.table(_table(operator, jobs, {}, "table"))
        if not _agrees(operator, f"Abort {_count(jobs)}?"):
            return
    done: list[dict[str, Any]] = []
    with _Told(operator, "aborted", done):
        for job in jobs:
            _abort(operator, job)
            done.append({"name": job.name, "service": job.service, "ref": job.of})
            if not operator.screen.as_json:
                operator.screen.line(f"aborted {job.name} ({job.service} {job.of})", "good")


def _abort(operator: Operator, job: ProwJob) -> None:
    """Abort a job, also when Prow changes it at the same time."""
    for _ in range(ABORT_ATTEMPTS):
        if operator.jobs.patch(job.name, again.abort(job)) is not None:
            return
        job = operator.jobs.job(job.name)
    raise UsageInvalid(f"{job.name} is changed all the time", remedy="Call the command again.")


def _rerun(operator: Operator, jobs: Sequence[ProwJob], how: Rerun) -> None:
    screen = operator.screen
    done: list[dict[str, Any]] = []
    with _Told(operator, "reran", done, dry_run=how.dry_run):
        for job in jobs:
            name = operator.new_name()
            document = (
                again.original(job, name, operator.now())
                if how.propose is None
                else again.latest(job, how.propose(job), name, operator.now())
            )
            if not how.dry_run:
                operator.jobs.create(document)
            new = None if how.dry_run else name
            done.append({"old": job.name, "new": new, "service": job.service, "ref": job.of})
            if not screen.as_json:
                what = f"{job.name} ({job.service} {job.of})"
                screen.line(f"would rerun {what}" if how.dry_run else f"reran {what} as {name}", "good")
        if len(done) == 1 and not how.dry_run:
            screen.note(f"follow it: ack-release jobs logs -f {done[0]['new']}{operator.flags}")


class _Told:
    """Prints for a program what was done, also when an error keeps the rest from being done."""

    def __init__(self, operator: Operator, what: str, done: list[dict[str, Any]], **more: object) -> None:
        self._screen = operator.screen
        self._what = what
        self._done = done
        self._more = more

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not self._screen.as_json or (error is not None and not self._done):
            return
        failed = {"error": error.cause} if isinstance(error, ReleaseError) else {}
        self._screen.json({self._what: self._done} | self._more | failed)


def _agrees(operator: Operator, question: str) -> bool:
    """Whether somebody at the terminal says yes.

    Raises:
        UsageInvalid: nobody can.
    """
    if not operator.screen.can_ask:
        raise UsageInvalid("nobody can be asked here whether to go on", remedy="Say it with --yes.")
    agreed = operator.screen.ask(question)
    if not agreed:
        operator.screen.note("nothing was changed")
    return agreed


def _count(jobs: Sequence[ProwJob]) -> str:
    return "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"


def find_job(operator: Operator, name: str) -> ProwJob:
    """The job that a name means, as it is now.

    Raises:
        JobUnknown: it means none, or several.
    """
    if WHOLE_NAME.fullmatch(name):
        return operator.jobs.job(name)
    found, _ = operator.jobs.jobs()
    return find(newest_first(found), name)
