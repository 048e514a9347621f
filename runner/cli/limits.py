"""How long a session may go on, and how long its end may take: what Prow allows its job, and nothing without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import EventInvalid
from runner.runtime.supervisor import DEFAULT_GRACE_SECONDS
from runner.source.event import read_job_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

MARGIN_SECONDS = 15.0
"""How long before Prow's own timeout a session ends itself, so that it ends with reports and exit code 9."""

PROW_TIMEOUT_SECONDS = 7200.0
"""Prow's default where the job's decoration names no timeout (pkg/entrypoint/options.go)."""


@dataclass(frozen=True)
class Limits:
    """How long a session may go on before it ends itself (None: as long as it takes), and how long its end may take.

    Both in seconds.
    """

    seconds: float | None = None
    grace: float = DEFAULT_GRACE_SECONDS


def read_limits(environment: Mapping[str, str]) -> Limits:
    """Return the limits of the job that this is; none without a JOB_SPEC that can be read.

    The end may take Prow's grace period, but never more than its default, since what does not end by then will not end
    at all, and not more than is left between deadline and timeout.
    """
    try:
        job = read_job_limits(environment)
    except EventInvalid:
        # What is wrong with the event is reported by commands that need it; the others go on.
        job = None
    if job is None:
        return Limits()
    timeout = job.timeout or PROW_TIMEOUT_SECONDS
    seconds = max(timeout / 2, timeout - MARGIN_SECONDS)
    grace = min(job.grace_period or DEFAULT_GRACE_SECONDS, DEFAULT_GRACE_SECONDS)
    return Limits(seconds, min(grace, timeout - seconds))
