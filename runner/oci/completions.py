"""How many uploads are completed per second: ECR and ECR Public allow ten CompleteLayerUpload a second per account.

Source: the service quotas of Amazon ECR and Amazon ECR Public.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.runtime.lifetime import Lifetime

COMPLETIONS = 10
SECONDS = 1.0


class Completions:
    """Lets so many uploads be completed in any second, over all threads; thread-safe.

    Args:
        lifetime: ends every wait.
        count: how many in ``SECONDS``.
        clock: monotonic seconds.
    """

    def __init__(
        self, lifetime: Lifetime, count: int = COMPLETIONS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: deque[float] = deque(maxlen=count)

    def take_turn(self) -> None:
        """Wait until another upload may be completed; RunEnded as soon as the run is ended."""
        with self._lock:
            now = self._clock()
            full = len(self._turns) == self._turns.maxlen
            turn = max(now, self._turns[0] + SECONDS) if full else now
            self._turns.append(turn)
        if turn > now:
            self._lifetime.wait(turn - now)
