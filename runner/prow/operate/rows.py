"""Jobs as rows for people and as documents for programs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runner.prow.operate.explain import NOTHING
from runner.prow.operate.select import SHORT
from runner.report.words import in_short
from runner.terminal.table import Column, State, Table, fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from runner.prow.operate.explain import Why
    from runner.prow.operate.prowjob import ProwJob
    from runner.terminal.table import Cell, Tone

TONES: Final[Mapping[str, Tone]] = {
    "scheduling": "waiting",
    "triggered": "waiting",
    "pending": "running",
    "success": "good",
    "failure": "bad",
    "error": "bad",
    "aborted": "stopped",
}

NARROW: Final = (
    *(Column("JOB"), Column("SERVICE", "cut"), Column("REF", "cut"), Column("STATE")),
    *(Column("AGE"), Column("DURATION"), Column("CAUSE", "cut")),
)
WIDE: Final = (*NARROW[:-1], Column("COMMIT"), Column("BUILD"), Column("CLUSTER"), Column("PAGE"), NARROW[-1])


def state_of(job: ProwJob) -> State:
    """A job's state, with what it says of it."""
    return State(job.state, TONES.get(job.state, "none"))


def jobs_table(
    jobs: Iterable[ProwJob], causes: Mapping[str, Why], now: datetime, *, wide: bool = False, short: bool = False
) -> Table:
    """Jobs, a row each.

    Args:
        jobs: in the order of the rows.
        causes: why a job failed, by its name.
        now: what ages are counted to.
        wide: whether there is more room than a terminal has.
        short: whether the beginning of a job's name is enough.
    """
    rows = []
    for job in jobs:
        name = job.name[:SHORT] if short and not wide else job.name
        more = (job.commit[:7], job.build_id, job.cluster, job.url) if wide else ()
        row: list[Cell] = [name, job.service, job.of, state_of(job), age(job, now), duration(job, now)]
        rows.append((*row, *more, causes.get(job.name, NOTHING).cause))
    return Table(WIDE if wide else NARROW, tuple(rows))


def age(job: ProwJob, now: datetime) -> str:
    """How long ago a job was made."""
    return in_short((now - job.started).total_seconds()) if job.started else ""


def duration(job: ProwJob, now: datetime) -> str:
    """How long a job took, or has taken until now: from when it was made, as Prow's page counts."""
    seconds = seconds_of(job, now)
    return "" if seconds is None else in_short(seconds)


def seconds_of(job: ProwJob, now: datetime) -> float | None:
    """The duration in seconds; None where it is not known."""
    if job.started is None or (job.completed is None and not job.is_unfinished):
        return None
    return ((job.completed or now) - job.started).total_seconds()


def job_document(job: ProwJob, why: Why, now: datetime) -> dict[str, Any]:
    """A job for programs; what is not known is null."""
    seconds = seconds_of(job, now)
    return {
        "name": job.name,
        "job": job.job,
        "type": job.type,
        "services": list(job.services),
        "org": job.org,
        "repo": job.repo,
        "ref": job.ref,
        "commit": job.commit,
        "pulls": list(job.pulls),
        "state": job.state,
        "description": job.description,
        "started": job.started.isoformat() if job.started else None,
        "completed": job.completed.isoformat() if job.completed else None,
        "seconds": None if seconds is None else round(seconds),
        "cause": why.cause or None,
        "remedy": why.remedy or None,
        "exit": why.exit,
        "code": why.code or None,
        "url": job.url or None,
        "build_id": job.build_id or None,
        "cluster": job.cluster,
        "artifacts": str(job.place) if job.place else None,
    }


def explanation(job: ProwJob, why: Why, pod: str, command: str, now: datetime) -> Table:
    """All that one asks about a job."""
    when = job.started.strftime("%Y-%m-%d %H:%M:%S %Z") if job.started else ""
    ago = f" ({age(job, now)} ago)" if when else ""
    took = duration(job, now)
    pairs: Sequence[tuple[str, Cell]] = (
        ("State", state_of(job)),
        ("Service", job.service),
        ("Ref", job.of),
        ("Commit", job.commit),
        ("Repository", f"{job.org}/{job.repo}" if job.repo else ""),
        ("Started", f"{when}{ago}"),
        ("Duration", f"{took} so far" if took and job.is_unfinished else took),
        ("Pod", pod),
        ("Cluster", job.cluster),
        ("Build", job.build_id),
        ("Job", job.name),
        ("Prow says", job.description if job.description != why.cause else ""),
        ("Cause", why.cause),
        ("Exit", f"{why.exit} ({why.code})" if why.code else "" if why.exit is None else str(why.exit)),
        ("Remedy", why.remedy),
        ("Page", job.url),
        ("Artifacts", str(job.place) if job.place else ""),
        ("Source", f"{job.link}/tree/{job.ref}" if job.link and job.ref else ""),
        ("Next", f"ack-release {command}"),
    )
    return fields(pairs)
