"""What ECR Public lets in: the password of GetAuthorizationToken, and the tokens that it is exchanged for."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "AWS"
PAYLOAD_BYTES = 1200
"""Real ones are of some kilobytes, more than some clients' buffers."""


class Kind(Enum):
    """What was issued."""

    CREDENTIAL = auto()
    TOKEN = auto()


@dataclass(frozen=True)
class Grant:
    """What was issued to somebody: ``arn`` is None for an anonymous token; ``expires`` in seconds of the epoch."""

    kind: Kind
    arn: str | None
    expires: float


class Invalid(Exception):
    """This was never issued, or is a token that has expired."""


class Expired(Exception):
    """This is a credential that has expired."""


class Tokens:
    """All that was issued so far.

    Args:
        clock: the time in seconds of the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._grants: dict[str, Grant] = {}

    def issue_credential(self, arn: str, seconds: float) -> tuple[str, float]:
        """Return what GetAuthorizationToken answers: base64 of ``AWS:password``, and when it expires."""
        grant = Grant(Kind.CREDENTIAL, arn, self._clock() + seconds)
        return base64.b64encode(f"{USER}:{self._issue(grant)}".encode()).decode(), grant.expires

    def issue_token(self, arn: str | None, seconds: float) -> str:
        """Return what the realm answers: base64 of JSON that says when it expires."""
        return self._issue(Grant(Kind.TOKEN, arn, self._clock() + seconds))

    def basic(self, encoded: str) -> Grant:
        """Judge what a client sends to the realm, or GetAuthorizationToken's answer as a bearer token.

        Raises:
            Invalid: it is no credential that was issued.
            Expired: it was one.
        """
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            raise Invalid from None
        grant = self._find(password)
        if user != USER or grant.kind is not Kind.CREDENTIAL:
            raise Invalid
        if self._clock() >= grant.expires:
            raise Expired
        return grant

    def bearer(self, token: str) -> Grant:
        """Judge a bearer token: one from the realm, or GetAuthorizationToken's answer itself.

        Raises:
            Invalid: it is neither, or one from the realm that has expired.
            Expired: it is GetAuthorizationToken's answer, which has expired.
        """
        with self._lock:
            grant = self._grants.get(token)
        if grant is None:
            return self.basic(token)
        if grant.kind is not Kind.TOKEN or self._clock() >= grant.expires:
            raise Invalid
        return grant

    def revoke_tokens(self) -> None:
        """Make all bearer tokens that the realm issued invalid at once."""
        with self._lock:
            self._grants = {text: grant for text, grant in self._grants.items() if grant.kind is not Kind.TOKEN}

    def _issue(self, grant: Grant) -> str:
        document = {
            "payload": base64.b64encode(secrets.token_bytes(PAYLOAD_BYTES)).decode(),
            "datakey": base64.b64encode(secrets.token_bytes(184)).decode(),
            "version": "2" if grant.kind is Kind.CREDENTIAL else "3",
            "type": "DATA_KEY",
            "expiration": int(grant.expires),
        }
        text = base64.b64encode(json.dumps(document).encode()).decode()
        with self._lock:
            self._grants[text] = grant
        return text

    def _find(self, text: str) -> Grant:
        with self._lock:
            grant = self._grants.get(text)
        if grant is None:
            raise Invalid
        return grant
