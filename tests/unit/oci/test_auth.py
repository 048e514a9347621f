from __future__ import annotations

import base64

import pytest

from runner.errors import CredentialsRefused
from runner.oci.auth import Authorization
from runner.oci.credentials import Anonymous, Login

HOST = "registry.example:5000"
SECRET = "s3cr:et é"  # noqa: S105  # what must never show


class Fixed:
    """One login, for one host."""

    def login(self, host: str) -> Login | None:
        """The login, for that host only."""
        return Login("me", SECRET) if host == HOST else None


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
