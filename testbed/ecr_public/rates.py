"""Quotas of requests per second."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Rate:
    """Counts what was let through in the last second.

    Args:
        clock: seconds, from any beginning.

    ``most`` is how many were let through in the busiest second so far.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: deque[float] = deque()
        self.most = 0

    def allows(self, per_second: int | None) -> bool:
        """Whether one more is let through, which is then counted; None: all are."""
        with self._lock:
            now = self._clock()
            while self._times and self._times[0] <= now - 1:
                self._times.popleft()
            if per_second is not None and len(self._times) >= per_second:
                return False
            self._times.append(now)
            self.most = max(self.most, len(self._times))
            return True
