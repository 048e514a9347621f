from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.token import DEFAULT_SECONDS, LONGEST_SECONDS, TOKEN_LIMIT, is_visible, read_token

NOW = 1_800_000_000.0
SECRET = "s3cret"  # noqa: S105  # what must never show
TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def answer(**document: Any) -> bytes:
    return json.dumps({"token": SECRET, **document}).encode()


def instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def of_ecr_public(expiration: object) -> str:
    """A token as ECR Public gives it."""
    content = {"payload": "x" * 7, "datakey": "y", "version": "2", "type": "DATA_KEY", "expiration": expiration}
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"token": "a"}, "a"),
        ({"access_token": "b"}, "b"),
        ({"token": "a", "access_token": "b"}, "a"),
        ({"token": "", "access_token": "b"}, "b"),
        ({"token": None, "access_token": "b"}, "b"),
        ({"access_token": "b", "refresh_token": "c", "token_type": "Bearer"}, "b"),
    ],
)
def test_where_a_token_stands(document: dict[str, Any], expected: str) -> None:
    """The token is the answer's token, else its access_token."""
    assert read_token(json.dumps(document).encode(), NOW).value == expected


@pytest.mark.parametrize(
    ("document", "seconds"),
    [
        ({}, 60 * 0.75),
        ({"expires_in": 3600}, 3300),
        ({"expires_in": "3600"}, 3300),
        ({"expires_in": 300}, 225),
        ({"expires_in": 3}, 2.25),
        ({"expires_in": 3600, "issued_at": instant(NOW)}, 3300),
        ({"expires_in": 3600, "issued_at": instant(NOW - 600)}, 2700),
        ({"expires_in": 3600, "issued_at": "2027-01-15T07:50:00.123456789Z"}, 2700.123456),
        ({"expires_in": 300, "issued_at": instant(NOW - 600)}, 225),
        ({"expires_in": 300, "issued_at": instant(NOW + 600)}, 225),
        ({"expires_in": 300, "issued_at": "yesterday"}, 225),
        ({"expires_in": 300, "issued_at": 7}, 225),
        ({"expires_in": 0}, 45),
        ({"expires_in": -5}, 45),
        ({"expires_in": True}, 45),
        ({"expires_in": math.inf}, 45),
        ({"expires_in": math.nan}, 45),
        ({"expires_in": 10**400}, 45),
        ({"expires_in": 10**9}, 24 * 3600 - 300),
        ({"expires_in": "soon"}, 45),
        ({"token": of_ecr_public(NOW + 3600)}, 3300),
        ({"token": of_ecr_public(int(NOW) + 3)}, 2.25),
        ({"token": of_ecr_public(NOW + 3600).rstrip("=")}, 3300),
        ({"token": of_ecr_public(NOW + 3600), "expires_in": 1200}, 900),
        ({"token": of_ecr_public(NOW + 1200), "expires_in": 3600}, 900),
        ({"token": of_ecr_public(NOW - 1)}, 45),
        ({"token": of_ecr_public("later")}, 45),
        ({"token": base64.b64encode(b"[1]").decode()}, 45),
    ],
)
def test_how_long_a_token_is_used(document: dict[str, Any], seconds: float) -> None:
    """Until five minutes before its end, or the last quarter of a short life; 60 s where nothing sensible is said."""
    assert read_token(answer(**document), NOW).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["token"]', "not an object"),
        (b"{}", "neither token nor access_token"),
        (b'{"token": ""}', "neither token nor access_token"),
        (b'{"token": ["s3cret"]}', "not a string"),
        (b'{"token": "s3cret\\r\\nHost: x"}', "characters that cannot stand in a header"),
        (b'{"token": "s3cret "}', "characters that cannot stand in a header"),
        (b'{"token": "s3cret\\u0000"}', "characters that cannot stand in a header"),
        ('{"token": "s3crét"}'.encode(), "characters that cannot stand in a header"),
        (json.dumps({"token": "s3cret" * 20_000}).encode(), f"longer than {TOKEN_LIMIT} characters"),
    ],
)
def test_answers_without_a_token(body: bytes, words: str) -> None:
    """What holds no token that can be sent is refused in words that repeat nothing of it."""
    with pytest.raises(ValueError, match=words) as raised:
        read_token(body, NOW)
    assert "s3cr" not in str(raised.value)


@given(TOKENS, st.integers(1, 10**6), st.integers(-(10**6), 10**6))
def test_any_life(token: str, told: int, since: int) -> None:
    """A token is used for at least three quarters of what is left of its life, and never beyond that."""
    body = answer(token=token, expires_in=told, issued_at=instant(NOW - since))
    read = read_token(body, NOW)
    left = told - since if 0 < since < told else told
    assert read.value == token
    assert read.seconds <= min(told, LONGEST_SECONDS)
    assert read.seconds >= min(left, LONGEST_SECONDS) * 0.75 - 1e-3


@given(JSON, JSON, JSON)
def test_any_answer(token: object, expires_in: object, issued_at: object) -> None:
    """Whatever is answered, there is a token that can stand in a header and a sensible life, or a ValueError."""
    try:
        read = read_token(answer(token=token, expires_in=expires_in, issued_at=issued_at), NOW)
    except ValueError:
        return
    assert is_visible(read.value)
    assert 0 < read.seconds <= LONGEST_SECONDS


@given(st.binary(max_size=40))
def test_any_bytes(body: bytes) -> None:
    """Bytes that are no answer of a token service are a ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"^the "):
        read_token(body, NOW)


def test_a_token_does_not_show() -> None:
    """The representation of a token holds nothing of it."""
    assert SECRET not in repr(read_token(answer(), NOW))
    assert read_token(answer(), NOW).seconds < DEFAULT_SECONDS
