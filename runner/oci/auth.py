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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.oci.challenge import Challenge
    from runner.oci.credentials import Credentials, Login
    from runner.oci.messages import Answer, Request
    from runner.oci.name import Repository

AUTHORIZATION = "Authorization"


@dataclass(frozen=True)
class Scope:
    """What a request needs to be allowed.

    Args:
        host: the registry that decides; no other host is sent what it accepts.
        resources: resource scopes by the grammar of distribution's token authentication (``docs/spec/auth/scope.md``),
            such as ``repository:PATH:pull,push``; none for requests that are about no repository.
    """

    host: str
    resources: tuple[str, ...] = ()

    @classmethod
    def pull(cls, repository: Repository) -> Scope:
        """To read a repository."""
        return cls(repository.host, (f"repository:{repository.path}:pull",))

    @classmethod
    def push(cls, repository: Repository, *, source: Repository | None = None) -> Scope:
        """To read and write a repository, and to read the one of the same host from which a blob is mounted."""
        mounted = () if source is None else cls.pull(source).resources
        return cls(repository.host, (f"repository:{repository.path}:pull,push", *mounted))

    def __str__(self) -> str:
        return " ".join(self.resources)


@dataclass(frozen=True)
class Header:
    """The value of an Authorization header, which does not show in its representation.

    ``expires`` is when it is no longer valid, in seconds since the epoch; None for never. A header that expires is
    renewed when a host refuses it; one that never expires is not.
    """

    value: str = field(repr=False)
    expires: float | None = None


class AuthenticationScheme(Protocol):
    """One authentication scheme (RFC 9110, 11.1): how the requests to a host that offers it are authorised."""

    @property
    def name(self) -> str:
        """Its name in challenges, written as in IANA's registry; compared in any case."""
        ...

    def key(self, scope: Scope) -> Scope:
        """The scope under which the header for this scope is kept: the part of it that the header depends on."""
        ...

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:
        """Make the header for a scope; called when none is kept for its key, or the one that is kept has expired.

        Args:
            scope: what the request needs.
            challenge: what the host answered to the first request that it refused.
            login: the login that is configured for the host, if there is one.

        Raises:
            CredentialsRefused: there is none that could be made.
        """
        ...


class Basic:
    """User name and password in each request (RFC 7617): one header for all requests to a host."""

    name = "Basic"

    def key(self, scope: Scope) -> Scope:
        """The host alone."""
        return Scope(scope.host)

    def header(self, scope: Scope, challenge: Challenge, login: Login | None) -> Header:  # noqa: ARG002 - the protocol's
        """The login, for as long as it lasts; CredentialsRefused where there is none."""
        if login is None:
            raise CredentialsRefused(
                f"{scope.host} asks for credentials, and none are configured for it",
                remedy=f"Log in to {scope.host}, so that the Docker config file (DOCKER_CONFIG) has credentials for it,"
                " then rerun.",
            )
        return Header(login.basic, login.expires)


SCHEMES: tuple[AuthenticationScheme, ...] = (Basic(),)


class Authorization:
    """Authorises requests; thread-safe.

    Args:
        credentials: asked once per host when it has answered 401, and again once the login that they gave expires.
        schemes: which are supported; of several that a host offers, the first one here is used.
        clock: the present time, in seconds since the epoch.
    """

    def __init__(
        self,
        credentials: Credentials,
        schemes: Iterable[AuthenticationScheme] = SCHEMES,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credentials = credentials
        self._schemes = tuple(schemes)
        self._logins = ExpiringStore[str, "Login | None"](clock)
        self._headers = ExpiringStore[Scope, Header](clock)
        self._chosen: dict[str, tuple[AuthenticationScheme, Challenge]] = {}

    def authorize(self, request: Request, scope: Scope) -> Request:
        """Return the request with the header that its host asks for.

        It is returned as it is while the host has not asked for any, and whenever it goes to another host than the
        scope's.

        Raises:
            CredentialsRefused: the header expired, and no other could be made.
        """
        chosen = self._chosen.get(scope.host)
        if chosen is None or not same_host(request.url, scope.host):
            return request
        header = self._header(scope, *chosen)
        return replace(request, headers={**request.headers, AUTHORIZATION: header.value})

    def rejected(self, answer: Answer, scope: Scope) -> bool:
        """Return whether a request that was refused should be authorised again and sent once more.

        So it is where the host has asked for credentials that the request did not carry, where the header that it
        carried can expire, and where another request has renewed that header meanwhile.

        Args:
            answer: the refusal, with the request as it was sent.
            scope: what it was authorised for.

        Raises:
            CredentialsRefused: the host asks for credentials, and there are none for it, or of another kind only.
        """
        if answer.status != HTTPStatus.UNAUTHORIZED or not same_host(answer.request.url, scope.host):
            return False
        sent = answer.request.headers.get(AUTHORIZATION)
        if sent is not None:
            return self._forget(sent, scope)
        self._choose(answer, scope)
        return True

    def _choose(self, answer: Answer, scope: Scope) -> None:
        """Choose the scheme for a host, and make its first header; nothing is remembered where that fails."""
        challenges = read_challenges(answer.headers.getlist("WWW-Authenticate"))
        self._login(scope.host)  # one that cannot be read is reported first, whatever the host asks for
        for scheme in self._schemes:
            for challenge in challenges:
                if challenge.scheme == scheme.name.lower():
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

    def _forget(self, sent: str, scope: Scope) -> bool:
        """Drop a header that was refused, so that another is made; False where it is one that never expires."""
        scheme, _ = self._chosen[scope.host]
        key = scheme.key(scope)
        # Read and dropped before the header, so that no header is made of a login that is about to be dropped.
        login = self._logins.held(scope.host)
        header = self._headers.held(key)
        if header is None or header.value != sent:
            return True
        if header.expires is None:
            return False
        if login is not None and login.expires is not None:
            self._logins.drop(scope.host, login)
        self._headers.drop(key, header)
        return True

    def _header(self, scope: Scope, scheme: AuthenticationScheme, challenge: Challenge) -> Header:
        return self._headers.get(scheme.key(scope), lambda: scheme.header(scope, challenge, self._login(scope.host)))

    def _login(self, host: str) -> Login | None:
        return self._logins.get(host, lambda: self._credentials.login(host))
