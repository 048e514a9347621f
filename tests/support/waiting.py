"""Waiting for what a test expects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

LONG_SECONDS = 180.0
LOOK_SECONDS = 0.005


def until(look: Callable[[], Found | None], *, seconds: float = LONG_SECONDS, pause: float = LOOK_SECONDS) -> Found:
    """Wait until something is there or so, and return it; it is a failure if it is not in time.

    Args:
        look: gives it, or something false.
        seconds: to wait at most.
        pause: between two calls, in seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not come within {seconds:.0f} s"
        time.sleep(pause)
    return found
