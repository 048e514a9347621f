from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import CredentialsRefused
from runner.oci.auth import Authorization, challenge_schemes
from runner.oci.credentials import Anonymous, Login

HOST = "registry.example:5000"
SECRET = "s3cr:et é"  # noqa: S105  # what must never show


class Fixed:
    """One login, for one host."""

    def login(self, host: str) -> Login | None:
        """The login, for that host only."""
        return Login("me", SECRET) if host == HOST else None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="tests"'], {"basic"}),
        (['Bearer realm="https://a/token",service="a",scope="repository:b:pull,push"'], {"bearer"}),
        (['Bearer realm="x, Basic y",service="a", Basic realm="z"'], {"bearer", "basic"}),
        (["BASIC realm=tests", "Negotiate"], {"basic", "negotiate"}),
        (["Basic"], {"basic"}),
        (['Digest realm="a\\", Basic b"'], {"digest"}),
        (["realm=Basic"], set()),
        ([""], set()),
        ([], set()),
    ],
)
def test_challenges_are_read(headers: list[str], expected: set[str]) -> None:
    """The schemes of all challenges are found, however many stand in one header and whatever is quoted."""
    assert challenge_schemes(headers) == expected


@given(st.lists(st.text(max_size=40), max_size=3))
def test_any_challenge_can_be_read(headers: list[str]) -> None:
    """No header makes reading the challenges fail."""
    assert all(scheme == scheme.lower() for scheme in challenge_schemes(headers))


def test_nothing_is_sent_before_a_host_asks() -> None:
    """A host gets no header until it has answered 401 with a Basic challenge, and the same one from then on."""
    authorization = Authorization(Fixed())
    assert authorization.header(HOST) is None
    header = authorization.answer(HOST, ['Basic realm="r"'])
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == f"me:{SECRET}"
    assert authorization.header(HOST) == header
    assert authorization.header("other.example") is None


@pytest.mark.parametrize(
    ("challenges", "words"),
    [
        (['Basic realm="r"'], "none are configured"),
        (['Bearer realm="r"'], "kind bearer"),
        ([], "nothing that its answer names"),
    ],
)
def test_a_challenge_that_cannot_be_answered_says_why(challenges: list[str], words: str) -> None:
    """Without a login, or asked for something else than Basic, the error names the host and what it asked for."""
    with pytest.raises(CredentialsRefused, match=words) as raised:
        Authorization(Anonymous()).answer(HOST, challenges)
    assert raised.value.cause.startswith(HOST)
