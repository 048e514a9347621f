"""A lifetime in which waiting takes no time."""

from __future__ import annotations

from runner.runtime.lifetime import Lifetime


class MemoryLifetime(Lifetime):
    """Notes each pause, and has a clock of its own that goes on by it; it ends as the real one does."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> None:
        """Note a pause; RunEnded when the run was ended."""
        self.check()
        self.pauses.append(seconds)

    def now(self) -> float:
        """The seconds that were waited for."""
        return sum(self.pauses)
