"""What the servers of one ECR Public share."""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from testbed.ecr_public.identities import Account
from testbed.ecr_public.rates import Rate
from testbed.ecr_public.recording import Recorder
from testbed.ecr_public.repositories import Repositories
from testbed.ecr_public.switches import Switches
from testbed.ecr_public.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "public.ecr.aws"
"""What the real one calls itself in challenges."""
REGION = "us-east-1"
"""The only one in which the real one may be asked for a token."""


@dataclass
class State:
    """One account's registry, and all that happened to it.

    Args:
        upstream: ``HOST:PORT`` of the registry behind.
        alias: the registry's alias, which all names begin with.
        clock: the time in seconds of the epoch.
    """

    upstream: str
    alias: str
    clock: Callable[[], float] = time.time
    switches: Switches = field(default_factory=Switches)
    ticks: Callable[[], float] = time.monotonic
    """Seconds, by which quotas are counted."""
    host: str = ""
    """``HOST:PORT`` that repositories are said to be at."""
    cdn: str = ""
    """``HOST:PORT`` that serves blobs."""
    display_name: str = ""
    uploads: dict[str, str] = field(default_factory=dict)
    """Of each upload that was started: its repository."""
    cdn_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def __post_init__(self) -> None:
        self.account = Account(clock=self.clock)
        self.tokens = Tokens(self.clock)
        self.repositories = Repositories(self.clock)
        self.recorder = Recorder()
        self.anonymous_pulls, self.account_pulls = Rate(self._now), Rate(self._now)
        self._rates: defaultdict[str, Rate] = defaultdict(lambda: Rate(self._now))
        self._lock = threading.Lock()

    def switch(self, **changes: Any) -> None:
        """Change how it behaves from now on; see Switches."""
        with self._lock:
            self.switches = replace(self.switches, **changes)

    def may_pull(self, identity: str | None) -> bool:
        """Whether a manifest may be read now, by nobody that is known or by an account; if so, it counts."""
        if identity is None:
            return self.anonymous_pulls.allows(self.switches.anonymous_pulls_per_second)
        return self.account_pulls.allows(self.switches.account_pulls_per_second)

    def within_quota(self, action: str) -> bool:
        """Whether this may be done now, as often as it was done in the last second; if so, it counts."""
        with self._lock:
            rate = self._rates[action]
        return rate.allows(self.switches.per_second(action))

    def most_in_a_second(self, action: str) -> int:
        """How often this was done in the second in which it was done most."""
        with self._lock:
            return self._rates[action].most

    def _now(self) -> float:
        return self.ticks()

    def arn(self, repository: str) -> str:
        """A repository as IAM names it."""
        return f"arn:aws:ecr-public::{self.account.number}:repository/{repository}"

    def unknown_repository(self, name: str) -> str:
        """The words for a repository that was not created."""
        return f"The repository with name '{name}' does not exist in the registry with id '{self.account.number}'"
