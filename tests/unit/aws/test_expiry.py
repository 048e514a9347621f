from __future__ import annotations

import email.utils
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.aws.expiry import LONGEST_MARGIN, UNSTATED, renew_at

NOW = 1_800_000_000.0
SECONDS = st.floats(0.5, 86400.0)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def dated(seconds: float) -> dict[str, Any]:
    """An answer that AWS gave at this moment of its clock."""
    return {"ResponseMetadata": {"HTTPHeaders": {"date": email.utils.formatdate(seconds, usegmt=True)}}}


@given(SECONDS)
def test_renewed_before_the_end(life: float) -> None:
    """Credentials are renewed before they expire, at most five minutes before, and after most of their life."""
    renewed = renew_at(at(NOW + life), {}, NOW)
    assert NOW + life - LONGEST_MARGIN - 1 <= renewed < NOW + life
    assert renewed >= NOW + 0.89 * life


@given(SECONDS, st.floats(-7200.0, 7200.0))
def test_clock_that_is_wrong(life: float, skew: float) -> None:
    """By how much this machine's clock is wrong does not matter: what counts is how long they last by AWS's clock."""
    aws = NOW + skew
    renewed = renew_at(at(aws + life), dated(aws), NOW)
    assert renewed - NOW == pytest.approx(renew_at(at(NOW + life), {}, NOW) - NOW, abs=32.0)
    assert renewed <= NOW + life + 32.0


@given(st.floats(0.0, 86400.0))
def test_expired_already(ago: float) -> None:
    """What has expired already is renewed when it is needed next."""
    assert renew_at(at(NOW - ago), {}, NOW) == NOW


def test_not_stated() -> None:
    """Where AWS does not say when they expire, they are used for an hour."""
    assert renew_at(None, {}, NOW) == NOW + UNSTATED


@pytest.mark.parametrize(
    "answer",
    [
        {"ResponseMetadata": None},
        {"ResponseMetadata": {"HTTPHeaders": {}}},
        {"ResponseMetadata": {"HTTPHeaders": {"date": "yesterday"}}},
        {"ResponseMetadata": {"HTTPHeaders": {"date": 7}}},
    ],
)
def test_answer_without_a_date(answer: dict[str, Any]) -> None:
    """Of an answer without a date this machine's clock is taken to be right."""
    assert renew_at(at(NOW + 1000.0), answer, NOW) == NOW + 900.0
