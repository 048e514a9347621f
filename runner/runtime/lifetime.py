"""How long a run may go on, and what ended it.

One ``Lifetime`` is handed to everything that waits. Workers ask it whether it has ended; they never read the clock.
Only the main thread ends it (see ``runner.runtime.supervisor``), on a signal or at the deadline: there is one reason.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from runner.errors import RunEnded

if TYPE_CHECKING:
    from collections.abc import Callable


class Lifetime:
    """A token that every wait and every loop of a run checks.

    Args:
        seconds: after how many seconds from now the deadline falls; None for no deadline.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, seconds: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = None if seconds is None else clock() + seconds
        self._ended = threading.Event()
        self._reason: str | None = None
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], object]] = []

    def end(self, reason: str) -> None:
        """End the run, and wake those that wait for something else than the lifetime; the first reason stays."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            self._ended.set()
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def at_end(self, wake: Callable[[], object]) -> None:
        """Have a function called once the run ends, by whoever ends it; at once when it has ended. It may not wait."""
        with self._lock:
            if not self._ended.is_set():
                self._wakers.append(wake)
                return
        wake()

    @property
    def reason(self) -> str | None:
        """Why the run was ended, or None while it goes on."""
        return self._reason

    def remaining(self) -> float | None:
        """Seconds until the deadline, never below zero; None without a deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - self._clock())

    def check(self) -> None:
        """Raise RunEnded when the run was ended."""
        if self._ended.is_set():
            raise RunEnded(f"the run was ended: {self._reason}")

    def wait(self, seconds: float) -> None:
        """Sleep, but wake and raise RunEnded as soon as the run is ended."""
        self._ended.wait(seconds)
        self.check()
