"""Who calls: the access keys of an AWS account, and what each caller may do."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testbed.ecr_public.policies import Statement, read_policy, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/prow"


@dataclass(frozen=True)
class Caller:
    """Who signs requests.

    Attributes:
        access_key: the key's id.
        secret: what it signs with.
        arn: as AWS names the caller in its answers.
        token: what comes with each request of a session; None: the key is a user's.
        expires: seconds of the epoch; None: never.
    """

    access_key: str
    secret: str = field(repr=False)
    arn: str
    token: str | None = field(default=None, repr=False)
    expires: float | None = None


@dataclass
class Account:
    """The keys of one account, and what callers may do: everything, but for what is denied.

    Args:
        number: the account's id.
        clock: the time in seconds of the epoch.
    """

    number: str = ACCOUNT
    clock: Callable[[], float] = time.time
    _callers: dict[str, Caller] = field(default_factory=dict, repr=False)
    _denied: dict[str, set[str]] = field(default_factory=dict)
    _policies: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, caller: Caller) -> None:
        """Let the account have this key."""
        with self._lock:
            self._callers[caller.access_key] = caller

    def revoke(self, access_key: str) -> None:
        """Take a key away."""
        with self._lock:
            del self._callers[access_key]

    def find(self, access_key: str) -> Caller | None:
        """Whose key it is; None: nobody's."""
        with self._lock:
            return self._callers.get(access_key)

    def deny(self, action: str, who: str = "") -> None:
        """Deny an action to all whose ARN contains ``who``, e.g. ``:assumed-role/publisher/``."""
        with self._lock:
            self._denied.setdefault(action, set()).add(who)

    def attach(self, who: str, policy: Mapping[str, Any]) -> None:
        """Let all whose ARN contains ``who`` do what policies attached in this way allow, and nothing else.

        Raises:
            ValueError: the policy has something that is not known here.
        """
        statements = read_policy(policy)
        with self._lock:
            self._policies[who] = (*self._policies.get(who, ()), *statements)

    def allow_all(self) -> None:
        """Deny nothing any more, and detach all policies."""
        with self._lock:
            self._denied.clear()
            self._policies.clear()

    def denial(self, arn: str, action: str, resource: str) -> str | None:
        """What AWS says to a caller who may not do this; None: it is allowed."""
        with self._lock:
            reason = None
            if any(who in arn for who in self._denied.get(action, ())):
                reason = refusal((), action, resource)
            elif applying := [policy for who, policy in self._policies.items() if who in arn]:
                reason = refusal([statement for policy in applying for statement in policy], action, resource)
        if reason is None:
            return None
        return f"User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}"
