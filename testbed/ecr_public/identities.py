"""Who calls: the access keys of an AWS account, what they are denied, and how AWS says so."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/prow"


@dataclass(frozen=True)
class Caller:
    """Who signed a request.

    Attributes:
        access_key: the key's id.
        arn: as AWS names the caller in its answers.
        role: whether these are an assumed role's credentials.
        expires: seconds of the epoch; None: never.
    """

    access_key: str
    arn: str
    role: bool = False
    expires: float | None = None


@dataclass(frozen=True)
class Signed:
    """What a signature says: whose key, for which region and service."""

    access_key: str
    region: str
    service: str


class NotSigned(Exception):
    """A request has no signature of AWS's version 4."""


class UnknownKey(Exception):
    """A request is signed with a key that the account does not have."""


class ExpiredKey(Exception):
    """A request is signed with the credentials of a session that is over."""


def signed(authorization: str | None) -> Signed:
    """Read the header that AWS's version 4 signatures have.

    Raises:
        NotSigned: there is none, or it is something else.
    """
    if not authorization or not authorization.startswith("AWS4-HMAC-SHA256 "):
        raise NotSigned
    found = CREDENTIAL.search(authorization)
    if found is None or "Signature=" not in authorization:
        raise NotSigned
    return Signed(*found.groups())


@dataclass
class Account:
    """The keys of one account, and the actions that somebody is denied.

    Args:
        number: the account's id.
        clock: the time in seconds of the epoch.
    """

    number: str = ACCOUNT
    clock: Callable[[], float] = time.time
    _callers: dict[str, Caller] = field(default_factory=dict)
    _denied: dict[str, set[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, caller: Caller) -> None:
        """Let the account have this key."""
        with self._lock:
            self._callers[caller.access_key] = caller

    def revoke(self, access_key: str) -> None:
        """Take a key away."""
        with self._lock:
            del self._callers[access_key]

    def find(self, access_key: str) -> Caller:
        """Whose key it is.

        Raises:
            UnknownKey: nobody's.
            ExpiredKey: its session is over.
        """
        with self._lock:
            caller = self._callers.get(access_key)
        if caller is None:
            raise UnknownKey
        if caller.expires is not None and self.clock() >= caller.expires:
            raise ExpiredKey
        return caller

    def deny(self, action: str, who: str = "") -> None:
        """Deny an action to all whose ARN contains ``who``, e.g. ``:assumed-role/publisher/``."""
        with self._lock:
            self._denied.setdefault(action, set()).add(who)

    def allow_all(self) -> None:
        """Deny nothing any more."""
        with self._lock:
            self._denied.clear()

    def denies(self, arn: str, action: str) -> bool:
        """Whether a caller may not do this."""
        with self._lock:
            return any(who in arn for who in self._denied.get(action, ()))


def denial(arn: str, action: str, resource: str) -> str:
    """The words of AWS for an action that no policy allows."""
    return (
        f"User: {arn} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
