"""Taking turns, so that something is done no more often than a registry allows it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.runtime.lifetime import Lifetime


class Turns:
    """Lets something be done so many times in any span of time, over all threads; thread-safe.

    Args:
        lifetime: ends every wait.
        count: how many times.
        seconds: in how long a span.
        clock: monotonic seconds.
    """

    def __init__(
        self, lifetime: Lifetime, count: int, seconds: float = 1.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lifetime = lifetime
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: deque[float] = deque(maxlen=count)

    def take_turn(self) -> None:
        """Wait until it may be done once more; RunEnded as soon as the run is ended."""
        with self._lock:
            now = self._clock()
            full = len(self._turns) == self._turns.maxlen
            turn = max(now, self._turns[0] + self._seconds) if full else now
            self._turns.append(turn)
        if turn > now:
            self._lifetime.wait(turn - now)
