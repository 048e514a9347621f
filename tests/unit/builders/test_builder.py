from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.base import Base
from runner.builders.builder import BuildRequest


def request_at(created: datetime) -> BuildRequest:
    """A request for a commit of this time."""
    return BuildRequest(
        service="s3",
        source=Path("source"),
        main="cmd/controller",
        version="v1.2.3",
        revision="c" * 40,
        created=created,
        source_url="https://github.com/owner/s3-controller",
        platforms=(),
        base=Base("scratch", None, None, {}),
        folder=Path("folder"),
    )


@pytest.mark.parametrize(
    ("hours", "date"),
    [
        (0, "2026-01-02T03:04:05Z"),
        (2, "2026-01-02T01:04:05Z"),
        (-10, "2026-01-02T13:04:05Z"),
        (5, "2026-01-01T22:04:05Z"),
    ],
)
def test_date_is_in_utc(hours: int, date: str) -> None:
    """A commit's time is written in UTC, to the second, wherever it was made."""
    created = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=timezone(timedelta(hours=hours)))
    assert request_at(created).date == date


@given(
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - naive, as wanted
    st.integers(-14 * 60, 14 * 60),
)
def test_any_date_is_read_back(naive: datetime, minutes: int) -> None:
    """Whatever the time and its zone, the date names that second, and does so in one way only."""
    created = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    date = request_at(created).date
    assert datetime.fromisoformat(date) == created.replace(microsecond=0)
    assert request_at(created.astimezone(UTC)).date == date
