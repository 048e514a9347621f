from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from runner.aws.calls import Caller
from runner.aws.client import Endpoint
from runner.aws.problem import Operation
from runner.aws.services import RegistryService, Token
from runner.aws.token import TokenLogins
from runner.errors import AwsFailed
from runner.oci.credentials import Login
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from runner.aws.identity import Identity

HOST = "public.ecr.aws"
NOW = 1_800_000_000.0


class Tokens:
    """A service that gives one token after the other; ``life`` is how long each lasts, in seconds."""

    endpoint = Endpoint("ecr-public", "us-east-1")

    def __init__(self, life: float = 43200.0) -> None:
        self.now = NOW
        self.life = life
        self.given = 0
        self.encoded: str | None = None

    def token_operation(self, identity: str) -> Operation:
        """What it is."""
        return Operation("ecr-public:GetAuthorizationToken", identity)

    def read_token(self, _: Any) -> tuple[Token, dict[str, object]]:
        """Give the next one."""
        self.given += 1
        encoded = base64.b64encode(f"AWS:mark-{self.given}".encode()).decode()
        return Token(self.encoded or encoded, datetime.fromtimestamp(self.now + self.life, UTC)), {}


class Own:
    """An identity that needs no role."""

    name = "the job's own identity"

    def client(self, endpoint: Endpoint) -> Endpoint:
        """Something to ask with."""
        return endpoint


def logins_of(tokens: Tokens) -> TokenLogins:
    service, identity = cast("RegistryService", tokens), cast("Identity", Own())
    return TokenLogins(HOST, service, identity, Caller(MemoryLifetime()), clock=lambda: tokens.now)


def test_login() -> None:
    """A login is the token's user name and password, until shortly before it expires, and shows neither."""
    login = logins_of(Tokens()).login(HOST)
    assert login == Login("AWS", "mark-1", NOW + 43200.0 - 300.0)
    assert "mark" not in repr(login)


@pytest.mark.parametrize("host", ["public.ecr.aws.example", "gallery.ecr.aws", "public.ecr.aws:443", ""])
def test_other_hosts(host: str) -> None:
    """No other host is given it, and AWS is not asked for their sake."""
    tokens = Tokens()
    assert logins_of(tokens).login(host, "ack/s3-chart") is None
    assert tokens.given == 0


def test_one_for_all_repositories() -> None:
    """All repositories, and what asks for none, share one token."""
    tokens = Tokens()
    logins = logins_of(tokens)
    logins.check()
    assert {logins.login(HOST, name) for name in ("", "ack/a", "ack/b")} == {Login("AWS", "mark-1", NOW + 42900.0)}
    assert tokens.given == 1


def test_renewed_before_it_expires() -> None:
    """A token that is about to expire is replaced, however short it lives."""
    tokens = Tokens(life=3.0)
    logins = logins_of(tokens)
    first = logins.login(HOST, "ack/a")
    tokens.now += 2.8
    second = logins.login(HOST, "ack/b")
    assert first is not None
    assert first.expires == pytest.approx(NOW + 2.7)
    assert second is not None
    assert second.password == "mark-2"  # noqa: S105 - nobody's


def test_asked_again() -> None:
    """Who asks again for the same repository was refused, and gets another token; the others keep to that one."""
    tokens = Tokens()
    logins = logins_of(tokens)
    first, other, login = (logins.login(HOST, name) for name in ("ack/a", "ack/b", "ack/a"))
    assert first is other
    assert login is not None
    assert login.password == "mark-2"  # noqa: S105 - nobody's
    assert logins.login(HOST, "ack/b") is login
    assert tokens.given == 2


def test_side_by_side() -> None:
    """Threads that need a login at the same time have one token made for all."""
    tokens = Tokens()
    logins = logins_of(tokens)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda number: logins.login(HOST, f"ack/{number}"), range(40)))
    assert len(found) == 1
    assert tokens.given == 1


@pytest.mark.parametrize("encoded", ["no base64", "QVdT", "OnA=", "QVdTOg==", "/w=="])
def test_token_that_cannot_be_read(encoded: str) -> None:
    """A token that does not hold a user name and a password is AWS's failure, and is not shown."""
    tokens = Tokens()
    tokens.encoded = encoded
    with pytest.raises(AwsFailed, match="holds no token that can be read") as raised:
        logins_of(tokens).login(HOST)
    assert encoded not in raised.value.cause
