"""How many uploads are completed per second: ECR and ECR Public allow ten CompleteLayerUpload a second per account.

Source: the service quotas of Amazon ECR and Amazon ECR Public.

The registry counts an upload at some moment between the request and its answer. So a place is free again a second after
the answer: then no second has more than allowed, however long each upload takes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        self._given_back = threading.Condition()
        self._free = deque([float("-inf")] * count)
        """From when on each place that nobody holds may be taken, the earliest first."""
        lifetime.at_end(self._wake)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Complete one upload in this block, which begins once it may; RunEnded as soon as the run is ended."""
        with self._given_back:
            while not self._free:
                self._lifetime.check()
                self._given_back.wait()
            free_from = self._free.popleft()
        try:
            if (seconds := free_from - self._clock()) > 0:
                self._lifetime.wait(seconds)
            yield
        finally:
            with self._given_back:
                self._free.append(self._clock() + SECONDS)
                self._given_back.notify()

    def _wake(self) -> None:
        with self._given_back:
            self._given_back.notify_all()
