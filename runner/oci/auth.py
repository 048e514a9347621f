"""Authorising requests to registries, and deciding whether a request that was refused is sent again.

The first request to a host is anonymous. Only a host that answers 401 is sent credentials, and only those that are
configured for it (ECR Public answers 400 to any Basic header). Which header that is, an ``AuthenticationScheme``
decides: the first that the host offers in its challenges.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from runner.errors import CredentialsRefused
from runner.oci.challenge import read_challenges
from runner.oci.connections import same_host
from runner.oci.expiring import ExpiringStore
from runner.oci.refusal import Refusal, refusal_of
from runner.oci.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.oci.challenge import Challenge
    from runner.oci.credentials import Credentials, Login
    from runner.oci.messages import Answer, Request

AUTHORIZATION = "Authorization"


@dataclass(frozen=True)
class Header:
    """The value of an Authorization header, which does not show in its representation.

    ``expires`` is from when it is not used any more, in seconds since the epoch; None for never. A header that expires
    is renewed when a host refuses it; one that never expires is not.
    """

    value: str = field(repr=False)
    expires: float | None = None


class LoginRefused(Exception):
    """The login does not serve to make a header; ``error`` is raised where there is no newer one."""

    def __init__(self, error: CredentialsRefused) -> None:
        super().__init__(error.cause)
        self.error = error


class AuthenticationScheme(Protocol):
    """One authentication scheme (RFC 9110, 11.1): how the requests to a host that offers it are authorised."""

    @property
    def name(self) -> str:
        """Its name in challenges, written as in IANA's registry; compared in any case."""
        ...

    def key(self, scope: Scope, challenges: Iterable[Challenge]) -> Scope:
        """The scope for which a header is made, and under which it is kept: all that the header depends on.

        Args:
            scope: what the request needs.
            challenges: the first one of the host, and before it the last one that answered a request of this scope.
        """
        ...

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:
        """Make the header for a scope; called when none is kept for it, or the one that is kept has expired.

        Args:
            scope: what ``key`` gave.
            challenge: what the host answered to a request that it refused: the last of this scope, else its first.
            login: the login that is configured for the scope's repository, if there is one.

        Raises:
            LoginRefused: the login is not accepted.
            CredentialsRefused: there is none that could be made.
            TransientFailure: it could not be made now.
        """
        ...


class Basic:
    """User name and password in each request (RFC 7617): one header for all requests to a repository."""

    name = "Basic"

    def key(self, scope: Scope, challenges: Iterable[Challenge]) -> Scope:  # noqa: ARG002 - the protocol's
        """The repository alone, whose login it is."""
        return Scope(scope.host, repository=scope.repository)

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:  # noqa: ARG002 - the protocol's
        """The login, for as long as it lasts; CredentialsRefused where there is none, or it is a token."""
        if login is None:
            raise no_credentials(scope.host)
        if not login.has_password:
            raise CredentialsRefused(
                f"{scope.host} asks for a user name and password, and only a token is configured for it",
                remedy=f"Log in to {scope.host} with a user name and password, then rerun.",
            )
        return Header(login.basic, login.expires)


def no_credentials(host: str) -> CredentialsRefused:
    """The error for a host that wants credentials where there are none."""
    return CredentialsRefused(
        f"{host} asks for credentials, and none are configured for it",
        remedy=f"Log in to {host}, so that the Docker config file (DOCKER_CONFIG) has credentials for it, then rerun.",
    )


class Authorization:
    """Authorises requests; thread-safe.

    Args:
        credentials: asked once per repository when its host has answered 401, and again once the login that they gave
            expires.
        schemes: which are supported; of several that a host offers, the first one here is used.
        clock: the present time, in seconds since the epoch.
    """

    def __init__(
        self,
        credentials: Credentials,
        schemes: Iterable[AuthenticationScheme] = (Basic(),),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._schemes = tuple(schemes)
        self._logins = ExpiringStore[tuple[str, str], "Login | None"](clock)
        self._headers = ExpiringStore[Scope, Header](clock)
        self._chosen: dict[str, tuple[AuthenticationScheme, Challenge]] = {}
        self._answered: dict[Scope, Challenge] = {}

    def authorize(self, request: Request, scope: Scope) -> Request:
        """Return the request with the header that its host asks for.

        It is returned as it is while the host has not asked for any, and whenever it goes to another host than the
        scope's.

        Raises:
            CredentialsRefused: the header expired, and no other could be made.
            TransientFailure: no other could be made now.
        """
        chosen = self._chosen.get(scope.host)
        if chosen is None or not same_host(request.url, scope.host):
            return request
        header = self._header(scope, *chosen)
        return replace(request, headers={**request.headers, AUTHORIZATION: header.value})

    def rejected(self, answer: Answer, scope: Scope) -> bool:
        """Return whether a request that was refused should be authorised again and sent once more.

        So it is where the host has asked for credentials that the request did not carry, where the header that it
        carried is refused and can expire, and where another request has renewed that header meanwhile.

        Args:
            answer: the refusal, with the request as it was sent.
            scope: what it was authorised for.

        Raises:
            CredentialsRefused: the host asks for credentials, and there are none for it, or of another kind only.
            TransientFailure: the header that it asks for could not be made now.
        """
        if not same_host(answer.request.url, scope.host):
            return False
        sent = answer.request.headers.get(AUTHORIZATION)
        if sent is None and answer.status == HTTPStatus.UNAUTHORIZED:
            self._choose(answer, scope)
            return True
        if sent is None or refusal_of(answer.status, answer.body, answer.request.method) is Refusal.NONE:
            return False
        return self._forget(sent, answer, scope)

    def has_login(self, scope: Scope) -> bool:
        """Whether a login was found for the scope's repository."""
        return self._logins.held((scope.host, scope.repository)) is not None

    def _choose(self, answer: Answer, scope: Scope) -> None:
        """Choose the scheme for a host, and make its first header; none is chosen where that fails."""
        challenges = read_challenges(answer.headers.getlist("WWW-Authenticate"))
        self._login(scope)  # one that cannot be read is reported first, whatever the host asks for
        for scheme in self._schemes:
            challenge = _offered(scheme, challenges)
            if challenge is not None:
                self._answered[scope] = challenge
                self._header(scope, scheme, challenge)
                self._chosen[scope.host] = scheme, challenge
                return
        offered = " or ".join(sorted({challenge.scheme for challenge in challenges}))
        kind = f"the kind {offered}" if offered else "a kind that it does not name"
        supported = " or ".join(scheme.name for scheme in self._schemes)
        raise CredentialsRefused(
            f"{scope.host} asks for credentials of {kind}; only {supported} is supported",
            remedy=f"Use a registry that accepts {supported} credentials, or configure {scope.host} to accept this"
            " request without any.",
        )

    def _forget(self, sent: str, answer: Answer, scope: Scope) -> bool:
        """Drop a header that was refused, so that another is made; False where it is one that never expires."""
        scheme, first = self._chosen[scope.host]
        key = self._key(scope, scheme, first)
        # Read and dropped before the header, so that no header is made of a login that is about to be dropped.
        login = self._logins.held((scope.host, scope.repository))
        header = self._headers.held(key)
        challenge = _offered(scheme, read_challenges(answer.headers.getlist("WWW-Authenticate")))
        if challenge is not None:
            self._answered[scope] = challenge
        if header is None or header.value != sent:
            return True
        if header.expires is None:
            return False
        if login is not None and login.expires is not None:
            self._logins.drop((scope.host, scope.repository), login)
        self._headers.drop(key, header)
        return True

    def _key(self, scope: Scope, scheme: AuthenticationScheme, first: Challenge) -> Scope:
        last = self._answered.get(scope)
        return scheme.key(scope, (first,) if last is None else (last, first))

    def _header(self, scope: Scope, scheme: AuthenticationScheme, first: Challenge) -> Header:
        key, challenge = self._key(scope, scheme, first), self._answered.get(scope, first)
        return self._headers.get(key, lambda: self._make(scheme, key, challenge))

    def _make(self, scheme: AuthenticationScheme, key: Scope, challenge: Challenge) -> Header:
        """Make a header; where the login is refused and can expire, once more with the next one."""
        login = self._login(key)
        try:
            return scheme.header(key, challenge, login)
        except LoginRefused as refused:
            if login is None or login.expires is None:
                raise refused.error from None
        self._logins.drop((key.host, key.repository), login)
        try:
            return scheme.header(key, challenge, self._login(key))
        except LoginRefused as refused:
            raise refused.error from None

    def _login(self, scope: Scope) -> Login | None:
        place = (scope.host, scope.repository)
        return self._logins.get(place, lambda: self._credentials.login(*place))


def _offered(scheme: AuthenticationScheme, challenges: Iterable[Challenge]) -> Challenge | None:
    return next((challenge for challenge in challenges if challenge.scheme == scheme.name.lower()), None)
