"""How a 401 is answered.

The first request to a host is anonymous. Only a host that answers 401 is sent credentials, and only those that are
configured for it (ECR Public answers 400 to any Basic header).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runner.errors import CredentialsRefused
from runner.oci.challenge import read_challenges

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.oci.credentials import Credentials


class Authorization:
    """What each host is sent as Authorization header; thread-safe.

    Args:
        credentials: asked once per host, when it has answered 401.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}

    def header(self, host: str) -> str | None:
        """The header that this host has asked for, or None while it has asked for none."""
        with self._lock:
            return self._headers.get(host)

    def answer(self, host: str, challenges: Iterable[str]) -> str:
        """Choose and remember the header that answers a 401.

        Args:
            host: who answered 401.
            challenges: its WWW-Authenticate headers.

        Raises:
            CredentialsRefused: there is no login for this host, or it asks for something else than Basic.
        """
        schemes = {challenge.scheme for challenge in read_challenges(challenges)}
        login = self._credentials.login(host)
        if "basic" not in schemes:
            offered = " or ".join(sorted(schemes)) or "nothing that its answer names"
            raise CredentialsRefused(
                f"{host} asks for credentials of the kind {offered}; only Basic is supported",
                remedy=f"Use a registry that takes Basic credentials, or let {host} take this request without any.",
            )
        if login is None:
            raise CredentialsRefused(
                f"{host} asks for credentials, and none are configured for it",
                remedy=f"Log in to {host} so that the Docker config file (DOCKER_CONFIG) has it, then rerun.",
            )
        with self._lock:
            return self._headers.setdefault(host, login.basic)
