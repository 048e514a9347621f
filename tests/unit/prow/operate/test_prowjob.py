from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.prow.operate.prowjob import STATES, Place, read_prowjob
from testbed.memory.prowjobs import prowjob

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("metadata", "spec", "status", "refs", "pulls", "pod_spec", "containers", "startTime", "command", "state", "url")


def test_a_release() -> None:
    """A ProwJob of a generated job says what was pushed, what it releases, and where its log is."""
    job = read_prowjob(prowjob())
    assert (job.job, job.services, job.service, job.is_release) == ("s3-release", ("s3",), "s3", True)
    assert (job.ref, job.of, job.repo, job.state) == ("v1.2.3", "v1.2.3", "s3-controller", "failure")
    assert job.started == datetime(2026, 11, 28, 8, tzinfo=UTC)
    assert job.place == Place("s3", "prow", "logs/s3-release/2026112800001")
    assert job.deck == "https://prow.example"
    assert not job.is_unfinished


@pytest.mark.parametrize(
    ("args", "services", "is_release"),
    [
        (("run", "--service", "s3"), ("s3",), True),
        (("run", "--service", "s3", "--service", "sns"), ("s3", "sns"), True),
        (("plan", "--as-tag", "from-chart"), ("community",), False),
        (("run", "--service"), ("community",), True),
        ((), ("community",), False),
    ],
)
def test_what_it_releases(args: tuple[str, ...], services: tuple[str, ...], *, is_release: bool) -> None:
    """Its arguments name the services, else its name does; only what runs the pipeline is a release."""
    job = read_prowjob(prowjob(service="community", args=args))
    assert (job.services, job.is_release) == (services, is_release)


def test_another_program() -> None:
    """A job that runs something else is no release and releases nothing, whatever it is called."""
    document = prowjob()
    document["spec"]["pod_spec"]["containers"][0]["command"] = ["bash"]
    job = read_prowjob(document)
    assert (job.is_release, job.services, job.service) == (False, (), "s3-release")


@pytest.mark.parametrize(
    ("url", "bucket", "type_", "place"),
    [
        ("https://p.example/view/gs/b/logs/j/1/", "s3://prow", "postsubmit", Place("gs", "b", "logs/j/1")),
        ("https://p.example/view/gcs/b/pr-logs/7/j/1", "", "presubmit", Place("gs", "b", "pr-logs/7/j/1")),
        ("", "s3://prow", "postsubmit", Place("s3", "prow", "logs/s3-release/2026112800001")),
        ("", "prow", "postsubmit", Place("gs", "prow", "logs/s3-release/2026112800001")),
        ("", "s3://prow", "presubmit", None),
        ("", "", "postsubmit", None),
        ("https://p.example/log?id=1", "", "postsubmit", None),
    ],
)
def test_where_its_log_is(url: str, bucket: str, type_: str, place: Place | None) -> None:
    """The page's address says where the log is kept, else the job's decoration does."""
    document = prowjob(url=url)
    document["spec"]["decoration_config"]["gcs_configuration"]["bucket"] = bucket
    document["spec"]["type"] = type_
    assert read_prowjob(document).place == place


def test_where_its_log_is_below_a_folder() -> None:
    """A folder of the bucket that all logs are in comes first."""
    document = prowjob(url="")
    document["spec"]["decoration_config"]["gcs_configuration"]["path_prefix"] = "deep"
    assert str(read_prowjob(document).place) == "s3://prow/deep/logs/s3-release/2026112800001"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("completed", [None, "2026-11-28T08:02:05Z"])
def test_whether_it_goes_on(state: str, completed: str | None) -> None:
    """A job goes on until its state is an end; one that is aborted, until its pod has ended too."""
    job = read_prowjob(prowjob(state=state, completed=completed))
    waits = state in {"scheduling", "triggered", "pending"}
    assert job.is_unfinished == (waits or (state == "aborted" and completed is None))


def test_a_pull_request() -> None:
    """What is tested is the base with pull requests merged into it."""
    document = prowjob(ref="main")
    document["spec"]["refs"]["pulls"] = [{"number": 7}, {"number": 8}]
    assert read_prowjob(document).of == "main #7,8"


@given(st.dictionaries(st.sampled_from(KEYS), st.dictionaries(st.sampled_from(KEYS), anything) | anything))
def test_whatever_a_cluster_holds(document: dict[str, Any]) -> None:
    """A ProwJob that lacks everything, or has it in another type, is read all the same."""
    job = read_prowjob(document)
    assert isinstance(job.service, str)
    assert isinstance(job.of, str)
    assert job.started is None or job.started.tzinfo
