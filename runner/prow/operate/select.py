"""Which jobs are meant: by filters, by name, and those that failed and have not been made good since. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from runner.errors import JobUnknown
from runner.prow.operate.prowjob import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.prow.operate.prowjob import ProwJob

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"(?:[0-9]{1,6}[smhdw])+")
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
SHORT: Final = 8
"""How much of a ProwJob's name, a UUID, is shown where there is little room."""

AMBIGUOUS: Final = 5
"""How many of the jobs that a name could mean are listed."""


@dataclass(frozen=True)
class Wanted:
    """Which jobs are wanted; what is empty asks for nothing.

    Attributes:
        services: of these.
        states: in these states.
        refs: of these branches and tags; ``*`` and ``?`` stand for any text and any character.
        since: not older than this.
        everything: also jobs that are not releases.
    """

    services: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    refs: tuple[str, ...] = ()
    since: timedelta | None = None
    everything: bool = False

    def takes(self, job: ProwJob, now: datetime) -> bool:
        """Whether a job is wanted."""
        return (
            (self.everything or job.is_release)
            and (not self.services or not self.services.isdisjoint((*job.services, job.job)))
            and (not self.states or job.state in self.states)
            and (not self.refs or any(fnmatchcase(job.ref, pattern) for pattern in self.refs))
            and (self.since is None or (job.started is not None and job.started >= now - self.since))
        )


def read_duration(text: str) -> timedelta:
    """Return what a duration such as ``2d``, ``36h`` or ``1h30m`` stands for.

    Raises:
        ValueError: it is none.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 2d, 36h or 1h30m")
    return timedelta(seconds=sum(int(one[:-1]) * _UNITS[one[-1]] for one in re.findall(r"[0-9]+[smhdw]", text)))


def newest_first(jobs: Iterable[ProwJob]) -> list[ProwJob]:
    """Sort jobs by when they were made; of the same second, by name."""
    return sorted(jobs, key=lambda job: (job.started or _EARLIEST, job.name), reverse=True)


def select(jobs: Iterable[ProwJob], wanted: Wanted, now: datetime) -> list[ProwJob]:
    """Return the jobs that are wanted, the newest first."""
    return newest_first(job for job in jobs if wanted.takes(job, now))


def failed_now(jobs: Iterable[ProwJob]) -> list[ProwJob]:
    """Return what has failed and has not been run again since, the oldest first.

    Runs of the same job for the same repository and ref are one thing: only the newest of them counts. The oldest come
    first, so that they are run again in the order of their pushes.
    """
    newest: dict[tuple[str, ...], ProwJob] = {}
    for job in newest_first(jobs):
        newest.setdefault((job.type, job.job, job.org, job.repo, job.ref, *job.pulls), job)
    return [job for job in reversed(newest.values()) if job.state in FAILED]


def find(jobs: Sequence[ProwJob], name: str) -> ProwJob:
    """Return the one job that a name means: a ProwJob's name, its beginning, a build id, or the address of its page.

    Raises:
        JobUnknown: no job is meant, or more than one.
    """
    build = name.rstrip("/").rpartition("/")[2] if "/" in name else name
    exact = [job for job in jobs if name == job.name or (build and build == job.build_id)]
    found = exact or [job for job in jobs if name and job.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise JobUnknown(f"there is no job {name}")
    meant = [f"{job.name} ({job.service} {job.of}, {job.state})" for job in newest_first(found)]
    raise JobUnknown(
        f"{name} could be {len(meant)} jobs",
        remedy="Give more of the name.",
        detail=meant[:AMBIGUOUS] + (["…"] if len(meant) > AMBIGUOUS else []),
    )
