"""Where the user names and passwords for registries come from.

Format of Docker's config file: docker/cli ``cli/config/configfile`` and ``cli/config/credentials``.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runner.errors import CredentialsRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKER_HUB = "index.docker.io"
DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True)
class Login:
    """A user name and password, neither of which shows in its representation.

    ``expires`` is when they are no longer valid, in seconds since the epoch; None for never.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    expires: float | None = None

    @property
    def basic(self) -> str:
        """The value of a Basic Authorization header."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class Credentials(Protocol):
    """Where logins come from."""

    def login(self, host: str) -> Login | None:
        """The login for this host, or None where there is none; CredentialsRefused where it cannot be read."""
        ...


class Anonymous:
    """No credentials for any host."""

    def login(self, host: str) -> Login | None:  # noqa: ARG002  # the protocol's argument; no host has a login
        """None."""
        return None


@dataclass(frozen=True)
class Chain:
    """Several sources of logins, asked in order; the first that has one for a host wins.

    A source that cannot be read ends the search: the next one could have credentials that were not meant to be used.
    """

    sources: tuple[Credentials, ...]

    def login(self, host: str) -> Login | None:
        """The first login for this host, or None where no source has one; CredentialsRefused as ``Credentials``."""
        found = (source.login(host) for source in self.sources)
        return next((login for login in found if login is not None), None)


class DockerConfig:
    """The logins in a Docker config file, read when a registry first asks for one.

    Args:
        path: the file, which need not exist; None when there is no known location for it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> DockerConfig:
        """``$DOCKER_CONFIG/config.json``, else ``$HOME/.docker/config.json``, else none."""
        if folder := environment.get("DOCKER_CONFIG"):
            return cls(Path(folder) / "config.json")
        if home := environment.get("HOME"):
            return cls(Path(home) / ".docker" / "config.json")
        return cls(None)

    def login(self, host: str) -> Login | None:
        """Return the login for this host.

        Raises:
            CredentialsRefused: the file cannot be read, or keeps this host's login with a credential helper.
        """
        document = self._document
        helper = _entry(_object(document, "credHelpers"), host)
        if helper:
            raise self._in_helper(host, helper)
        entry = _entry(_object(document, "auths"), host)
        login = self._read(host, entry) if isinstance(entry, dict) else None
        if login is None and document.get("credsStore"):
            raise self._in_helper(host, document["credsStore"])
        return login

    @cached_property
    def _document(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            document = json.loads(self._path.read_bytes())
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
        if auth := entry.get("auth"):
            try:
                username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
            except (ValueError, TypeError):
                colon = ""
                username = password = ""
            if not colon or not username:
                raise CredentialsRefused(
                    f"auth of {host} in {self._path} is not the base64 form of USERNAME:PASSWORD",
                    remedy=f"Log in to {host} again, so that {self._path} is written again, then rerun.",
                )
            return Login(username, password.rstrip("\0"))
        match entry:
            case {"username": str(username), "password": str(password)} if username:
                return Login(username, password)
        if entry.get("identitytoken") or entry.get("registrytoken"):
            raise CredentialsRefused(
                f"{self._path} has a token for {host}, where only a user name and password can be used",
                remedy=f"Put auth (base64 of USERNAME:PASSWORD) for {host} into {self._path}, then rerun.",
            )
        return None

    def _in_helper(self, host: str, helper: object) -> CredentialsRefused:
        return CredentialsRefused(
            f"{host} asks for credentials, and {self._path} keeps them with the credential helper {helper!r}: "
            "helpers are not supported",
            remedy=f"Put auth (base64 of USERNAME:PASSWORD) for {host} into {self._path}, then rerun.",
        )

    def __str__(self) -> str:
        return str(self._path) if self._path else "no Docker config file (neither DOCKER_CONFIG nor HOME is set)"


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def hostname(key: str) -> str:
    """The host that a key of the config file refers to, without scheme and path; Docker Hub under one of its names."""
    host = re.sub(r"^https?://", "", key.strip(), flags=re.IGNORECASE).split("/", 1)[0].strip().lower()
    return DOCKER_HUB if host in DOCKER_HUB_HOSTS else host


def _entry(entries: Mapping[str, Any], host: str) -> object:
    """The entry for a host: that of the key equal to it, else the first whose key refers to the same host."""
    if host in entries:
        return entries[host]
    wanted = hostname(host)
    return next((entry for key, entry in entries.items() if hostname(key) == wanted), None)
