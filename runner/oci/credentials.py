"""Where the user names, passwords and tokens for registries come from.

Format of Docker's config file: docker/cli ``cli/config/configfile`` and ``cli/config/credentials``; logins for a part
of a registry, by the path in a key: containers/image ``pkg/docker/config`` and Kubernetes ``pkg/credentialprovider``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from runner.errors import CredentialsRefused
from runner.foreign.documents import read_json
from runner.foreign.files import read_file_within
from runner.foreign.shown import short
from runner.oci.config_key import best_key, server_of
from runner.oci.token import is_visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Helper: TypeAlias = "Callable[[str, str], Login | None]"
    """Asks a credential helper, by its name, for the login for a server; None where it has none."""


@dataclass(frozen=True)
class Login:
    """A user name and password, or a token in their place; none of them shows in its representation.

    Args:
        username: as registries know it.
        password: may be empty where there is a token.
        expires: when they are no longer valid, in seconds since the epoch; None for never.
        identity_token: what a token service takes in place of both (OAuth 2.0's refresh token).
        registry_token: what a registry takes as a bearer token, as it is.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    expires: float | None = None
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of a Basic Authorization header."""
        return f"Basic {self._pair}"

    @property
    def has_password(self) -> bool:
        """Whether there is a user name and password: an empty password counts only where there is no token."""
        return bool(self.password) or not (self.identity_token or self.registry_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown, in each form in which it is sent."""
        return tuple(filter(None, (self.password, self.identity_token, self.registry_token, self._pair)))

    @property
    def _pair(self) -> str:
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


FILE_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest config file that is read; a Secret of Kubernetes holds at most 1 MiB."""


class Credentials(Protocol):
    """Where logins come from."""

    def login(self, host: str, repository: str = "") -> Login | None:
        """The login for this host, or None where there is none; CredentialsRefused where it cannot be read.

        Args:
            host: the registry, with its port.
            repository: the path of the repository in it; empty where it is not known, or there is none.
        """
        ...


class Anonymous:
    """No credentials for any host."""

    def login(self, host: str, repository: str = "") -> Login | None:  # noqa: ARG002  # the protocol's arguments
        """None."""
        return None


@dataclass(frozen=True)
class Chain:
    """Several sources of logins, asked in order; the first that has one for a host wins.

    A source that cannot be read ends the search: the next one could have credentials that were not meant to be used.
    """

    sources: tuple[Credentials, ...]

    def login(self, host: str, repository: str = "") -> Login | None:
        """The first login for this repository, or None where no source has one; CredentialsRefused as a source."""
        found = (source.login(host, repository) for source in self.sources)
        return next((login for login in found if login is not None), None)


class DockerConfig:
    """The logins in a Docker config file, read when a registry first asks for one.

    A key may name a registry, or a path in it: the longest one counts that holds the repository. A credential helper of
    the registry goes before what the file itself holds, and the credential store comes after that.

    Args:
        path: the file, which need not exist; None when there is no known location for it.
        helper: asks a credential helper; None where none can be started.
    """

    def __init__(self, path: Path | None, helper: Helper | None = None) -> None:
        self._path = path
        self._helper = helper

    @classmethod
    def find(cls, environment: Mapping[str, str], helper: Helper | None = None) -> DockerConfig:
        """``$DOCKER_CONFIG/config.json``, else ``$HOME/.docker/config.json``, else none."""
        if folder := environment.get("DOCKER_CONFIG"):
            return cls(Path(folder) / "config.json", helper)
        if home := environment.get("HOME"):
            return cls(Path(home) / ".docker" / "config.json", helper)
        return cls(None, helper)

    def login(self, host: str, repository: str = "") -> Login | None:
        """Return the login for this repository, or for the host as a whole.

        Raises:
            CredentialsRefused: the file cannot be read, or the credential helper that has this login does not give it.
        """
        helpers = _object(self._document, "credHelpers")
        key = best_key(helpers, host, repository)
        if key is not None and helpers[key]:
            return self._ask(helpers[key], host)
        entries = _object(self._document, "auths")
        key = best_key(entries, host, repository)
        entry = None if key is None else entries[key]
        login = self._read(host, entry) if isinstance(entry, dict) else None
        if login is None and self._document.get("credsStore"):
            return self._ask(self._document["credsStore"], host)
        return login

    @cached_property
    def _document(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            document = read_json(read_file_within(self._path, FILE_LIMIT))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else "it is not JSON"
            raise CredentialsRefused(
                f"the credentials in {self._path} cannot be read: {problem}",
                remedy=f"Repair {self._path}, then rerun.",
            ) from None
        return document if isinstance(document, dict) else {}

    def _read(self, host: str, entry: dict[str, Any]) -> Login | None:
        """The login of an entry: a token, or auth, or username and password; None where it has none of them."""
        tokens = {name: entry[name] for name in ("identitytoken", "registrytoken") if entry.get(name)}
        for name, token in tokens.items():
            if not isinstance(token, str) or not is_visible(token):
                raise self._unreadable(host, f"{name} of {host} in {self._path} is not a token")
        username, password = self._pair(host, entry) or ("", "")
        if not tokens and not username:
            return None
        return Login(
            username,
            password,
            identity_token=tokens.get("identitytoken", ""),
            registry_token=tokens.get("registrytoken", ""),
        )

    def _pair(self, host: str, entry: dict[str, Any]) -> tuple[str, str] | None:
        if auth := entry.get("auth"):
            try:
                username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
            except (ValueError, TypeError):
                colon = ""
                username = password = ""
            if not colon or not username:
                raise self._unreadable(
                    host, f"auth of {host} in {self._path} is not the base64 form of USERNAME:PASSWORD"
                )
            return username, password.rstrip("\0")
        match entry:
            case {"username": str(username), "password": str(password)} if username:
                return username, password
        return None

    def _unreadable(self, host: str, cause: str) -> CredentialsRefused:
        return CredentialsRefused(
            cause, remedy=f"Log in to {host} again, so that {self._path} is written again, then rerun."
        )

    def _ask(self, helper: object, host: str) -> Login | None:
        if self._helper is None or not isinstance(helper, str):
            raise CredentialsRefused(
                f"{host} asks for credentials, and {self._path} keeps them with the credential helper {short(helper)},"
                " which cannot be asked",
                remedy=f"Put auth (base64 of USERNAME:PASSWORD) for {host} into {self._path}, then rerun.",
            )
        return self._helper(helper, server_of(host))

    def __str__(self) -> str:
        return str(self._path) if self._path else "no Docker config file (neither DOCKER_CONFIG nor HOME is set)"


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}
