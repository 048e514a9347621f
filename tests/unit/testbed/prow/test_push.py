from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.prow.push import NOTHING, push_event, signature

SHA = "a" * 40


@pytest.mark.parametrize(
    ("ref", "compare"),
    [
        ("refs/tags/v1.2.3", "https://github.com/org/repo/compare/v1.2.3"),
        ("refs/heads/stable", "https://github.com/org/repo/compare/stable"),
        ("refs/heads/release/v1.2", "https://github.com/org/repo/compare/release/v1.2"),
    ],
)
def test_what_was_pushed(ref: str, compare: str) -> None:
    """The event names the full ref and the object, and a comparison by the short name."""
    event = push_event("org", "repo", ref, SHA)
    assert (event["ref"], event["after"], event["deleted"]) == (ref, SHA, False)
    assert event["compare"] == compare
    assert event["repository"]["full_name"] == "org/repo"


def test_a_ref_that_is_gone() -> None:
    """A ref that names nothing any more was deleted."""
    assert push_event("org", "repo", "refs/tags/v1.2.3", NOTHING)["deleted"]


def test_a_ref_that_moves() -> None:
    """A ref that was there before is not created, and the event says what it named."""
    event = push_event("org", "repo", "refs/heads/stable", SHA, before="b" * 40)
    assert (event["created"], event["before"], event["after"]) == (False, "b" * 40, SHA)
    assert push_event("org", "repo", "refs/heads/stable", SHA)["created"]


@given(body=st.binary(), secret=st.text())
def test_a_signature_is_that_of_the_body_by_the_secret(body: bytes, secret: str) -> None:
    """The signature is HMAC-SHA1 of exactly these bytes, and another secret's differs."""
    kind, _, digest = signature(body, secret).partition("=")
    assert kind == "sha1"
    assert digest == hmac.digest(secret.encode(), body, hashlib.sha1).hex()
    assert signature(body, secret) != signature(body, f"{secret}x")
