"""What a token service answers: a bearer token, and for how long it may be used.

Formats: distribution/distribution ``docs/content/spec/auth/token.md`` and ``oauth.md``. ECR Public says nothing about a
token's life in the answer; its token is base64 of a JSON object whose ``expiration`` is seconds since the epoch.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from runner.foreign.documents import read_json

DEFAULT_SECONDS = 60.0
"""How long a token lasts whose answer does not say (token.md, ``expires_in``)."""
LONGEST_SECONDS = 24 * 3600.0
RENEWED_EARLY_SECONDS = 300.0
"""How long before its end a token is renewed, as ACK's own client does; of a short life, at most the share below."""
RENEWED_EARLY_SHARE = 0.25
TOKEN_LIMIT = 64 * 1024
VISIBLE = re.compile(r"[\x21-\x7e]+")
"""What may stand in a header without being read as anything else; wider than RFC 6750's grammar of tokens."""


@dataclass(frozen=True)
class Token:
    """A bearer token, which does not show in its representation, and for how many seconds from now it is used."""

    value: str = field(repr=False)
    seconds: float


def is_visible(token: str) -> bool:
    """Whether a token can stand in a header: visible ASCII only, of at most 64 KiB."""
    return len(token) <= TOKEN_LIMIT and VISIBLE.fullmatch(token) is not None


def read_token(body: bytes, now: float) -> Token:
    """Read the answer of a token service.

    Args:
        body: the answer.
        now: seconds since the epoch, by the token service's clock where it says so.

    Raises:
        ValueError: there is no token that can be used; the message says why, and holds nothing of the answer.
    """
    try:
        document = read_json(body)
    except ValueError:
        raise ValueError("the answer is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("the answer is not an object")
    value = document.get("token") or document.get("access_token")
    if not value:
        raise ValueError("the answer holds neither token nor access_token")
    if not isinstance(value, str):
        raise ValueError("the token is not a string")
    if len(value) > TOKEN_LIMIT:
        raise ValueError(f"the token is longer than {TOKEN_LIMIT} characters")
    if not is_visible(value):
        raise ValueError("the token holds characters that cannot stand in a header")
    life = _life(document, value, now)
    return Token(value, life - min(RENEWED_EARLY_SECONDS, life * RENEWED_EARLY_SHARE))


def _life(document: dict[str, Any], value: str, now: float) -> float:
    """For how long a token is good: the shortest that the answer and the token say; what makes no sense counts not."""
    told = [seconds for seconds in (_told(document, now), _expiration(value, now)) if seconds is not None]
    return min([*told, LONGEST_SECONDS]) if told else DEFAULT_SECONDS


def _told(document: dict[str, Any], now: float) -> float | None:
    seconds = _positive(document.get("expires_in"))
    if seconds is None:
        return None
    issued = _instant(document.get("issued_at"))
    since = 0.0 if issued is None else now - issued
    return seconds - since if 0 < since < seconds else seconds


def _expiration(value: str, now: float) -> float | None:
    try:
        document = read_json(base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True))
    except ValueError:
        return None
    expiration = _positive(document.get("expiration")) if isinstance(document, dict) else None
    return None if expiration is None or expiration <= now else expiration - now


def _positive(value: object) -> float | None:
    """A number, or digits, above zero and of a size that makes sense; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:  # noqa: PLR2004
        return None
    return float(value) if math.isfinite(value) else None


def _instant(value: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
