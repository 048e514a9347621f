"""Where Deck shows a run: the address that Prow itself makes, or none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.source.job_page import job_page

PREFIX = "https://prow.example.io/view/"
PULL = {"type": "presubmit", "refs": {"org": "ack", "repo": "s3-controller", "pulls": [{"number": 7}]}}
ADDRESS = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)+")


def specification(storage: dict[str, object] | None = None, **fields: object) -> dict[str, object]:
    """JOB_SPEC of a release, with these fields and this of its storage."""
    known = {"bucket": "s3://prow-logs", "path_strategy": "explicit", "job_url_prefix": PREFIX}
    decoration = {"gcs_configuration": {**known, **(storage or {})}}
    return {"type": "postsubmit", "job": "s3-release", "buildid": "12", "decoration_config": decoration, **fields}


@pytest.mark.parametrize(
    ("storage", "fields", "below"),
    [
        ({}, {}, "s3/prow-logs/logs/s3-release/12"),
        ({"bucket": "prow-logs"}, {}, "gs/prow-logs/logs/s3-release/12"),
        ({"bucket": "gs://prow-logs/deep/"}, {}, "gs/prow-logs/deep/logs/s3-release/12"),
        ({"path_prefix": "/a/b/"}, {}, "s3/prow-logs/a/b/logs/s3-release/12"),
        ({}, {"type": "batch"}, "s3/prow-logs/pr-logs/pull/batch/s3-release/12"),
        ({}, PULL, "s3/prow-logs/pr-logs/pull/ack_s3-controller/7/s3-release/12"),
        ({"path_strategy": "single"}, PULL, "s3/prow-logs/pr-logs/pull/ack_s3-controller/7/s3-release/12"),
        (
            {"path_strategy": "single", "default_org": "ack", "default_repo": "s3-controller"},
            PULL,
            "s3/prow-logs/pr-logs/pull/7/s3-release/12",
        ),
        (
            {"path_strategy": "legacy", "default_org": "ack"},
            PULL,
            "s3/prow-logs/pr-logs/pull/s3-controller/7/s3-release/12",
        ),
        (
            {"path_strategy": "legacy", "default_org": "ack", "default_repo": "s3-controller"},
            PULL,
            "s3/prow-logs/pr-logs/pull/7/s3-release/12",
        ),
    ],
)
def test_page_of_a_job(storage: dict[str, object], fields: dict[str, object], below: str) -> None:
    """The address is the prefix, the kind of bucket, the bucket, and the run's path in it, as Prow makes it."""
    assert job_page(specification(storage, **fields)) == f"{PREFIX}{below}"


@pytest.mark.parametrize(
    ("prefix", "bucket", "address"),
    [
        ("http://127.0.0.1:8080/view", "s3://b", "http://127.0.0.1:8080/view/s3/b/logs/s3-release/12"),
        ("https://p.example/view/s3/", "s3://b", "https://p.example/view/s3/b/logs/s3-release/12"),
        ("https://p.example/view/gcs", "b", "https://p.example/view/gcs/b/logs/s3-release/12"),
    ],
)
def test_prefixes(prefix: str, bucket: str, address: str) -> None:
    """A prefix may name the kind of bucket itself, and end with a slash or not."""
    assert job_page(specification({"job_url_prefix": prefix, "bucket": bucket})) == address


@pytest.mark.parametrize(
    ("storage", "fields"),
    [
        ({"job_url_prefix": None}, {}),
        ({"job_url_prefix": "https://gubernator.example/build/"}, {}),
        ({"job_url_prefix": "https://p.example/view/gs/"}, {}),
        ({"job_url_prefix": "javascript:alert(1)/view"}, {}),
        ({"job_url_prefix": "https://p.example/view/?x="}, {}),
        ({"job_url_prefix": "https://p.example/../view"}, {}),
        ({"bucket": None}, {}),
        ({"bucket": "b/../c"}, {}),
        ({"local_output_dir": "/output"}, {}),
        ({"path_prefix": "a/../b"}, {}),
        ({}, {"type": "other"}),
        ({}, {"job": ""}),
        ({}, {"job": "a/b"}),
        ({}, {"buildid": ".."}),
        ({}, {"buildid": 12}),
        ({}, {"decoration_config": None}),
        ({}, {"decoration_config": {"gcs_configuration": []}}),
        ({"path_strategy": "new"}, PULL),
        ({}, {**PULL, "refs": {"org": "ack", "repo": "s3-controller", "pulls": []}}),
        ({}, {**PULL, "refs": {"org": "https://gerrit.example", "repo": "a/b", "pulls": [{"number": 7}]}}),
    ],
)
def test_no_page(storage: dict[str, object], fields: dict[str, object]) -> None:
    """Where one part is missing, or may lead elsewhere, there is no address."""
    assert job_page(specification(storage, **fields)) is None


def test_no_page_without_a_specification() -> None:
    """Outside of Prow there is no job to be shown."""
    assert job_page({}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
STORAGE = st.sampled_from(["bucket", "path_prefix", "path_strategy", "job_url_prefix", "default_org"])
FIELDS = st.sampled_from(["type", "job", "buildid", "refs", "decoration_config"])


@given(st.dictionaries(STORAGE, JSON), st.dictionaries(FIELDS, JSON))
def test_whatever_stands_in_the_specification(storage: dict[str, Any], fields: dict[str, Any]) -> None:
    """No value, of whatever type, makes anything of it but an address of plain letters, or none."""
    address = job_page(specification(storage, **fields))
    assert address is None or ADDRESS.fullmatch(address)
    assert address is None or not {".", ".."} & set(address.split("/"))
