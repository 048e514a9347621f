"""When credentials that expire are renewed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.oci.dates import read_http_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LONGEST_MARGIN: Final = 300.0
"""Seconds before their end at which long-lived credentials are renewed."""

MARGIN_SHARE: Final = 0.1
"""The part of a short life that is left when credentials are renewed."""

TOLERATED_SKEW: Final = 30.0
"""Seconds by which the clocks of AWS and this machine may differ without being reckoned with: an answer is dated to the
second, and takes its time."""

UNSTATED: Final = 3600.0
"""Seconds for which credentials are used of which AWS does not say when they expire."""


def renew_at(expires: datetime | None, answer: Mapping[str, object], now: float) -> float:
    """Return when to renew credentials, in seconds since the epoch by this machine's clock.

    AWS says by its own clock when they expire, and dates its answer by the same. Where this machine's clock is wrong,
    the difference between these two is what counts.

    Args:
        expires: when AWS says that they expire.
        answer: boto3's answer, for the HTTP header Date in its ResponseMetadata.
        now: the present time, in seconds since the epoch.
    """
    if expires is None:
        return now + UNSTATED
    skew = _answered_at(answer, now) - now
    life = expires.timestamp() - now - (skew if abs(skew) > TOLERATED_SKEW else 0.0)
    return now + max(0.0, life - min(LONGEST_MARGIN, life * MARGIN_SHARE))


def _answered_at(answer: Mapping[str, object], now: float) -> float:
    metadata = answer.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, dict) else None
    date = headers.get("date") if isinstance(headers, dict) else None
    answered = read_http_date(date) if isinstance(date, str) else None
    return now if answered is None else answered
