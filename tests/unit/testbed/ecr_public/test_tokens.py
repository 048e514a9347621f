from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.ecr_public.tokens import Expired, Grant, Invalid, Kind, Tokens

ARN = "arn:aws:iam::123456789012:user/prow"


class Clock:
    """A clock that is set."""

    now = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(clock)


def test_a_credential(tokens: Tokens) -> None:
    """A credential is base64 of the user AWS and a password of more than a kilobyte, and says when it expires."""
    text, expires = tokens.issue_credential(ARN, 60)
    user, _, password = base64.b64decode(text).decode().partition(":")
    assert (user, expires) == ("AWS", 1060)
    assert len(password) > 1024
    assert json.loads(base64.b64decode(password))["expiration"] == 1060


def test_a_token(tokens: Tokens) -> None:
    """A token is base64 of JSON that says when it expires; nobody's name stands in it."""
    text = tokens.issue_token(ARN, 3)
    assert json.loads(base64.b64decode(text))["expiration"] == 1003
    assert ARN not in base64.b64decode(text).decode()


def test_what_each_is_good_for(tokens: Tokens) -> None:
    """A credential is good as a password and as a bearer token; a token only as a bearer token."""
    credential, expires = tokens.issue_credential(ARN, 60)
    token = tokens.issue_token(None, 60)
    expected = Grant(Kind.CREDENTIAL, ARN, expires)
    assert tokens.basic(credential) == tokens.bearer(credential) == expected
    assert tokens.bearer(token) == Grant(Kind.TOKEN, None, 1060)
    with pytest.raises(Invalid):
        tokens.basic(base64.b64encode(f"AWS:{token}".encode()).decode())


def test_a_password_is_no_token(tokens: Tokens) -> None:
    """The password alone, without the user's name, is no bearer token."""
    password = base64.b64decode(tokens.issue_credential(ARN, 60)[0]).decode().partition(":")[2]
    with pytest.raises(Invalid):
        tokens.bearer(password)


@pytest.mark.parametrize(("now", "lives"), [(1059.9, True), (1060, False), (2000, False)])
def test_the_end(tokens: Tokens, clock: Clock, now: float, lives: bool) -> None:  # noqa: FBT001 - a parameter
    """Both live until the second at which they expire; then a token is invalid, and a credential expired."""
    credential, token = tokens.issue_credential(ARN, 60)[0], tokens.issue_token(ARN, 60)
    clock.now = now
    if lives:
        assert tokens.basic(credential).arn == tokens.bearer(token).arn == ARN
        return
    with pytest.raises(Invalid):
        tokens.bearer(token)
    for judge in (tokens.basic, tokens.bearer):
        with pytest.raises(Expired):
            judge(credential)


def test_revoking(tokens: Tokens) -> None:
    """Revoking makes all tokens invalid, and no credential."""
    credential, token = tokens.issue_credential(ARN, 60)[0], tokens.issue_token(ARN, 60)
    tokens.revoke_tokens()
    with pytest.raises(Invalid):
        tokens.bearer(token)
    assert tokens.basic(credential).arn == ARN


@given(st.text())
def test_anything_else(text: str) -> None:
    """Whatever was not issued is invalid, and never an error of another kind."""
    tokens = Tokens(lambda: 0.0)
    tokens.issue_credential(ARN, 60)
    for judge in (tokens.basic, tokens.bearer):
        with pytest.raises(Invalid):
            judge(text)
