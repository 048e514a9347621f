"""The Bearer scheme (RFC 6750), as registries use it: short-lived tokens of a token service that the registry names.

Protocol: distribution/distribution ``docs/content/spec/auth/token.md`` (GET with Basic, or without any credentials) and
``oauth.md`` (POST with a refresh token, which Docker calls the identity token).
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed
from runner.foreign.documents import read_json
from runner.oci.auth import AUTHORIZATION, Header, LoginRefused, no_credentials
from runner.oci.connections import is_loopback, origin
from runner.oci.dates import read_http_date
from runner.oci.messages import Body, Request, TransientFailure
from runner.oci.name import HOST
from runner.oci.problem import describe_status, printable
from runner.oci.refusal import Refusal, refusal_of
from runner.oci.scope import is_of_a_repository, join_resources
from runner.oci.token import VISIBLE, read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.oci.challenge import Challenge
    from runner.oci.credentials import Login
    from runner.oci.messages import Answer
    from runner.oci.scope import Scope

CLIENT = "ack-release"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECTS_WITH_BODY = frozenset({307, 308})
REDIRECTS_FOLLOWED = 5
NO_POST = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
OAUTH_REFUSALS = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "access_denied"})
"""The error codes of RFC 6749, 5.2 and 4.1.2.1, that are about who asks."""
OTHER_WORDS = ("error_description", "error", "details", "detail", "message")
"""Where token services put their words that do not answer as registries do: OAuth 2.0's, Docker Hub's."""
REALM_SHOWN = 100


class Bearer:
    """A token for each scope, which a token service gives for the login, or to everybody where there is none.

    The service is the one that the registry's own answer names, over TLS unless both are on this machine. It may be on
    another host; the login is sent there, and nowhere else: no redirect to another host is followed with it.

    Args:
        send: sends one request, and returns the answer to its end; raises TransientFailure where another attempt may
            help.
        clock: the present time, in seconds since the epoch.
    """

    name = "Bearer"

    def __init__(self, send: Callable[[Request], Answer], *, clock: Callable[[], float] = time.time) -> None:
        self._send = send
        self._clock = clock

    def key(self, scope: Scope, challenges: Iterable[Challenge]) -> Scope:
        """The scope, joined with what the host asks for.

        That is all of what it asked for in answer to a request of this scope, and what it asked for in answer to
        another, unless that is about a repository. What was asked for last is first: some services read no further.
        """
        asked = [(challenge.parameters.get("scope", "").split(), number) for number, challenge in enumerate(challenges)]
        last = asked[0][0] if len(asked) > 1 else []
        general = [one for resources, _ in asked for one in resources if not is_of_a_repository(one)]
        return replace(scope, resources=join_resources((*last, *scope.resources, *general)))

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:
        """The token for a scope, used until shortly before it expires; what is configured as a token is used itself.

        Raises:
            LoginRefused: the token service does not accept the login.
            CredentialsRefused: it wants one, and there is none; or it is nowhere that credentials can be sent to.
            RegistryFailed: it answers with another error.
            TransientFailure: it does not answer, or with something that makes no sense.
        """
        if login is not None and login.registry_token:
            return Header(f"Bearer {login.registry_token}", login.expires)
        asked_at = self._clock()
        answer = self._ask(scope, challenge, login)
        try:
            token = read_token(answer.body, _date(answer) or asked_at)
        except ValueError as error:
            raise TransientFailure(answer.request, str(error), error=RegistryAnswerWrong) from None
        return Header(f"Bearer {token.value}", asked_at + token.seconds)

    def _ask(self, scope: Scope, challenge: Challenge, login: Login | None) -> Answer:
        """The answer that holds a token."""
        realm = read_realm(challenge.parameters.get("realm", ""), scope.host)
        service = challenge.parameters.get("service", "")
        if login is not None and login.identity_token:
            answer = self._follow(scope.host, _refreshing(realm, service, scope, login.identity_token))
            if answer.status not in NO_POST or not login.has_password:
                return _expect_token(answer, scope.host, login)
        return _expect_token(self._follow(scope.host, _asking(realm, service, scope, login)), scope.host, login)

    def _follow(self, host: str, request: Request) -> Answer:
        """Send, and follow redirects: within the token service, or anywhere where no login is sent."""
        for _ in range(REDIRECTS_FOLLOWED + 1):
            answer = self._send(request)
            if answer.status not in REDIRECTS:
                return answer
            request = _redirected(request, answer, host)
        raise RegistryFailed(f"{request}: more than {REDIRECTS_FOLLOWED} redirects")


def read_realm(realm: str, host: str) -> str:
    """The address of a registry's token service, checked before anything is sent there.

    Args:
        realm: as the registry names it.
        host: the registry.

    Raises:
        CredentialsRefused: it is no absolute address, holds user information or characters that belong in none, or
            would be spoken to without TLS, which only two servers on this machine are.
    """
    try:
        parts = urlsplit(realm)
        scheme, name, _ = origin(realm)
    except ValueError:
        raise _unusable(realm, host, "is no address") from None
    if VISIBLE.fullmatch(realm) is None or not name or HOST.fullmatch(parts.netloc) is None:
        raise _unusable(realm, host, "is no address")
    if scheme != "https" and not (scheme == "http" and is_loopback(parts.netloc) and is_loopback(host)):
        raise _unusable(realm, host, "is spoken to without TLS")
    return parts._replace(fragment="").geturl()


def _unusable(realm: str, host: str, why: str) -> CredentialsRefused:
    shown = printable(realm.partition("?")[0], REALM_SHOWN)
    return CredentialsRefused(
        f"{host} names {shown!r} as its token service, which {why}: nothing is sent there",
        remedy=f"Have the realm of {host} set to the https address of its token service, then rerun.",
    )


def _asking(realm: str, service: str, scope: Scope, login: Login | None) -> Request:
    """The request for a token, with the login where there is one."""
    query = [*([("service", service)] if service else []), *(("scope", resource) for resource in scope.resources)]
    joiner = "&" if urlsplit(realm).query else "?"
    url = f"{realm}{joiner}{urlencode(query)}" if query else realm
    return Request("GET", url, {} if login is None else {AUTHORIZATION: login.basic})


def _refreshing(realm: str, service: str, scope: Scope, identity_token: str) -> Request:
    """The request for a token in exchange for an identity token; it stands in the body, and so in no log of a proxy."""
    form = {"grant_type": "refresh_token", "service": service, "client_id": CLIENT, "scope": str(scope)}
    body = urlencode({**form, "refresh_token": identity_token}).encode()
    return Request("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, Body.of(body))


def _redirected(request: Request, answer: Answer, host: str) -> Request:
    """The request that a redirect asks for; CredentialsRefused where it would take a login to another host."""
    location = answer.headers.get("Location")
    if not location or (request.body is not None and answer.status not in REDIRECTS_WITH_BODY):
        raise RegistryFailed(f"{request}: HTTP {answer.status} without an address that could be followed")
    url = read_realm(urljoin(request.url, location), host)
    if origin(url) != origin(request.url) and (AUTHORIZATION in request.headers or request.body is not None):
        raise CredentialsRefused(
            f"the token service of {host} ({request.host}) redirects to {urlsplit(url).netloc}, and credentials are"
            " not sent to another host than the one that the registry names",
            remedy=f"Have the realm of {host} set to the address that its token service redirects to, then rerun.",
        )
    return replace(request, url=url)


def _expect_token(answer: Answer, host: str, login: Login | None) -> Answer:
    """The answer if it is a success.

    Raises:
        LoginRefused: the login is refused.
        CredentialsRefused: there is none, and one is wanted.
        RegistryFailed: any other error.
    """
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    said = f"{answer.request}: {_describe(answer, login)}"
    if answer.status in NO_POST and answer.request.body is not None:
        raise CredentialsRefused(
            f"the token service of {host} accepts no identity token, and no other login is configured: {said}",
            remedy=f"Log in to {host} with a user name and password, then rerun.",
        )
    if not _refuses(answer):
        raise RegistryFailed(said)
    if login is None:
        missing = no_credentials(host)
        raise CredentialsRefused(f"{missing.cause}: {said}", remedy=missing.remedy)
    raise LoginRefused(CredentialsRefused(f"{host} refused the configured credentials: {said}"))


def _refuses(answer: Answer) -> bool:
    """Whether a token service refuses who asks, and not what is asked."""
    if answer.status == HTTPStatus.FORBIDDEN or refusal_of(answer.status, answer.body) is not Refusal.NONE:
        return True
    return answer.status == HTTPStatus.BAD_REQUEST and _object(answer.body).get("error") in OAUTH_REFUSALS


def _describe(answer: Answer, login: Login | None) -> str:
    """The error in one line; what it repeats of the login is left out."""
    body = answer.body
    for secret in () if login is None else login.secrets:
        for written in (secret, json.dumps(secret)[1:-1]):
            body = body.replace(written.encode(), b"...")
    said = describe_status(answer.status, body)
    if said != f"HTTP {answer.status}":
        return said
    document = _object(body)
    words = [word for word in map(document.get, OTHER_WORDS) if isinstance(word, str) and word]
    shown = printable("".join(words[:1]))
    return f"{said} ({shown})" if shown else said


def _object(body: bytes) -> dict[str, object]:
    try:
        document = read_json(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _date(answer: Answer) -> float | None:
    """The token service's clock, in seconds since the epoch; None where it does not say."""
    return read_http_date(answer.headers.get("Date", ""))
