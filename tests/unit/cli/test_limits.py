from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.limits import MARGIN_SECONDS, PROW_TIMEOUT_SECONDS, Limits, read_limits
from runner.runtime.supervisor import DEFAULT_GRACE_SECONDS


def job(**decoration: str) -> dict[str, str]:
    """The environment of a job of no push, with these limits."""
    return {"JOB_SPEC": json.dumps({"type": "periodic", "decoration_config": decoration})}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"JOB_SPEC": ""},
        {"REPO_OWNER": "o", "REPO_NAME": "r", "PULL_BASE_REF": "v1.2.3"},
        {"JOB_SPEC": "{"},
        {"JOB_SPEC": "[]"},
        job(timeout="soon"),
        job(timeout="-1h"),
    ],
    ids=["nothing", "empty", "flat variables", "no JSON", "no object", "no duration", "negative"],
)
def test_no_job(environment: dict[str, str]) -> None:
    """Without a JOB_SPEC that can be read there is no deadline, and the end may take what Prow allows by default."""
    assert read_limits(environment) == Limits(None, DEFAULT_GRACE_SECONDS)


@pytest.mark.parametrize(
    ("decoration", "limits"),
    [
        ({}, Limits(PROW_TIMEOUT_SECONDS - MARGIN_SECONDS, 15.0)),
        ({"timeout": "1h", "grace_period": "90s"}, Limits(3585.0, 15.0)),
        ({"timeout": "1h", "grace_period": "5s"}, Limits(3585.0, 5.0)),
        ({"timeout": "20s"}, Limits(10.0, 10.0)),
        ({"timeout": "2s", "grace_period": "15s"}, Limits(1.0, 1.0)),
    ],
    ids=["Prow's defaults", "long grace", "short grace", "short timeout", "shortest"],
)
def test_a_job(decoration: dict[str, Any], limits: Limits) -> None:
    """The deadline lies 15 seconds before Prow's timeout, at half of a short one; the end fits in what is left."""
    assert read_limits(job(**decoration)) == limits


@given(timeout=st.integers(1, 10**7), grace=st.integers(1, 10**5))
def test_whatever_a_job_allows(timeout: int, grace: int) -> None:
    """A session that ends itself has come to its end before Prow's timeout, and within Prow's grace period."""
    limits = read_limits(job(timeout=f"{timeout}ms", grace_period=f"{grace}ms"))
    assert limits.seconds is not None
    rounding = 1 + 1e-9
    assert 0 < limits.grace <= grace / 1000 * rounding
    assert limits.seconds + limits.grace <= timeout / 1000 * rounding
    assert limits.seconds >= timeout / 2000
