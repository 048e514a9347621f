"""Why a job is as it is, and what to do now: from its record, its pod, its log, and what Prow says. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runner.errors import ExitCode
from runner.prow.operate.prowjob import CONTAINER, FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runner.prow.operate.prowjob import ProwJob

RERUN: Final = "Rerun the job: it completes the release, and what is published is not sent again."

SAYS_NOTHING: Final = frozenset({"", "Job triggered.", "Job succeeded.", "Job failed."})
"""What Prow says of a job where the state says the same (pkg/plank/reconciler.go)."""

NODE: Final = "Ask whoever runs the build cluster; a rerun is safe once there is room."
REMEDIES: Final[Mapping[str, str]] = {
    "Job pod was evicted by the cluster.": RERUN,
    "Pod got deleted unexpectedly": RERUN,
    "Pod scheduling timeout.": NODE,
    "Pod pending timeout.": NODE,
    "Pod running timeout.": RERUN,
}
"""What to do about what Prow says of jobs whose pod never came to its own end (pkg/plank/reconciler.go)."""

LAST_LINES: Final = 10
_ERROR: Final = re.compile(r"^ERROR: (?P<said>.*?)(?: exit=(?P<exit>\d+) code=(?P<code>[a-z-]+).*)?$")


@dataclass(frozen=True)
class Why:
    """Why a job is as it is.

    Attributes:
        cause: in a sentence; empty where nothing is known.
        remedy: what to do now; empty where the cause says it or nothing is known.
        exit: the runner's exit code, if it came to one.
        code: the error's name.
        detail: further lines, as of a compiler.
    """

    cause: str = ""
    remedy: str = ""
    exit: int | None = None
    code: str = ""
    detail: tuple[str, ...] = ()


NOTHING: Final = Why()


def from_record(record: object) -> Why:
    """What ``record.json`` says: the error that decided the exit code, or where a run stood that was killed."""
    if not isinstance(record, dict):
        return NOTHING
    exit_code, error = record.get("exit"), record.get("error")
    if isinstance(error, dict):
        detail = error.get("detail")
        return Why(
            cause=_text(error, "cause"),
            remedy=_text(error, "remedy"),
            exit=exit_code if isinstance(exit_code, int) else None,
            code=_text(error, "code"),
            detail=tuple(map(str, detail)) if isinstance(detail, list) else (),
        )
    if exit_code is None:
        steps = record.get("steps")
        running = [
            " of ".join(filter(None, (_text(step, "name"), _text(step, "service"))))
            for step in (steps if isinstance(steps, list) else ())
            if isinstance(step, dict) and step.get("outcome") == "running"
        ]
        return Why(f"the run was killed during {', '.join(running) or 'a step'}: it reported no end", RERUN)
    return Why(exit=exit_code) if isinstance(exit_code, int) else NOTHING


def from_log(lines: Iterable[str]) -> Why:
    """What the last ``ERROR:`` line of a build log says; without one, the last lines."""
    kept = list(lines)
    for line in reversed(kept):
        if found := _ERROR.match(line):
            number = found["exit"]
            return Why(found["said"], exit=int(number) if number else None, code=found["code"] or "")
    last = [line for line in kept if line.strip()][-LAST_LINES:]
    return Why(f"the log has no ERROR: line; it ends with: {last[-1]}", detail=tuple(last)) if last else NOTHING


def from_pod(pod: Mapping[str, Any] | None) -> Why:
    """What keeps a pod from starting, or ended it from outside, as far as its status says."""
    if pod is None:
        return NOTHING
    status = pod.get("status") or {}
    for one in _containers(status):
        state = one.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        reason = str(waiting.get("reason") or "")
        if reason and reason not in {"PodInitializing", "ContainerCreating"}:
            return Why(f"the container {one.get('name')} waits: {reason}{_message(waiting)}", NODE)
        if ended.get("reason") == "OOMKilled":
            return Why(
                f"the kernel killed the container {one.get('name')}, which had no more memory",
                "Raise the job's memory (prow.resources in jobs.yaml) or lower build.parallel, then rerun with"
                " --latest.",
            )
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Why(f"no node takes the pod: {condition.get('reason') or ''}{_message(condition)}", NODE)
    return Why(f"{status['reason']}{_message(status)}", RERUN) if status.get("reason") else NOTHING


def from_description(job: ProwJob) -> Why:
    """What Prow itself says of the job, unless its state says the same."""
    if job.description.strip() in SAYS_NOTHING or job.state == "success":
        return NOTHING
    return Why(job.description, next((told for said, told in REMEDIES.items() if said in job.description), ""))


def first(*reasons: Why) -> Why:
    """The first of these that says anything."""
    return next((why for why in reasons if why.cause), reasons[0] if reasons else NOTHING)


def next_command(job: ProwJob, why: Why, name: str) -> str:
    """The command that somebody who has read this wants next, without the program's name.

    What is wrong with the release itself is the same in a rerun; what was wrong with the configuration needs today's.
    """
    if job.is_unfinished:
        return f"jobs logs -f {name}"
    if job.state == "success" or why.exit in {
        *(ExitCode.BUG, ExitCode.NOT_A_RELEASE, ExitCode.INVALID_RELEASE, ExitCode.CONFLICT, ExitCode.BUILD_FAILED)
    }:
        return f"jobs logs {name}"
    return f"jobs rerun {name}{' --latest' if why.exit == ExitCode.USAGE else ''}"


def needs_explaining(job: ProwJob) -> bool:
    """Whether somebody asks why: it did not end well."""
    return job.state in FAILED or job.state == "aborted"


def is_waiting(pod: Mapping[str, Any] | None) -> bool:
    """Whether the job's own container has not started, but may."""
    if pod is None:
        return True
    status = pod.get("status") or {}
    if status.get("phase") in {"Succeeded", "Failed"}:
        return False
    own = [one for one in _containers(status) if one.get("name") == CONTAINER]
    return not any((one.get("state") or {}).keys() & {"running", "terminated"} for one in own)


def pod_in_words(pod: Mapping[str, Any] | None) -> str:
    """A pod's phase, and how its own container ended."""
    if pod is None:
        return ""
    status = pod.get("status") or {}
    ended = [
        (one.get("state") or {}).get("terminated") or {} for one in _containers(status) if one.get("name") == CONTAINER
    ]
    code = f", {CONTAINER} exited with {ended[0]['exitCode']}" if ended and "exitCode" in ended[0] else ""
    node = f", on {(pod.get('spec') or {}).get('nodeName')}" if (pod.get("spec") or {}).get("nodeName") else ""
    return f"{status.get('phase') or 'unknown'}{code}{node}"


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        found: Sequence[Mapping[str, Any]] = status.get(kind) or ()
        yield from found


def _message(said: Mapping[str, Any]) -> str:
    return f": {said['message']}" if said.get("message") else ""


def _text(document: Mapping[str, Any], key: str) -> str:
    found = document.get(key)
    return found if isinstance(found, str) else ""
