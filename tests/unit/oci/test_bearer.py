from __future__ import annotations

import base64
import json
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, ReleaseError
from runner.oci.auth import Authorization, Header, LoginRefused
from runner.oci.bearer import Bearer, read_realm
from runner.oci.challenge import Challenge
from runner.oci.connections import origin
from runner.oci.credentials import Anonymous, Login
from runner.oci.messages import Answer, Request, TransientFailure
from runner.oci.name import Repository
from runner.oci.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.oci.credentials import Credentials

HOST = "registry.example"
REALM = "https://tokens.example/token"
SECRET = "s3cr:et é"  # noqa: S105  # what must never show
IDENTITY = "identity-of-s3cret"
LOGIN = Login("me", SECRET)
TEAM = Repository(HOST, "team/image")
PULL, PUSH = Scope.pull(TEAM), Scope.push(TEAM)
NOW = 1_800_000_000.0
CHALLENGE = Challenge("bearer", {"realm": REALM, "service": "registry"})
RESOURCES = st.sampled_from(["repository:a:pull", "repository:a:push", "repository:b:pull,push", "aws", "*"])


def challenge(realm: str = REALM, **parameters: str) -> Challenge:
    return Challenge("bearer", {"realm": realm, **parameters})


def answered(status: int = 200, document: object = None, **headers: str) -> Callable[[Request], Answer]:
    """What a token service answers to any request: a token, unless something else is said."""
    body = {"token": "t"} if document is None else document
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request: Answer(request, status, HTTPHeaderDict(headers), content)


def redirect(location: str | None, status: int = 307) -> Callable[[Request], Answer]:
    return answered(status, b"", **({} if location is None else {"Location": location}))


class Service:
    """A token service: its answers in their order, the last one for ever, and the requests that it had."""

    def __init__(self, *answers: Callable[[Request], Answer]) -> None:
        self.answers = list(answers or (answered(),))
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        """The next answer."""
        self.requests.append(request)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)

    @property
    def queries(self) -> list[list[tuple[str, str]]]:
        """What was asked in the address of each request."""
        return [parse_qsl(urlsplit(request.url).query) for request in self.requests]


def header(service: Service, login: Login | None = LOGIN, scope: Scope = PULL, asked: Challenge = CHALLENGE) -> Header:
    return Bearer(service, clock=lambda: NOW).header(scope, asked, login)


def form(request: Request) -> dict[str, list[str]]:
    """What stands in the body of a request."""
    assert request.body is not None
    content = b"".join(request.body.chunks())
    assert len(content) == request.body.size
    return parse_qs(content.decode(), keep_blank_values=True)


def test_a_token_for_a_login() -> None:
    """The login goes to the token service as Basic credentials, with the service and each resource asked for."""
    service = Service(answered(200, {"token": "abc", "expires_in": 100}))
    mount = Scope.push(TEAM, source=Repository(HOST, "other"))
    assert header(service, scope=mount) == Header("Bearer abc", NOW + 75)
    (request,) = service.requests
    assert (request.method, request.body) == ("GET", None)
    assert request.url.partition("?")[0] == REALM
    assert service.queries == [
        [("service", "registry"), ("scope", "repository:team/image:pull,push"), ("scope", "repository:other:pull")]
    ]
    assert request.headers == {"Authorization": LOGIN.basic}


def test_a_token_for_everybody() -> None:
    """Without a login the token service is asked all the same, and is sent no credentials."""
    service = Service()
    assert header(service, None).value == "Bearer t"
    assert service.requests[0].headers == {}


def test_an_identity_token() -> None:
    """An identity token is exchanged by POST, in the body and not in the address (OAuth 2.0, RFC 6749, 6)."""
    service = Service(answered(200, {"access_token": "abc"}))
    login = Login("00000000", "", identity_token=IDENTITY)
    assert header(service, login, PUSH).value == "Bearer abc"
    (request,) = service.requests
    assert (request.method, request.url) == ("POST", REALM)
    assert "Authorization" not in request.headers
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form(request) == {
        "grant_type": ["refresh_token"],
        "service": ["registry"],
        "client_id": ["ack-release"],
        "scope": ["repository:team/image:pull,push"],
        "refresh_token": [IDENTITY],
    }


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_without_post(status: int) -> None:
    """Where a token service knows no POST, a password is used if there is one; without one the error says so."""
    service = Service(answered(status, b""), answered())
    login = Login("me", SECRET, identity_token=IDENTITY)
    assert header(service, login).value == "Bearer t"
    assert [request.method for request in service.requests] == ["POST", "GET"]
    assert service.requests[1].headers == {"Authorization": login.basic}
    with pytest.raises(CredentialsRefused, match="accepts no identity token"):
        header(Service(answered(status, b"")), Login("", "", identity_token=IDENTITY))


def test_a_configured_token() -> None:
    """A registry token is the bearer token itself: nobody is asked, not even where there is no token service."""
    service = Service()
    login = Login("", "", registry_token="abc")  # noqa: S106 - no secret
    assert header(service, login, asked=Challenge("bearer")) == Header("Bearer abc")
    assert service.requests == []


@pytest.mark.parametrize(
    ("realm", "expected"),
    [
        ("https://tokens.example/token", "https://tokens.example/token?service=registry&scope="),
        ("https://tokens.example/token?a=b", "https://tokens.example/token?a=b&service=registry&scope="),
        ("https://tokens.example/token#x", "https://tokens.example/token?service=registry&scope="),
        ("https://tokens.example", "https://tokens.example?service=registry&scope="),
    ],
)
def test_the_address(realm: str, expected: str) -> None:
    """What is asked is added to what the realm holds already."""
    service = Service()
    header(service, asked=challenge(realm, service="registry"))
    assert service.requests[0].url == f"{expected}repository%3Ateam%2Fimage%3Apull"


def test_odd_services_and_scopes() -> None:
    """What a registry names as service and scope reaches its token service as it is, and nothing beside it."""
    odd = "a&scope=x\r\nHost: y"
    service = Service()
    header(service, scope=Scope(HOST, ("b&c=d",)), asked=challenge(service=odd))
    assert service.queries == [[("service", odd), ("scope", "b&c=d")]]
    assert all(character.isprintable() and character != " " for character in service.requests[0].url)


@pytest.mark.parametrize(
    ("asked", "needed", "expected"),
    [
        ([], PULL, "repository:team/image:pull"),
        (["aws"], PULL, "repository:team/image:pull aws"),
        (["repository:other:pull"], PULL, "repository:team/image:pull"),
        (["repository:team/image:pull,push", ""], PULL, "repository:team/image:pull,push"),
        (["repository:mirror/image:pull", "*"], PULL, "repository:mirror/image:pull repository:team/image:pull *"),
        (["aws", "aws"], PUSH, "aws repository:team/image:pull,push"),
        (
            ["repository(plugin):x:pull", "registry:catalog:*"],
            Scope(HOST),
            "repository(plugin):x:pull registry:catalog:*",
        ),
    ],
)
def test_what_a_token_is_for(asked: list[str], needed: Scope, expected: str) -> None:
    """What the host asked for is joined with what is needed: all of it in its own scope, the general part in others."""
    key = Bearer(Service()).key(needed, [challenge(scope=scope) for scope in asked])
    assert str(key) == expected
    assert (key.host, key.repository) == (needed.host, needed.repository)


@given(st.lists(st.lists(RESOURCES, max_size=3).map(" ".join), max_size=2), st.sampled_from([PULL, PUSH, Scope(HOST)]))
def test_any_key(asked: list[str], needed: Scope) -> None:
    """A token is for all that is needed; the scope that it is for needs no other, and no order makes another of it."""
    bearer = Bearer(Service())
    challenges = [challenge(scope=scope) for scope in asked]
    key = bearer.key(needed, challenges)
    assert {one.rpartition(":")[0] for one in needed.resources} <= {one.rpartition(":")[0] for one in key.resources}
    assert set(bearer.key(key, challenges).resources) == set(key.resources)


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        (HOST, REALM),
        (HOST, "https://registry.example/token/"),
        (HOST, "https://10.0.0.1:8443/token?x=y"),
        (HOST, "HTTPS://Tokens.Example/token"),
        ("127.0.0.1:5000", "http://127.0.0.1:5001/token"),
        ("localhost:5000", "http://[::1]:5001/token"),
        ("127.0.0.1:5000", REALM),
    ],
)
def test_realms(host: str, realm: str) -> None:
    """A token service is spoken to over TLS on any host, and without it from this machine to this machine."""
    assert origin(read_realm(realm, host)) == origin(realm)


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        (HOST, ""),
        (HOST, "token"),
        (HOST, "/token"),
        (HOST, "//tokens.example/token"),
        (HOST, "https:///token"),
        (HOST, "https://"),
        (HOST, "http://tokens.example/token"),
        (HOST, "http://registry.example/token"),
        (HOST, "http://127.0.0.1:5001/token"),
        (HOST, "http://169.254.169.254/latest/meta-data"),
        ("127.0.0.1:5000", "http://tokens.example/token"),
        ("127.0.0.1:5000", "http://127.0.0.1.tokens.example/token"),
        (HOST, "file:///etc/passwd"),
        (HOST, "ftp://tokens.example/token"),
        (HOST, "https://me:pw@tokens.example/token"),
        (HOST, "https://tokens.example:port/token"),
        (HOST, "https://tokens.example:99999/token"),
        (HOST, "https://tokens.example\\@evil.example/token"),
        (HOST, "https://tokens.example/to ken"),
        (HOST, "https://tokens.example/\r\nX: y"),
        (HOST, "https://tokens.exa\nmple/token"),
        (HOST, "https://tokéns.example/token"),
        (HOST, "https://tokens.example/\x1b[31m"),
        (HOST, "https://[::1/token"),
    ],
)
def test_hostile_realms(host: str, realm: str) -> None:
    """Nothing is sent to a realm that is no plain address, or would be spoken to without TLS; the error is one line."""
    service = Service()
    with pytest.raises(CredentialsRefused, match=r"as its token service, which .*: nothing is sent there") as raised:
        header(service, scope=Scope(host), asked=challenge(realm))
    assert service.requests == []
    assert raised.value.cause.isprintable()
    assert host in raised.value.cause


@given(st.text(max_size=60) | st.text(max_size=30).map("https://{}".format))
def test_any_realm(realm: str) -> None:
    """Any text is refused, or is an address over TLS without user information that stands on one line."""
    try:
        said = url = read_realm(realm, HOST)
    except CredentialsRefused as refused:
        said, url = refused.cause, REALM
    assert said.isprintable()
    assert origin(url)[0] == "https"
    assert url.isascii()
    assert "@" not in urlsplit(url).netloc


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (401, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, r"HTTP 401 \(UNAUTHORIZED: no\)"),
        (401, {"details": "incorrect username or password"}, r"HTTP 401 \(incorrect username or password\)"),
        (403, b"", "HTTP 403"),
        (403, {"errors": [{"code": "DENIED", "message": "token has expired"}]}, "HTTP 403"),
        (400, {"errors": [{"code": "DENIED", "message": "invalid token"}]}, "HTTP 400"),
        (400, {"error": "invalid_grant", "error_description": "revoked"}, r"HTTP 400 \(revoked\)"),
    ],
)
def test_a_refused_login(status: int, document: object, said: str) -> None:
    """A login that the token service refuses is told as that, with its own words; without one, that one is wanted."""
    with pytest.raises(LoginRefused) as refused:
        header(Service(answered(status, document)))
    assert isinstance(refused.value.error, CredentialsRefused)
    cause = refused.value.error.cause
    assert cause.startswith(f"{HOST} refused the configured credentials: GET tokens.example/token: HTTP {status}")
    with pytest.raises(CredentialsRefused, match=f"none are configured for it: GET tokens.example/token: {said}"):
        header(Service(answered(status, document)), None)


@pytest.mark.parametrize(
    ("status", "document"),
    [(400, {"error": "invalid_scope"}), (400, b""), (404, b""), (405, b""), (418, b"x"), (304, b""), (100, b"")],
)
def test_other_errors(status: int, document: object) -> None:
    """Any other answer is the token service's failure, not the login's."""
    with pytest.raises(RegistryFailed, match=f"GET tokens.example/token: HTTP {status}"):
        header(Service(answered(status, document)))


def test_errors_that_repeat_the_login() -> None:
    """What an answer repeats of the login is not in the error, in none of the forms in which it is sent."""
    login = Login("me", SECRET, identity_token=IDENTITY)
    words = f"{SECRET} {IDENTITY} {login.basic}"
    for document in ({"errors": [{"code": "X", "message": words}]}, {"error_description": words}):
        for ascii_only in (True, False):
            body = json.dumps(document, ensure_ascii=ascii_only).encode()
            with pytest.raises(LoginRefused) as raised:
                header(Service(answered(401, body)), login)
            shown = f"{raised.value.error.cause} {raised.value!r} {raised.value.error!r}"
            for secret in (SECRET, IDENTITY, login.basic.partition(" ")[2]):
                assert secret not in shown


def test_errors_in_odd_words() -> None:
    """An error's words stand on one line, cut, without characters that a terminal acts on."""
    with pytest.raises(RegistryFailed) as raised:
        header(Service(answered(418, {"error": "a\n\x1b[31mERROR: b" + "c" * 1000})))
    assert raised.value.cause.isprintable()
    assert len(raised.value.cause) < 400


@pytest.mark.parametrize(
    "document", [b"<html>", {"token": "a\r\nb"}, {"token": ["a"]}, {}, [], {"token": "x" * 100_000}], ids=str
)
def test_answers_without_a_token(document: object) -> None:
    """A success without a token that can be used may be another on the next attempt, and is a wrong answer then."""
    with pytest.raises(TransientFailure) as raised:
        header(Service(answered(200, document)))
    assert raised.value.error is RegistryAnswerWrong
    assert "tokens.example/token" in str(raised.value)


def test_the_services_clock() -> None:
    """A token's end is counted by the clock of the service that tells it, whatever this machine's clock says."""
    there = NOW + 600
    content = base64.b64encode(json.dumps({"expiration": there + 400}).encode()).decode()
    service = Service(answered(200, {"token": content}, Date=formatdate(there, usegmt=True)))
    assert header(service).expires == NOW + 300
    issued = {"token": "t", "expires_in": 400, "issued_at": "2027-01-15T08:10:00Z"}
    assert header(Service(answered(200, issued, Date=formatdate(there, usegmt=True)))).expires == NOW + 300
    assert header(Service(answered(200, issued, Date="today"))).expires == NOW + 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_within_the_service(status: int) -> None:
    """A redirect within the token service is followed with the login."""
    service = Service(redirect("/new?service=registry", status), answered())
    assert header(service).value == "Bearer t"
    assert [request.url for request in service.requests][1] == "https://tokens.example/new?service=registry"
    assert service.requests[1].headers == {"Authorization": LOGIN.basic}


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/", "https://tokens.example:444/", "https://registry.example/token", "//evil.example/token"],
)
@pytest.mark.parametrize("login", [LOGIN, Login("", "", identity_token=IDENTITY)], ids=["password", "identity"])
def test_redirects_to_another_host(location: str, login: Login) -> None:
    """No login goes to a host that a redirect names, not even to the registry; without a login it is followed."""
    service = Service(redirect(location), answered())
    with pytest.raises(CredentialsRefused, match=r"redirects to .* credentials are not sent to another host"):
        header(service, login)
    assert len(service.requests) == 1
    anonymous = Service(redirect(location), answered())
    assert header(anonymous, None).value == "Bearer t"
    assert anonymous.requests[1].headers == {}


@pytest.mark.parametrize("location", ["http://tokens.example/token", "http://127.0.0.1/", "https://me@tokens.example/"])
@pytest.mark.parametrize("login", [LOGIN, None], ids=["login", "none"])
def test_redirects_without_tls(location: str, login: Login | None) -> None:
    """No redirect leaves TLS, with a login or without."""
    service = Service(redirect(location), answered())
    with pytest.raises(CredentialsRefused):
        header(service, login)
    assert len(service.requests) == 1


def test_redirects_of_a_body() -> None:
    """A POST is sent again where the redirect keeps its method, and is an error where it would become a GET."""
    login = Login("", "", identity_token=IDENTITY)
    service = Service(redirect("/new", 308), answered())
    header(service, login)
    assert form(service.requests[1])["refresh_token"] == [IDENTITY]
    for status in (301, 302, 303):
        with pytest.raises(RegistryFailed, match=f"HTTP {status} without an address that could be followed"):
            header(Service(redirect("/new", status)), login)


def test_redirects_without_end() -> None:
    """Redirects are followed a few times, and need an address."""
    service = Service(redirect("/token"))
    with pytest.raises(RegistryFailed, match="more than 5 redirects"):
        header(service)
    assert len(service.requests) == 6
    with pytest.raises(RegistryFailed, match="without an address"):
        header(Service(redirect(None)))


class Registry:
    """A registry and its token service, each request of which is counted; tokens are good for so many seconds."""

    def __init__(self, credentials: Credentials, seconds: float = 400) -> None:
        self.now = NOW
        self.seconds = seconds
        self.asked: list[str] = []
        self.authorization = Authorization(
            credentials, (Bearer(self.issue, clock=lambda: self.now),), clock=lambda: self.now
        )

    def issue(self, request: Request) -> Answer:
        """A token that says for what it is."""
        scopes = [value for key, value in parse_qsl(urlsplit(request.url).query) if key == "scope"]
        self.asked.append(" ".join(scopes))
        document: dict[str, Any] = {"token": f"{len(self.asked)}", "expires_in": self.seconds}
        return answered(200, document)(request)

    def refuse(self, request: Request, scope: Scope, asked: str) -> bool:
        """Answer 401 to a request."""
        words = f'Bearer realm="{REALM}",service="registry",scope="{asked}"'
        return self.authorization.rejected(
            Answer(request, 401, HTTPHeaderDict({"WWW-Authenticate": words}), b""), scope
        )

    def sent(self, scope: Scope) -> str:
        """The header of the next request."""
        return self.authorization.authorize(GET, scope).headers["Authorization"]


GET = Request("GET", f"https://{HOST}/v2/team/image/manifests/v1")


def test_a_token_for_each_scope() -> None:
    """A token is fetched before the first request of a scope is sent, and used until shortly before its end."""
    registry = Registry(Anonymous())
    assert registry.refuse(GET, PULL, "repository:team/image:pull")
    assert [registry.sent(PULL), registry.sent(PUSH), registry.sent(PULL)] == ["Bearer 1", "Bearer 2", "Bearer 1"]
    assert registry.asked == ["repository:team/image:pull", "repository:team/image:pull,push"]
    registry.now += 299
    assert registry.sent(PUSH) == "Bearer 2"
    registry.now += 1
    assert registry.sent(PUSH) == "Bearer 3"


def test_a_token_that_is_refused() -> None:
    """A token that is refused is fetched again, for what the registry asked as well; other scopes keep theirs."""
    registry = Registry(Anonymous())
    registry.refuse(GET, PULL, "aws")
    registry.sent(PUSH)
    assert registry.refuse(registry.authorization.authorize(GET, PULL), PULL, "aws repository:mirror:pull")
    assert [registry.sent(PULL), registry.sent(PUSH)] == ["Bearer 3", "Bearer 2"]
    assert registry.asked == [
        "aws repository:team/image:pull",
        "repository:team/image:pull,push aws",
        "aws repository:mirror:pull repository:team/image:pull",
    ]


def test_nothing_secret_shows() -> None:
    """Neither the requests to a token service nor its errors show the login, the token or the address's query."""
    service = Service(answered(200, {"token": f"token-of-{IDENTITY}"}))
    for login in (LOGIN, Login("", "", identity_token=IDENTITY)):
        made = header(service, login)
        shown = f"{made!r} {service.requests!r} {[str(request) for request in service.requests]}"
        for secret in (SECRET, IDENTITY, login.basic.partition(" ")[2], "scope"):
            assert secret not in shown


@given(st.integers(200, 599).filter(lambda status: status not in {301, 302, 303, 307, 308}), st.binary(max_size=30))
def test_any_answer(status: int, body: bytes) -> None:
    """Whatever a token service answers, there is a header without line breaks, or an error on one line."""
    try:
        said = header(Service(answered(status, body))).value
    except (ReleaseError, LoginRefused, TransientFailure) as error:
        said = str(error)
    assert said.isprintable()
