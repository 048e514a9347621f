from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.dates import read_http_date


@given(st.integers(0, 4_000_000_000))
def test_any_date(seconds: int) -> None:
    """A date is read as the second that it was written for."""
    assert read_http_date(email.utils.formatdate(seconds, usegmt=True)) == seconds


@pytest.mark.parametrize("value", ["", "soon", "Fri, 99 Foo 2027 00:00:00 GMT"])
def test_no_date(value: str) -> None:
    """What is no date is none."""
    assert read_http_date(value) is None


@given(st.text(max_size=40))
def test_any_text(value: str) -> None:
    """No header makes reading it fail."""
    assert isinstance(read_http_date(value), float | None)
