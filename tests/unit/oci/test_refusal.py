from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.refusal import RULES, Refusal, refusal_of

STATUSES = st.integers(400, 599)
CODES = st.sampled_from(["DENIED", "denied", "UNAUTHORIZED", "TAG_INVALID", "NAME_INVALID", "UNKNOWN", ""])
MESSAGES = st.sampled_from(
    ["Your Authorization Token is invalid.", "Your authorization token has expired.", "tag is not valid", "", "tokens"]
)
ERRORS = st.lists(st.tuples(CODES, MESSAGES), max_size=3)


def body(*errors: tuple[str, str]) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message} for code, message in errors]}).encode()


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (401, "UNAUTHORIZED", "authentication required", Refusal.CERTAIN),
        (401, "DENIED", "requested access to the resource is denied", Refusal.CERTAIN),
        (400, "DENIED", "Your Authorization Token is invalid.", Refusal.CERTAIN),
        (400, "DENIED", "exceeds the maximum allowed number of tags per image which is '1000'", Refusal.POSSIBLE),
        (400, "TAG_INVALID", "the authorization token of your tag", Refusal.NONE),
        (400, "NAME_INVALID", "invalid repository name", Refusal.NONE),
        (
            403,
            "DENIED",
            "Your authorization token has expired. Reauthenticate and try again.",
            Refusal.CERTAIN,
        ),
        (403, "DENIED", "requested access to the resource is denied", Refusal.NONE),
        (403, "DENIED", "the certificate is unexpired", Refusal.NONE),
        (404, "DENIED", "Your authorization token has expired.", Refusal.NONE),
        (429, "TOOMANYREQUESTS", "token bucket", Refusal.NONE),
    ],
)
def test_answers_of_real_registries(status: int, code: str, message: str, expected: Refusal) -> None:
    """Status, code and words together say whether credentials are refused."""
    assert refusal_of(status, body((code, message))) is expected


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (401, b"", Refusal.CERTAIN),
        (401, b"<html>", Refusal.CERTAIN),
        (403, b"the session has expired", Refusal.CERTAIN),
        (403, b"\xff", Refusal.NONE),
        (400, b"DENIED: Your Authorization Token is invalid.", Refusal.NONE),
        (400, b"", Refusal.NONE),
    ],
)
def test_answers_without_an_error_body(status: int, content: bytes, expected: Refusal) -> None:
    """Without an error body the text counts for words, and there is no code."""
    assert refusal_of(status, content) is expected


@given(STATUSES, ERRORS)
def test_any_answer(status: int, errors: list[tuple[str, str]]) -> None:
    """Nothing but 401, an expired login in 403 and DENIED in 400 is about credentials, whatever else is said."""
    refusal = refusal_of(status, body(*errors))
    codes = {code.upper() for code, _ in errors}
    words = " ".join(message for _, message in errors)
    if status == 401:
        assert refusal is Refusal.CERTAIN
    elif status == 403:
        assert (refusal is Refusal.CERTAIN) == ("expired" in words)
    elif status == 400:
        assert (refusal is Refusal.NONE) == ("DENIED" not in codes)
    else:
        assert refusal is Refusal.NONE


@given(STATUSES, ERRORS, ERRORS)
def test_the_order_of_errors(status: int, some: list[tuple[str, str]], others: list[tuple[str, str]]) -> None:
    """Of several errors the order is no matter, and a further one never makes a refusal less certain."""
    order = list(Refusal)
    both = refusal_of(status, body(*some, *others))
    assert both is refusal_of(status, body(*others, *some))
    if some:
        assert order.index(both) >= order.index(refusal_of(status, body(*some)))


def test_each_rule_is_needed() -> None:
    """Every rule decides an answer that no rule before it decides."""
    for number, rule in enumerate(RULES):
        code = rule.code or "UNKNOWN"
        message = "expired token" if rule.words else "anything"
        method = "HEAD" if rule.to_head else "GET"
        assert rule.fits(rule.status, code, message, method)
        assert not any(other.fits(rule.status, code, message, method) for other in RULES[:number])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Refusal.CERTAIN),
        (400, Refusal.POSSIBLE),
        (403, Refusal.POSSIBLE),
        (404, Refusal.NONE),
        (500, Refusal.NONE),
    ],
)
def test_answers_to_head(status: int, expected: Refusal) -> None:
    """An answer to HEAD says nothing of its reason, so that credentials may always be it."""
    assert refusal_of(status, b"", "HEAD") is expected
    assert refusal_of(status, b"", "GET") is (expected if status == 401 else Refusal.NONE)
