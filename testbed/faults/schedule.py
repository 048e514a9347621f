"""Faults by a schedule that follows from a seed: the same seed meets the same requests with the same faults.

``python -m testbed.faults.schedule --seed N`` prints one.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.faults.fault import Answer, Drop, Fault
from testbed.faults.requests import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.faults.proxy import FaultProxy
    from testbed.faults.requests import RequestKind

MOST = 8
"""How many entries a schedule has at most."""
LATEST = 6
"""Of how many requests of one kind the first one that is met is chosen."""
TIMES: Mapping[int | None, int] = {1: 60, 2: 15, 3: 10, 6: 5, 12: 5, None: 5}
"""How often a fault comes in a row (None: from then on always), and how many in a hundred do."""


@dataclass(frozen=True)
class Scheduled:
    """One entry: which requests are met, with what.

    Attributes:
        request: one of KINDS.
        skip: how many requests of the kind pass before.
        times: how many in a row are met; None: all that follow.
        words: what the fault is.
        fault: the fault.
    """

    request: str
    skip: int
    times: int | None
    words: str
    fault: Fault

    def __str__(self) -> str:
        often = "from then on" if self.times is None else "once" if self.times == 1 else f"{self.times} times"
        return f"{self.request}, number {self.skip + 1}, {often}: {self.words}"


@dataclass(frozen=True)
class FaultSchedule:
    """What is done to the requests of one run."""

    seed: int
    entries: tuple[Scheduled, ...]

    @classmethod
    def from_seed(cls, seed: int) -> FaultSchedule:
        """Draw a schedule: one to MOST entries, each for a kind of request and of a kind that can meet it."""
        draw = random.Random(seed)  # noqa: S311 - a schedule is no secret
        return cls(seed, tuple(_entry(draw) for _ in range(draw.randint(1, MOST))))

    @property
    def ends(self) -> bool:
        """Whether every fault ends some time, so that a client that is patient enough comes through."""
        return all(entry.times is not None for entry in self.entries)

    def apply(self, proxy: FaultProxy) -> None:
        """Have a proxy meet its next requests so."""
        for entry in self.entries:
            kind = KINDS[entry.request]
            proxy.meet(entry.fault, method=kind.method, path=kind.path, times=entry.times, skip=entry.skip)

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}", *(f"  {entry}" for entry in self.entries)])


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: which requests it can meet, and how one is drawn (the fault, and what it is in words)."""

    draw: Callable[[random.Random], tuple[Fault, str]]
    meets: Callable[[RequestKind], bool] = lambda _: True


def _fixed(fault: Fault, words: str) -> Callable[[random.Random], tuple[Fault, str]]:
    return lambda _: (fault, words)


def _status(draw: random.Random) -> tuple[Fault, str]:
    status = draw.choice((408, 500, 502, 503, 504))
    return Fault(answer=Answer.error(status)), f"answered {status}"


def _too_many(draw: random.Random) -> tuple[Fault, str]:
    status = draw.choice((429, 403, 503))
    after = draw.choice((None, "0", "1", "Fri, 31 Dec 1999 23:59:59 GMT") if status != 403 else ("0", "1"))  # noqa: PLR2004
    headers = {} if after is None else {"Retry-After": after}
    said = "" if after is None else f" with Retry-After: {after}"
    return Fault(answer=Answer.error(status, "TOOMANYREQUESTS", headers)), f"answered {status}{said}"


def _delay(draw: random.Random) -> tuple[Fault, str]:
    seconds = draw.choice((0.05, 0.2, 0.5, 3.0))
    return Fault(seconds=seconds), f"delayed by {seconds} s"


def _length(draw: random.Random) -> tuple[Fault, str]:
    wrong = draw.choice((-7, -1, 1, 1000))
    return Fault(length=wrong), f"Content-Length wrong by {wrong:+}"


def _lag(draw: random.Random) -> tuple[Fault, str]:
    reads = draw.randint(1, 5)
    return Fault(lag=reads), f"taken, but the next {reads} reads are answered 404"


def _drip(draw: random.Random) -> tuple[Fault, str]:
    seconds = draw.choice((0.02, 0.1))
    return Fault(drip=seconds), f"the body comes in pieces, {seconds} s apart"


FAULTS: Mapping[str, FaultKind] = {
    "status": FaultKind(_status),
    "too many requests": FaultKind(_too_many),
    "delay": FaultKind(_delay),
    "cut": FaultKind(_fixed(Fault(cut=True), "half of the body, then the end"), lambda kind: kind.has_body),
    "reset before": FaultKind(_fixed(Fault(drop=Drop.BEFORE, reset=True), "reset before the registry sees it")),
    "reset after": FaultKind(_fixed(Fault(drop=Drop.AFTER, reset=True), "reset after the registry has acted")),
    "drop before": FaultKind(_fixed(Fault(drop=Drop.BEFORE), "closed before the registry sees it")),
    "lost answer": FaultKind(_fixed(Fault(drop=Drop.AFTER), "closed after the registry has acted")),
    "drip": FaultKind(_drip, lambda kind: kind.has_body),
    "lying length": FaultKind(_length),
    "wrong bytes": FaultKind(_fixed(Fault(corrupt=True), "other bytes of the same length"), lambda kind: kind.has_body),
    "wrong digest": FaultKind(
        _fixed(Fault(wrong_digest=True), "Docker-Content-Digest of something else"),
        lambda kind: "/manifests/" in kind.path,
    ),
    "lag": FaultKind(_lag, lambda kind: kind.writes and "/manifests/" in kind.path),
}


def _entry(draw: random.Random) -> Scheduled:
    request = draw.choice(tuple(KINDS))
    kinds = [name for name, kind in FAULTS.items() if kind.meets(KINDS[request])]
    fault, words = FAULTS[draw.choice(kinds)].draw(draw)
    [times] = draw.choices(tuple(TIMES), tuple(TIMES.values()))
    return Scheduled(request, draw.randrange(LATEST), times, words, fault)


def main() -> None:
    """Print the schedule of a seed."""
    parser = argparse.ArgumentParser(description="Print what a seeded schedule does to the requests of a run.")
    parser.add_argument("--seed", type=int, required=True)
    print(FaultSchedule.from_seed(parser.parse_args().seed))


if __name__ == "__main__":
    main()
