"""Dates in HTTP's headers."""

from __future__ import annotations

import email.utils


def read_http_date(value: str) -> float | None:
    """An HTTP date (RFC 9110, 5.6.7) as seconds since the epoch; None when it is none."""
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
