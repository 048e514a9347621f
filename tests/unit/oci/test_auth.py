from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from runner.errors import CredentialsRefused
from runner.oci.auth import Authorization, Basic, Header, LoginRefused
from runner.oci.challenge import Challenge
from runner.oci.connections import base_url
from runner.oci.credentials import Anonymous, Chain, Login
from runner.oci.messages import Answer, Body, Request
from runner.oci.name import Repository
from runner.oci.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.oci.auth import AuthenticationScheme

HOST = "registry.example:5000"
SECRET = "s3cr:et é"  # noqa: S105  # what must never show
BASIC = ['Basic realm="r"']
TOKEN = ['Token realm="https://tokens.example/"']
TEAM = Repository(HOST, "team/image")
PULL, PUSH = Scope.pull(TEAM), Scope.push(TEAM)
GET = Request("GET", f"https://{HOST}/v2/team/image/manifests/v1", {"Accept": "a"})


class Clock:
    """A clock that stands still until it is set."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        """The time it is set to."""
        return self.now


class Issuer:
    """Credentials for every host: the passwords are numbered, and good for so many seconds each."""

    def __init__(self, clock: Clock, seconds: float | None = None) -> None:
        self.clock = clock
        self.seconds = seconds
        self.asked: list[tuple[str, str]] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def login(self, host: str, repository: str = "") -> Login | None:
        """The next password."""
        self.asked.append((host, repository))
        self.meanwhile()
        expires = None if self.seconds is None else self.clock.now + self.seconds
        return Login("me", f"{SECRET} {len(self.asked)}", expires)


class Token:
    """A scheme with a header for each scope that is good for so many seconds."""

    name = "Token"

    def __init__(self, clock: Clock, seconds: float = 60) -> None:
        self.clock = clock
        self.seconds = seconds
        self.issued: list[tuple[str, Challenge]] = []

    def key(self, scope: Scope, challenges: Iterable[Challenge]) -> Scope:  # noqa: ARG002 - the scheme's
        """The whole scope."""
        return scope

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:
        """The next token, which says for what and for whom it is."""
        self.issued.append((str(scope), challenge))
        number, secret = len(self.issued), login.password if login else "nobody"
        return Header(f"Token {number} {scope} {secret}", self.clock.now + self.seconds)


def refusal(request: Request, challenges: Sequence[str], status: int = 401, body: bytes = b"") -> Answer:
    headers = HTTPHeaderDict()
    for challenge in challenges:
        headers.add("WWW-Authenticate", challenge)
    return Answer(request, status, headers, body)


def sent(authorization: Authorization, scope: Scope = PULL, request: Request = GET) -> str | None:
    """The header that the next request carries."""
    return authorization.authorize(request, scope).headers.get("Authorization")


def refuse(
    authorization: Authorization,
    scope: Scope = PULL,
    challenges: Sequence[str] = BASIC,
    status: int = 401,
    body: bytes = b"",
) -> bool:
    """Refuse the next request as it is sent, and say whether it is to be sent again."""
    return authorization.rejected(refusal(authorization.authorize(GET, scope), challenges, status, body), scope)


def password(header: str | None) -> str:
    assert header is not None
    return base64.b64decode(header.removeprefix("Basic ")).decode().removeprefix("me:")


def test_anonymous_until_asked() -> None:
    """A host gets no header until it has answered 401; from then on a repository's login, in each of its scopes."""
    issuer = Issuer(Clock())
    authorization = Authorization(issuer)
    assert authorization.authorize(GET, PULL) is GET
    assert not issuer.asked
    assert refuse(authorization)
    assert password(sent(authorization)) == f"{SECRET} 1"
    assert {sent(authorization, scope) for scope in (PULL, PUSH)} == {sent(authorization)}
    assert issuer.asked == [(HOST, TEAM.path)]


def test_a_login_for_each_repository() -> None:
    """Each repository of a host gets the login that is configured for it, and so do requests about none."""
    issuer = Issuer(Clock())
    authorization = Authorization(issuer)
    refuse(authorization)
    other = Repository(HOST, "other/image")
    scopes = (PULL, Scope.push(other), Scope(HOST), Scope.push(TEAM, source=other))
    assert [password(sent(authorization, scope))[-1] for scope in scopes] == ["1", "2", "3", "1"]
    assert issuer.asked == [(HOST, TEAM.path), (HOST, other.path), (HOST, "")]


def test_the_rest_of_a_request() -> None:
    """A request gets one more header and keeps all else; the one that was given stays without it."""
    authorization = Authorization(Issuer(Clock()))
    refuse(authorization)
    request = Request("PUT", f"{GET.url}?_state=x", {"Content-Type": "a/b"}, Body.of(b"{}"))
    authorized = authorization.authorize(request, PUSH)
    assert (authorized.method, authorized.url, authorized.body) == (request.method, request.url, request.body)
    assert authorized.headers == {"Content-Type": "a/b", "Authorization": sent(authorization)}
    assert request.headers == {"Content-Type": "a/b"}


@pytest.mark.parametrize(
    "url",
    [
        "https://store.example/blob",
        "https://registry.example/v2/",
        "https://registry.example:5001/v2/",
        "http://registry.example:5000/v2/",
        "https://x.registry.example:5000/v2/",
        "https://registry.example:5000@store.example/v2/",
        "https://store.example/?registry.example:5000",
        "https://127.0.0.1:5000/v2/",
    ],
)
def test_other_hosts(url: str) -> None:
    """A request that leads away from its registry carries no header, and what refuses it asks for no login."""
    issuer = Issuer(Clock())
    authorization = Authorization(issuer)
    refuse(authorization)
    elsewhere = Request("GET", url)
    assert authorization.authorize(elsewhere, PULL) is elsewhere
    assert not authorization.rejected(refusal(elsewhere, BASIC), PULL)
    assert issuer.asked == [(HOST, TEAM.path)]


@given(
    st.lists(st.sampled_from(["a.example", "b.example", "b.example:444", "127.0.0.1:5000", "localhost"]), min_size=2)
)
def test_no_login_of_another_host(hosts: list[str]) -> None:
    """In any order of hosts, each is sent its own login only, and none before it has refused a request."""
    issuer = Issuer(Clock())
    authorization = Authorization(issuer)
    first: dict[str, str | None] = {}
    for host in hosts:
        request, scope = Request("GET", f"{base_url(host)}/v2/"), Scope(host)
        assert sent(authorization, scope, request) == first.get(host)
        if host not in first:
            assert authorization.rejected(refusal(request, BASIC), scope)
            first[host] = sent(authorization, scope, request)
            assert password(first[host]) == f"{SECRET} {len(issuer.asked)}"
    assert issuer.asked == [(host, "") for host in first]
    assert len(set(first.values())) == len(first)


def test_a_refused_login() -> None:
    """A login that never expires is refused for good: it is not asked for again, and the request not sent again."""
    issuer = Issuer(Clock())
    authorization = Authorization(issuer)
    assert refuse(authorization)
    assert not refuse(authorization)
    assert not refuse(authorization, PUSH)
    assert issuer.asked == [(HOST, TEAM.path)]


@pytest.mark.parametrize("status", [400, 403, 404, 407, 500])
def test_other_statuses(status: int) -> None:
    """Only 401 asks for credentials, whatever headers and words another answer has."""
    clock = Clock()
    issuer = Issuer(clock, seconds=60)
    authorization = Authorization(issuer, clock=clock)
    assert not refuse(authorization, status=status)
    assert not issuer.asked
    assert refuse(authorization)
    assert not refuse(authorization, status=status)
    assert issuer.asked == [(HOST, TEAM.path)]


INVALID = b'{"errors": [{"code": "DENIED", "message": "Your Authorization Token is invalid."}]}'
EXPIRED = b'{"errors": [{"code": "DENIED", "message": "Your authorization token has expired."}]}'
QUOTA = b'{"errors": [{"code": "DENIED", "message": "too many tags"}]}'
INVALID_TAG = b'{"errors": [{"code": "TAG_INVALID", "message": "no"}]}'


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [(400, INVALID, True), (403, EXPIRED, True), (400, QUOTA, True), (400, INVALID_TAG, False), (403, QUOTA, False)],
    ids=["invalid", "expired", "perhaps", "another error", "forbidden"],
)
def test_refusals_in_other_words(*, status: int, body: bytes, again: bool) -> None:
    """What ECR Public answers to a login that has ended renews it as 401 does; other errors keep it."""
    clock = Clock()
    issuer = Issuer(clock, seconds=60)
    authorization = Authorization(issuer, clock=clock)
    assert not authorization.rejected(refusal(GET, BASIC, status, body), PULL)
    assert refuse(authorization)
    assert refuse(authorization, status=status, body=body, challenges=[]) is again
    assert password(sent(authorization)) == f"{SECRET} {2 if again else 1}"


def test_an_expired_login() -> None:
    """A login is used until it expires; then the credentials are asked for another, without a refusal."""
    clock = Clock()
    issuer = Issuer(clock, seconds=60)
    authorization = Authorization(issuer, clock=clock)
    refuse(authorization)
    clock.now += 59
    assert password(sent(authorization)) == f"{SECRET} 1"
    clock.now += 1
    assert password(sent(authorization)) == f"{SECRET} 2"
    assert issuer.asked == [(HOST, TEAM.path)] * 2


def test_an_expiring_login_that_is_refused() -> None:
    """A login that can expire is renewed when it is refused before its time, and then used in every scope."""
    clock = Clock()
    issuer = Issuer(clock, seconds=60)
    authorization = Authorization(issuer, clock=clock)
    refuse(authorization)
    assert [password(sent(authorization, scope)) for scope in (PULL, PUSH)] == [f"{SECRET} 1"] * 2
    assert refuse(authorization)
    assert [password(sent(authorization, scope)) for scope in (PULL, PUSH)] == [f"{SECRET} 2"] * 2


def test_a_refusal_that_comes_late() -> None:
    """Requests that are refused with a header that was renewed meanwhile are sent again, and renew nothing."""
    clock = Clock()
    issuer = Issuer(clock, seconds=60)
    authorization = Authorization(issuer, clock=clock)
    under_way = [authorization.authorize(GET, PULL)]
    refuse(authorization)
    under_way.append(authorization.authorize(GET, PULL))
    refuse(authorization)
    for request in under_way:
        assert authorization.rejected(refusal(request, BASIC), PULL)
    assert password(sent(authorization)) == f"{SECRET} 2"
    assert issuer.asked == [(HOST, TEAM.path)] * 2


def test_a_header_for_each_scope() -> None:
    """A scheme that keeps a header for each scope makes it before a request of a new scope is sent."""
    clock = Clock()
    token = Token(clock)
    authorization = Authorization(Anonymous(), [token], clock=clock)
    assert refuse(authorization, PULL, TOKEN)
    challenge = Challenge("token", {"realm": "https://tokens.example/"})
    for _ in range(2):
        assert sent(authorization, PULL) == "Token 1 repository:team/image:pull nobody"
        assert sent(authorization, PUSH) == "Token 2 repository:team/image:pull,push nobody"
    assert token.issued == [(str(PULL), challenge), (str(PUSH), challenge)]


def test_renewal_in_one_scope() -> None:
    """A header that is refused is renewed from the same login, if that does not expire; other scopes keep theirs."""
    clock = Clock()
    issuer, token = Issuer(clock), Token(clock)
    authorization = Authorization(issuer, [token], clock=clock)
    refuse(authorization, PULL, TOKEN)
    kept = sent(authorization, PUSH)
    assert refuse(authorization, PULL, [])
    assert sent(authorization, PULL) == f"Token 3 {PULL} {SECRET} 1"
    assert sent(authorization, PUSH) == kept
    assert issuer.asked == [(HOST, TEAM.path)]


class Picky(Token):
    """A scheme that accepts only the logins with these numbers."""

    def __init__(self, clock: Clock, accepted: set[int]) -> None:
        super().__init__(clock)
        self.accepted = accepted

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:
        """The next token, for a login that is accepted."""
        if login is None or int(login.password.rpartition(" ")[2]) not in self.accepted:
            raise LoginRefused(CredentialsRefused("refused the login"))
        return super().header(scope, challenge, login)


@pytest.mark.parametrize(
    ("seconds", "accepted", "asked"), [(60, {2}, 2), (60, {3}, 2), (None, {2}, 1)], ids=["next", "none", "for ever"]
)
def test_a_login_that_makes_no_header(seconds: float | None, accepted: set[int], asked: int) -> None:
    """A login that can expire and is refused by the scheme is renewed once; the refusal of the next one counts."""
    clock = Clock()
    issuer, scheme = Issuer(clock, seconds), Picky(clock, accepted)
    authorization = Authorization(issuer, [scheme], clock=clock)
    if asked in accepted:
        assert refuse(authorization, PULL, TOKEN)
        assert sent(authorization) == f"Token 1 {PULL} {SECRET} 2"
    else:
        with pytest.raises(CredentialsRefused, match="refused the login"):
            refuse(authorization, PULL, TOKEN)
        assert authorization.authorize(GET, PULL) is GET
    assert len(issuer.asked) == asked


class Asked(Token):
    """A scheme that keeps what it was asked with."""

    def key(self, scope: Scope, challenges: Iterable[Challenge]) -> Scope:
        """The scope, and each challenge's number."""
        return Scope(scope.host, (*scope.resources, *(one.parameters["n"] for one in challenges)))


def test_what_a_host_asks_for_again() -> None:
    """A header is made for what the host asked for first, and for what it asked for last in the same scope."""
    clock = Clock()
    scheme = Asked(clock)
    authorization = Authorization(Anonymous(), [scheme], clock=clock)
    assert refuse(authorization, PULL, ["Token n=1"])
    assert sent(authorization, PULL) == f"Token 1 {PULL} 1 1 nobody"
    assert sent(authorization, PUSH) == f"Token 2 {PUSH} 1 nobody"
    assert refuse(authorization, PUSH, ["Token n=2"])
    assert sent(authorization, PUSH) == f"Token 3 {PUSH} 2 1 nobody"
    assert sent(authorization, PULL) == f"Token 1 {PULL} 1 1 nobody"
    assert [challenge.parameters["n"] for _, challenge in scheme.issued] == ["1", "1", "2"]


@given(st.lists(st.tuples(st.sampled_from([PULL, PUSH]), st.floats(0, 100), st.booleans()), max_size=20))
def test_any_course_of_time(steps: list[tuple[Scope, float, bool]]) -> None:
    """No header is sent from when it expires or is refused on, and none is made while there is a good one."""
    clock = Clock()
    token = Token(clock)
    authorization = Authorization(Anonymous(), [token], clock=clock)
    refuse(authorization, PULL, TOKEN)
    good: dict[Scope, tuple[str | None, float]] = {PULL: (sent(authorization, PULL), clock.now + 60)}
    for scope, passed, refused in steps:
        clock.now += passed
        made = len(token.issued)
        header, expires = good.get(scope, (None, 0.0))
        if clock.now < expires:
            assert sent(authorization, scope) == header
            assert len(token.issued) == made
        else:
            good[scope] = sent(authorization, scope), clock.now + 60
            assert good[scope][0] != header
            assert len(token.issued) == made + 1
        if refused:
            assert refuse(authorization, scope, TOKEN)
            good[scope] = sent(authorization, scope), clock.now + 60


@pytest.mark.parametrize("scopes", [(PULL, PULL), (PULL, PUSH)], ids=["one scope", "two scopes"])
@pytest.mark.parametrize("scheme", ["Basic", "Token"])
def test_two_threads_and_one_refusal(scheme: str, scopes: tuple[Scope, Scope]) -> None:
    """Of two threads that meet the same 401, one asks the credentials, and the other waits for what they give."""
    clock = Clock()
    issuer = Issuer(clock)
    both = threading.Barrier(2)

    def meanwhile() -> None:
        try:
            both.wait(timeout=0.2)  # passes only if the other thread asks the credentials, too
        except threading.BrokenBarrierError:
            return

    issuer.meanwhile = meanwhile
    authorization = Authorization(issuer, [Token(clock), Basic()], clock=clock)
    challenges = TOKEN if scheme == "Token" else BASIC
    with ThreadPoolExecutor(2) as pool:
        again = pool.map(lambda scope: authorization.rejected(refusal(GET, challenges), scope), scopes)
        assert list(again) == [True, True]
    assert issuer.asked == [(HOST, TEAM.path)]
    assert sent(authorization)


def test_two_threads_and_two_hosts() -> None:
    """A host whose credentials take long holds up no other host."""
    issuer = Issuer(Clock())
    both = threading.Barrier(2)
    issuer.meanwhile = lambda: both.wait(timeout=20)  # an error unless both are asked for at the same time
    authorization = Authorization(issuer)

    def meet(host: str) -> bool:
        return authorization.rejected(refusal(Request("GET", f"https://{host}/v2/"), BASIC), Scope(host))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(meet, ["a.example", "b.example"])) == [True, True]


@pytest.mark.parametrize(
    ("challenges", "expected"),
    [
        ([*BASIC, *TOKEN], "Token"),
        ([f"{BASIC[0]}, {TOKEN[0]}"], "Token"),
        (["Negotiate", *BASIC], "Basic"),
        (["bAsIc"], "Basic"),
    ],
)
def test_the_choice_of_a_scheme(challenges: list[str], expected: str) -> None:
    """Of the schemes that a host offers, the first that is supported is used, however it is spelled."""
    clock = Clock()
    authorization = Authorization(Issuer(clock), [Token(clock), Basic()], clock=clock)
    refuse(authorization, PULL, challenges)
    header = sent(authorization)
    assert header is not None
    assert header.startswith(f"{expected} ")


@pytest.mark.parametrize(
    ("challenges", "cause"),
    [
        (BASIC, "asks for credentials, and none are configured for it"),
        (['Bearer realm="r"'], "asks for credentials of the kind bearer; only Basic is supported"),
        (
            ["Negotiate", 'Bearer realm="r"', "Negotiate"],
            "asks for credentials of the kind bearer or negotiate; only Basic is supported",
        ),
        ([], "asks for credentials of a kind that it does not name; only Basic is supported"),
    ],
)
def test_a_challenge_without_an_answer(challenges: list[str], cause: str) -> None:
    """Without a login, or asked for another scheme, the error says what the host wants; it stays anonymous."""
    authorization = Authorization(Anonymous())
    for _ in range(2):
        with pytest.raises(CredentialsRefused) as raised:
            refuse(authorization, PULL, challenges)
        assert raised.value.cause == f"{HOST} {cause}"
        assert authorization.authorize(GET, PULL) is GET


def test_a_token_where_a_password_is_wanted() -> None:
    """A login that is a token only cannot be sent as user name and password, and the error says so."""
    token = Login("", "", identity_token=SECRET)
    with pytest.raises(CredentialsRefused, match="asks for a user name and password, and only a token") as raised:
        Basic().header(PULL, Challenge("basic"), token)
    assert SECRET not in raised.value.cause
    both = Login("me", SECRET, identity_token="x")  # noqa: S106 - no secret
    assert Basic().header(PULL, Challenge("basic"), both) == Header(both.basic)


def test_whether_there_is_a_login() -> None:
    """Whether a login was found is known once it was asked for."""
    issuer = Issuer(Clock())
    authorization = Authorization(issuer)
    assert not authorization.has_login(PULL)
    refuse(authorization)
    assert authorization.has_login(PULL)
    assert not authorization.has_login(Scope(HOST))


def test_credentials_that_cannot_be_read() -> None:
    """Credentials that cannot be read are the error, whatever scheme the host asks for."""

    class Broken:
        def login(self, host: str, repository: str = "") -> Login | None:  # noqa: ARG002 - the protocol's
            raise CredentialsRefused(f"no reading of {host}")

    for challenges in (BASIC, ["Bearer"], []):
        with pytest.raises(CredentialsRefused, match="no reading"):
            refuse(Authorization(Broken()), PULL, challenges)


@pytest.mark.parametrize("schemes", [(Basic(),), (Token(Clock()), Basic())], ids=["basic", "token"])
def test_representations(schemes: tuple[AuthenticationScheme, ...]) -> None:
    """No value that holds a secret shows it."""
    clock = Clock()
    issuer = Issuer(clock)
    authorization = Authorization(issuer, schemes, clock=clock)
    refuse(authorization, PULL, BASIC + TOKEN)
    request = authorization.authorize(GET, PULL)
    header = request.headers["Authorization"]
    login = issuer.login(HOST, TEAM.path)
    assert login is not None
    values = (login, Header(header), request, refusal(request, BASIC), authorization, Chain((issuer,)), *schemes)
    shown = f"{values!r} {[str(value) for value in values]} {vars(authorization)}"
    for secret in (SECRET, header, header.partition(" ")[2], login.basic):
        assert secret not in shown
