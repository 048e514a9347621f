"""Values that are made when they are first needed, kept until they expire, and then made again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Expiring(Protocol):
    """A value that may expire."""

    @property
    def expires(self) -> float | None:
        """When it is no longer valid, in seconds since the epoch; None for never."""
        ...


Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value", bound="Expiring | None")


@dataclass
class _Making:
    """How one value is made: by one thread at a time; how often that failed, and how the last time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    failures: int = 0
    failure: Exception | None = None


class ExpiringStore(Generic[Key, Value]):
    """Keeps one value per key until it expires; None, which stands for no value, never does. Thread-safe.

    Args:
        clock: the present time, in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._making: dict[Key, _Making] = {}
        self._values: dict[Key, Value] = {}

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value, made first when there is none that is still good.

        A thread that asks while another makes the value of the same key waits for that one, and shares its failure:
        where each made its own attempt, many threads would wait for a server that does not answer one after another.
        Other keys are not held up. What ``make`` raises is passed on and not kept.
        """
        with self._lock:
            making = self._making.setdefault(key, _Making())
            failures = making.failures
        with making.lock:
            with self._lock:
                if key in self._values and not self._has_expired(self._values[key]):
                    return self._values[key]
            if making.failure is not None and making.failures > failures:
                raise making.failure
            making.failure = None
            try:
                value = make()
            except Exception as failure:
                with self._lock:
                    making.failures += 1
                making.failure = failure
                raise
            with self._lock:
                self._values[key] = value
            return value

    def held(self, key: Key) -> Value | None:
        """The value that is held now, even if it has expired; None where there is none."""
        with self._lock:
            return self._values.get(key)

    def drop(self, key: Key, value: Value) -> None:
        """Forget a value before its time, unless another one has taken its place."""
        with self._lock:
            if self._values.get(key) is value:
                self._values.pop(key, None)

    def _has_expired(self, value: Value) -> bool:
        return value is not None and value.expires is not None and self._clock() >= value.expires
