"""The login that a registry of AWS's accepts: an authorization token, asked for when it is needed."""

from __future__ import annotations

import base64
import threading
import time
from typing import TYPE_CHECKING

from runner.aws.expiry import renew_at
from runner.errors import AwsFailed
from runner.oci.credentials import Login
from runner.oci.expiring import ExpiringStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.aws.calls import Caller
    from runner.aws.identity import Identity
    from runner.aws.services import RegistryService


class TokenLogins:
    """A source of logins (``runner.oci.credentials.Credentials``) for one registry. Thread-safe.

    Args:
        host: the registry; no other host is given its login.
        service: asks AWS for the token.
        identity: as whom.
        caller: calls AWS.
        clock: the present time, in seconds since the epoch.
    """

    def __init__(
        self,
        host: str,
        service: RegistryService,
        identity: Identity,
        caller: Caller,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._service = service
        self._identity = identity
        self._caller = caller
        self._clock = clock
        self._lock = threading.Lock()
        self._given: dict[str, Login] = {}
        self._logins: ExpiringStore[None, Login] = ExpiringStore(clock)

    def login(self, host: str, repository: str = "") -> Login | None:
        """Return the login for this host, or None where it is another registry's.

        All repositories share one token, which is renewed before it expires. Who asks again for the same repository
        while the token is good has seen it refused: a new one is made.

        Raises:
            AwsPermissionMissing, AwsCredentialsUnusable, AwsSettingWrong, AwsFailed: there is none.
        """
        if host != self._host:
            return None
        login = self._logins.get(None, self._make)
        with self._lock:
            was_refused = self._given.get(repository) is login
        if was_refused:
            self._logins.drop(None, login)
            login = self._logins.get(None, self._make)
        with self._lock:
            self._given[repository] = login
        return login

    def check(self) -> None:
        """Have a token that is good now; raises as ``login`` does."""
        self._logins.get(None, self._make)

    def _make(self) -> Login:
        client = self._identity.client(self._service.endpoint)
        operation = self._service.token_operation(self._identity.name)
        token, answer = self._caller.ask(operation, lambda: self._service.read_token(client))
        try:
            username, colon, password = base64.b64decode(token.encoded, validate=True).decode().partition(":")
        except ValueError:
            colon = username = password = ""
        if not (username and colon and password):
            raise AwsFailed(f"AWS's answer to {operation} holds no token that can be read")
        return Login(username, password, renew_at(token.expires, answer, self._clock()))
