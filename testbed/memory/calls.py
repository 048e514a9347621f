"""The calls of a fake: noted in their order, and open to a test that lets one fail or acts between two."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
When = Literal["before", "instead", "after"]


class Call(NamedTuple):
    """One call: the method, and what it is about (a name in a registry, a chart's folder, a service)."""

    method: str
    about: str


@dataclass
class _Rule:
    method: str
    act: Callable[[], Any]
    when: When
    about: str
    skip: int
    times: int | None

    def meets(self, call: Call) -> bool:
        """Whether it is this call's turn; each answer counts."""
        if self.method != call.method or not call.about.endswith(self.about) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Calls:
    """Notes calls, and does at each what a test has asked for; thread-safe."""

    def __init__(self) -> None:
        self.made: list[Call] = []
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def intervene(
        self,
        method: str,
        act: Callable[[], Any],
        *,
        when: When = "before",
        about: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """Call a function before or after a call of the fake is carried out, or instead: then its result is the call's.

        Args:
            method: which calls are meant.
            act: what is done; it may itself call the fake, and may raise.
            when: at which moment.
            about: how the subject of the calls that are meant ends.
            skip: how many of them pass first.
            times: how many are met then; None for all that follow.
        """
        with self._lock:
            self._rules.append(_Rule(method, act, when, about, skip, times))

    def carry_out(self, method: str, about: str, work: Callable[[], Result]) -> Result:
        """For the fake: note a call, and do it as the rules say."""
        call = Call(method, about)
        with self._lock:
            self.made.append(call)
            met = [rule for rule in self._rules if rule.meets(call)]
        acts: dict[When, list[Callable[[], Any]]] = {"before": [], "instead": [], "after": []}
        for rule in met:
            acts[rule.when].append(rule.act)
        for act in acts["before"]:
            act()
        result: Result = (acts["instead"] or [work])[0]()
        for act in acts["after"]:
            act()
        return result


def raising(error: Exception) -> Callable[[], NoReturn]:
    """What lets a call fail: before anything has happened or, ``when`` it is after, although it was carried out."""

    def act() -> NoReturn:
        raise error

    return act
