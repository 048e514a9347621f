"""How long a run has waited for registries, and may go on waiting: one budget for each kind of fault.

Time is counted as it passes on a wall clock: threads that wait side by side for the same kind of fault use up its
budget once, however many they are.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.oci.messages import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.runtime.lifetime import Lifetime

BUDGETS: Mapping[Wait, float] = {
    Wait.RATE_LIMITED: 300.0,
    Wait.SERVER_ERROR: 60.0,
    Wait.CONNECTION: 90.0,
    Wait.NOT_VISIBLE: 300.0,
}
"""Seconds that a run waits in total for each kind; ECR Public's users have seen five minutes until a push shows."""

WORTH_TELLING = 1.0
"""Pauses shorter than these seconds are not told to anyone."""
BETWEEN_WORDS = 10.0
LONGEST_BETWEEN_WORDS = 60.0
SPREAD = 0.1
LONGEST_SPREAD = 1.0


@dataclass(frozen=True)
class Waiting:
    """What a run waits for at present, for logs.

    Args:
        wait: the kind of fault.
        host: whose it is.
        problem: what the host answered, or what went wrong.
        seconds: until the next attempt.
        left: seconds that the run will go on waiting for this kind of fault.
    """

    wait: Wait
    host: str
    problem: str
    seconds: float
    left: float


class Patience:
    """Waits, and keeps account of it; thread-safe. One for each run.

    Args:
        lifetime: ends every wait.
        budgets: seconds to wait in total for each kind of fault.
        clock: monotonic seconds.
        tell: called from a thread that waits, at most every 10 s, and less often the longer it takes.
        chance: a random number in [0, 1).
    """

    def __init__(
        self,
        lifetime: Lifetime,
        budgets: Mapping[Wait, float] = BUDGETS,
        *,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[Waiting], object] = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._lifetime = lifetime
        self._budgets = budgets
        self._clock = clock
        self._tell = tell
        self.chance = chance
        self._lock = threading.Lock()
        self._spent: dict[Wait, float] = defaultdict(float)
        self._waiters: Counter[Wait] = Counter()
        self._since: dict[Wait, float] = {}
        self._counted_until: dict[Wait, float] = defaultdict(lambda: float("-inf"))
        self._paused: dict[str, tuple[float, str]] = {}
        self._next_words = float("-inf")
        self._between_words = BETWEEN_WORDS

    def check(self) -> None:
        """Raise RunEnded when the run was ended."""
        self._lifetime.check()

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def left(self, wait: Wait) -> float:
        """Seconds that may still be waited for this kind of fault, never below zero."""
        with self._lock:
            return self._left(wait)

    def waited(self, wait: Wait, seconds: float) -> None:
        """Count that these last seconds were spent waiting."""
        with self._lock:
            since = self._clock() - seconds
            # What other threads have waited until now must not be passed over.
            self._count(wait, min(since, self._since[wait]) if self._waiters[wait] else since)

    def wait(self, wait: Wait, seconds: float, host: str, problem: str) -> None:
        """Wait and count it; RunEnded as soon as the run is ended."""
        until = self._clock() + seconds
        with self._counted(wait):
            while (remaining := until - self._clock()) > 0:
                self._lifetime.wait(min(remaining, self._words(wait, host, problem, remaining)))

    def pause_host(self, host: str, seconds: float, problem: str) -> None:
        """Let no thread send anything to this host for these seconds; a longer pause that is under way stays."""
        until = self._clock() + seconds
        with self._lock:
            if until > self._paused.get(host.lower(), (float("-inf"), ""))[0]:
                self._paused[host.lower()] = until, problem

    def await_host(self, host: str) -> None:
        """Wait until the pause of this host is over, if there is one, and then a little, each thread differently."""
        while True:
            with self._lock:
                until, problem = self._paused.get(host.lower(), (float("-inf"), ""))
            remaining = until - self._clock()
            if remaining <= 0:
                return
            spread = min(remaining * SPREAD, LONGEST_SPREAD) * self.chance()
            self.wait(Wait.RATE_LIMITED, remaining + spread, host, problem)

    def _left(self, wait: Wait) -> float:
        since = max(self._since[wait], self._counted_until[wait]) if self._waiters[wait] else self._clock()
        return max(0.0, self._budgets[wait] - self._spent[wait] - (self._clock() - since))

    def _count(self, wait: Wait, since: float) -> None:
        """Count the time from then until now, but none of it twice."""
        now = self._clock()
        self._spent[wait] += max(0.0, now - max(since, self._counted_until[wait]))
        self._counted_until[wait] = now

    @contextlib.contextmanager
    def _counted(self, wait: Wait) -> Iterator[None]:
        with self._lock:
            if not self._waiters[wait]:
                self._since[wait] = self._clock()
            self._waiters[wait] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiters[wait] -= 1
                if not self._waiters[wait]:
                    self._count(wait, self._since[wait])

    def _words(self, wait: Wait, host: str, problem: str, remaining: float) -> float:
        """Say what is waited for where it is time to; return the seconds until it is time again."""
        with self._lock:
            now, left = self._clock(), self._left(wait)
            if remaining < WORTH_TELLING:
                return remaining
            if now < self._next_words:
                return self._next_words - now
            self._next_words = now + self._between_words
            until = self._between_words
            self._between_words = min(self._between_words * 2, LONGEST_BETWEEN_WORDS)
        self._tell(Waiting(wait, host, problem, remaining, left))
        return until
