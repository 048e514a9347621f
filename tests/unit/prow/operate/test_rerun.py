from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import JobStillRuns, LatestUnusable, NothingToAbort
from runner.prow.operate.prowjob import STATES, read_prowjob
from runner.prow.operate.rerun import abort, check_rerun, latest, original
from testbed.memory.prowjobs import prowjob

NOW = datetime(2026, 11, 28, 12, 0, 0, 999, tzinfo=UTC)
LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def again(document: dict[str, Any]) -> dict[str, Any]:
    return original(read_prowjob(document), "new", NOW)


def test_as_it_was() -> None:
    """The spec is the old one's; of what Kubernetes and Prow have written into the old one nothing is left."""
    document = prowjob()
    before = copy.deepcopy(document)
    new = again(document)
    assert new["spec"] == document["spec"]
    assert document == before
    assert new["status"] == {
        "startTime": "2026-11-28T12:00:00Z",
        "state": "triggered",
        "description": f"Successfully reran {document['metadata']['name']}.",
    }
    assert set(new) == {"apiVersion", "kind", "metadata", "spec", "status"}
    assert set(new["metadata"]) == {"name", "labels", "annotations"}
    assert new["metadata"]["name"] == "new"
    assert new["metadata"]["annotations"] == {"prow.k8s.io/job": "s3-release", "prow.k8s.io/context": ""}
    assert new["metadata"]["labels"] == {
        **document["metadata"]["labels"],
        "prow.k8s.io/context": "",
        "prow.k8s.io/refs.org": "aws-controllers-k8s",
        "prow.k8s.io/refs.repo": "s3-controller",
        "prow.k8s.io/refs.base_ref": "v1.2.3",
    }


@pytest.mark.parametrize(
    ("ref", "label"),
    [
        ("release/v1", "v1"),
        ("v1.2.3+build", None),
        ("a/b+c", None),
        ("x" * 63, "x" * 63),
        ("x" * 64, None),
        ("a/", "a"),
    ],
)
def test_refs_as_labels(ref: str, label: str | None) -> None:
    """A ref that is no label's value is there by its last part, or not at all."""
    assert again(prowjob(ref=ref))["metadata"]["labels"].get("prow.k8s.io/refs.base_ref") == label


def test_a_long_name() -> None:
    """A job's long name is cut in the label, not in the annotation."""
    name = "x" * 62 + "-release"
    document = prowjob()
    document["spec"]["job"] = name
    document["metadata"] |= {"labels": {}, "annotations": {}}
    metadata = again(document)["metadata"]
    assert (metadata["labels"]["prow.k8s.io/job"], metadata["annotations"]["prow.k8s.io/job"]) == ("x" * 62, name)


@pytest.mark.parametrize(
    ("slack", "report"),
    [({"channel": "c"}, True), ({"job_states_to_report": []}, False), ({"job_states_to_report": ["error"]}, True)],
)
def test_slack(slack: dict[str, Any], *, report: bool) -> None:
    """Slack is told as Prow decides for each new job."""
    document = prowjob()
    document["spec"]["reporter_config"] = {"slack": slack}
    assert again(document)["spec"]["reporter_config"]["slack"] == {**slack, "report": report}


def test_a_pull_request() -> None:
    """The number of the first pull request is a label."""
    document = prowjob()
    document["spec"]["refs"]["pulls"] = [{"number": 7}, {"number": 8}]
    assert again(document)["metadata"]["labels"]["prow.k8s.io/refs.pull"] == "7"


def test_a_periodic_job() -> None:
    """A job without refs of its own is described by the first of its extra ones, or by none."""
    document = prowjob()
    refs = document["spec"].pop("refs")
    assert "prow.k8s.io/refs.org" not in again(document)["metadata"]["labels"]
    document["spec"]["extra_refs"] = [refs]
    assert again(document)["metadata"]["labels"]["prow.k8s.io/refs.org"] == refs["org"]


@given(
    st.text(max_size=80),
    st.dictionaries(st.text(max_size=8), st.text(max_size=80) | st.text("a/._-", max_size=70), max_size=4),
)
def test_whatever_the_labels(ref: str, labels: dict[str, str]) -> None:
    """Every label has a value that Kubernetes takes, and a rerun of a rerun is the same."""
    document = prowjob(ref=ref)
    document["metadata"]["labels"] = labels
    new = again(document)
    for value in new["metadata"]["labels"].values():
        assert LABEL.fullmatch(value)
        assert len(value) <= 63
    twice = again(new)
    assert (twice["spec"], twice["metadata"]["annotations"]) == (new["spec"], new["metadata"]["annotations"])
    assert twice["metadata"]["labels"].items() >= new["metadata"]["labels"].items()


def test_as_it_is_today() -> None:
    """What Prow's page proposes is taken, with a name and a time of our own."""
    proposed = again(prowjob())
    proposed["spec"]["pod_spec"]["containers"][0]["image"] = "a.example/r:2"
    proposed["metadata"]["name"] = "proposed"
    proposed["status"] = {"state": "triggered", "startTime": "2026-11-28T11:59:59Z", "build_id": "7"}
    new = latest(read_prowjob(prowjob()), proposed, "new", NOW)
    assert new["spec"] == proposed["spec"]
    assert new["metadata"] == proposed["metadata"] | {"name": "new"}
    assert new["status"] == again(prowjob())["status"]


@pytest.mark.parametrize(
    ("key", "value"), [("job", "other"), ("type", "presubmit"), ("refs", {"org": "other"}), ("refs", {"base_sha": "b"})]
)
def test_a_proposal_for_something_else(key: str, value: Any) -> None:
    """What Prow's page proposes has to be for the same job, ref and commit."""
    proposed = again(prowjob())
    proposed["spec"][key] = {**proposed["spec"]["refs"], **value} if isinstance(value, dict) else value
    with pytest.raises(LatestUnusable, match="proposes another job"):
        latest(read_prowjob(prowjob()), proposed, "new", NOW)


@pytest.mark.parametrize("proposed", [None, "ProwJob not found", [], {}, {"kind": "Pod", "apiVersion": "v1"}])
def test_no_proposal(proposed: object) -> None:
    """What is no ProwJob is refused."""
    with pytest.raises(LatestUnusable, match="no ProwJob"):
        latest(read_prowjob(prowjob()), proposed, "new", NOW)


@pytest.mark.parametrize("state", STATES)
def test_which_can_be_run_again_or_aborted(state: str) -> None:
    """What has ended can be run again, and what has not can be aborted."""
    job = read_prowjob(prowjob(state=state))
    if state in {"scheduling", "triggered", "pending"}:
        with pytest.raises(JobStillRuns, match=f"is still {state}"):
            check_rerun(job)
        change = abort(job)
        assert change["metadata"] == {"resourceVersion": "1"}
        assert change["status"] == {"state": "aborted", "description": f"Successfully aborted {job.name}."}
    else:
        check_rerun(job)
        with pytest.raises(NothingToAbort, match=f"no longer running: {state}"):
            abort(job)


def test_one_that_is_being_aborted() -> None:
    """What is aborted but has not ended can be neither aborted nor run again."""
    job = read_prowjob(prowjob(state="aborted", completed=None))
    with pytest.raises(JobStillRuns):
        check_rerun(job)
    with pytest.raises(NothingToAbort):
        abort(job)
