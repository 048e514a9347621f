"""Each service on its own: worked on side by side, each step recorded, and one that fails does not stop the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.errors import ExitCode, ReleaseError, RunEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from runner.config.load import Service
    from runner.report.record import Record, Step, StepName

STOPS_THE_RUN = frozenset({ExitCode.USAGE, ExitCode.NOT_A_RELEASE, ExitCode.ENDED})
"""What is wrong with the whole run rather than with one service of it."""


class OfService(Protocol):
    """Anything that belongs to one service."""

    @property
    def service(self) -> Service:
        """Whose it is."""
        ...


class OpenStep(Protocol):
    """Opens a step of one service in the record."""

    def __call__(self, name: StepName) -> AbstractContextManager[Step]:
        """Record the step until the block ends."""
        ...


Item = TypeVar("Item", bound=OfService)
Result = TypeVar("Result")


def each_service(
    items: Iterable[Item], work: Callable[[Item, OpenStep], Result], record: Record, *, at_once: int
) -> tuple[Result, ...]:
    """Do the work for each item and return the results of those that passed, in order.

    Args:
        items: one for each service.
        work: what is done; it opens its steps with the function that it is given.
        record: gets each step, and what failed for which service; but not that the run was ended, which is no
            service's matter.
        at_once: how many are worked on at the same time.

    Raises:
        ReleaseError: one that stops the whole run; the others have come to their end before.
    """

    def guarded(item: Item) -> tuple[Result] | Exception:
        name = item.service.name
        try:
            return (work(item, partial(record.step, service=name)),)
        except Exception as error:  # noqa: BLE001 - kept as a value: the other services go on
            if not isinstance(error, RunEnded):
                record.fail(error, name)
            return error

    todo = tuple(items)
    if len(todo) <= 1:
        outcomes = [guarded(item) for item in todo]
    else:
        with ThreadPoolExecutor(at_once, thread_name_prefix="service") as pool:
            outcomes = list(pool.map(guarded, todo))
    results: list[Result] = []
    stopping: Exception | None = None
    for outcome in outcomes:
        if isinstance(outcome, tuple):
            results.append(outcome[0])
        elif isinstance(outcome, ReleaseError) and outcome.exit_code in STOPS_THE_RUN and not outcome.is_of_service:
            stopping = stopping or outcome
    if stopping is not None:
        raise stopping
    return tuple(results)
