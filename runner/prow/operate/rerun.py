"""The ProwJob that runs another one again, and the change that aborts one, exactly as Deck makes them. Pure."""

from __future__ import annotations

import copy
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

from runner.errors import JobStillRuns, LatestUnusable, NothingToAbort
from runner.prow.operate.prowjob import UNFINISHED, read_prowjob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from runner.prow.operate.prowjob import ProwJob

VERSION: Final = "prow.k8s.io/v1"
LABEL_LENGTH: Final = 63
_LABEL: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?")


def check_rerun(job: ProwJob) -> None:
    """Check that a job has ended.

    Raises:
        JobStillRuns: it has not.
    """
    if job.is_unfinished:
        raise JobStillRuns(f"{job.name} ({job.service} {job.of}) is still {job.state}")


def original(job: ProwJob, name: str, now: datetime) -> dict[str, Any]:
    """The ProwJob that runs this one again as it was: same image, arguments and commit.

    It is what Deck creates (cmd/deck/rerun.go, handleRerun; pkg/pjutil/pjutil.go, NewProwJob).

    Args:
        job: the old one.
        name: of the new one.
        now: when it is made.
    """
    spec = copy.deepcopy(dict(job.document.get("spec") or {}))
    metadata = job.document.get("metadata") or {}
    _set_report(spec)
    labels, annotations = _describe(spec, metadata.get("labels") or {}, metadata.get("annotations") or {})
    return _made(job, spec, labels, annotations, name=name, now=now)


def latest(job: ProwJob, proposed: object, name: str, now: datetime) -> dict[str, Any]:
    """The ProwJob that runs this one again as it is configured today, for the same commit.

    Args:
        job: the old one.
        proposed: what Deck, which has Prow's configuration, would create: its answer to ``/rerun?mode=latest``.
        name: of the new one.
        now: when it is made.

    Raises:
        LatestUnusable: that is no ProwJob, or one for something else.
    """
    if not isinstance(proposed, dict) or (proposed.get("apiVersion"), proposed.get("kind")) != (VERSION, "ProwJob"):
        raise LatestUnusable(f"Prow's page does not say how {job.name} would be run again: its answer is no ProwJob")
    new, spec = read_prowjob(proposed), dict(proposed.get("spec") or {})
    for what in ("job", "type", "org", "repo", "ref", "commit", "pulls"):
        if getattr(new, what) != getattr(job, what):
            raise LatestUnusable(
                f"Prow's page proposes another job for {job.name}: its {what} is {getattr(new, what)!r} instead of"
                f" {getattr(job, what)!r}"
            )
    metadata = proposed.get("metadata") or {}
    labels, annotations = dict(metadata.get("labels") or {}), dict(metadata.get("annotations") or {})
    return _made(job, spec, labels, annotations, name=name, now=now)


def abort(job: ProwJob) -> dict[str, Any]:
    """The change that aborts a job, as long as nothing else has changed it since it was read.

    Prow then ends its pod and says when that was (cmd/deck/abort.go; pkg/plank/reconciler.go).

    Raises:
        NothingToAbort: it has ended.
    """
    if job.state not in UNFINISHED:
        raise NothingToAbort(f"{job.name} ({job.service} {job.of}) is no longer running: {job.state}")
    version = (job.document.get("metadata") or {}).get("resourceVersion")
    return {
        "metadata": {"resourceVersion": version},
        "status": {"state": "aborted", "description": f"Successfully aborted {job.name}."},
    }


def _made(
    job: ProwJob,
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    *,
    name: str,
    now: datetime,
) -> dict[str, Any]:
    return {
        "apiVersion": VERSION,
        "kind": "ProwJob",
        "metadata": {"name": name, "labels": dict(labels), "annotations": dict(annotations)},
        "spec": dict(spec),
        "status": {
            "startTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "state": "triggered",
            # Nobody who reads it knows who somebody with a kubeconfig is: these are Deck's words where nobody logs in.
            "description": f"Successfully reran {job.name}.",
        },
    }


def _set_report(spec: dict[str, Any]) -> None:
    """Say whether Slack is told, as Prow does for each new ProwJob (pkg/pjutil/pjutil.go, setReportDefault)."""
    slack = (spec.get("reporter_config") or {}).get("slack")
    if slack is not None:
        slack["report"] = slack.get("job_states_to_report") != []


def _describe(
    spec: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations of a ProwJob (pkg/pod-utils/decorate/podspec.go, LabelsAndAnnotationsForSpec)."""
    said = {"prow.k8s.io/job": spec.get("job") or "", "prow.k8s.io/context": spec.get("context") or ""}
    of_spec = {"created-by-prow": "true", "prow.k8s.io/type": spec.get("type") or ""}
    of_spec |= {key: _shortened(value) for key, value in said.items()}
    refs = spec.get("refs") or next(iter(spec.get("extra_refs") or ()), None)
    if refs is not None:
        of_spec |= {f"prow.k8s.io/refs.{key}": refs.get(key) or "" for key in ("org", "repo", "base_ref")}
        if refs.get("pulls"):
            of_spec["prow.k8s.io/refs.pull"] = str(refs["pulls"][0].get("number", 0))
    return dict(_legal({**of_spec, **labels})), {**said, **annotations}


def _shortened(value: str) -> str:
    return value if len(value) <= LABEL_LENGTH else value[:LABEL_LENGTH].rstrip("._-")


def _legal(labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each label whose value may be one, or whose last part may, as of a branch ``a/b``."""
    for key, value in labels.items():
        for one in (value, posixpath.basename(value.rstrip("/"))):
            if len(one) <= LABEL_LENGTH and _LABEL.fullmatch(one):
                yield key, one
                break
