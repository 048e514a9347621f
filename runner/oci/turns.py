"""How many requests of a kind are made per second: where AWS's registries have a quota that one run could exceed.

Source: the service quotas of Amazon ECR and Amazon ECR Public.

The registry counts a request at some moment between its being sent and its answer. So a place is free again a second
after the answer: then no second has more than allowed, however long each request takes.
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
"""Uploads that an account may complete (CompleteLayerUpload), at ECR and ECR Public."""
ANONYMOUS_PULLS = 1
"""Images that an address may pull from ECR Public without a login; each manifest that is read counts."""
SECONDS = 1.0


class Turns:
    """Lets so many requests be made in any second, or other span, over all threads; thread-safe.

    Args:
        lifetime: ends every wait.
        count: how many in each span.
        seconds: how long a span is.
        clock: monotonic seconds.
    """

    def __init__(
        self, lifetime: Lifetime, count: int, seconds: float = SECONDS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lifetime = lifetime
        self._seconds = seconds
        self._clock = clock
        self._given_back = threading.Condition()
        self._free = deque([float("-inf")] * count)
        """From when on each place that nobody holds may be taken, the earliest first."""
        lifetime.at_end(self._wake)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Make one request in this block, which begins once it may; RunEnded as soon as the run is ended."""
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
                self._free.append(self._clock() + self._seconds)
                self._given_back.notify()

    def take_turn(self) -> None:
        """Wait until one more request may be made; RunEnded as soon as the run is ended."""
        with self.turn():
            pass

    def _wake(self) -> None:
        with self._given_back:
            self._given_back.notify_all()


class SlowHosts:
    """Lets requests to a host be made at once, and by turns from when it has refused one since there were too many.

    A quota that may or may not hold where this program runs costs no time in this way; and where it does, it does not
    use up the time that the run may wait for refused requests. Thread-safe.

    Args:
        make: makes the turns of a host.
    """

    def __init__(self, make: Callable[[], Turns]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._turns: dict[str, Turns] = {}

    @contextlib.contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Make one request in this block; RunEnded as soon as the run is ended."""
        with self._lock:
            turns = self._turns.get(host)
        with contextlib.nullcontext() if turns is None else turns.turn():
            yield

    def slow_down(self, host: str) -> None:
        """From now on, let requests to this host be made by turns."""
        with self._lock:
            if host not in self._turns:
                self._turns[host] = self._make()
