"""How often a step that failed is tried again, and how long the pauses between the attempts are."""

from __future__ import annotations

import email.utils
import itertools
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import tenacity

from runner.oci.messages import TransientFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.runtime.lifetime import Lifetime

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and for how long, a step is repeated. All times are in seconds.

    Args:
        attempts: the greatest number of attempts, the first one included.
        seconds: how long after its first failure another attempt may still begin.
        first_pause: the pause after the first failure; each later one is twice as long, less a random part.
        longest_pause: the limit of that doubling.
        longest_retry_after: the longest pause that a Retry-After header can ask for.
    """

    attempts: int = 8
    seconds: float = 60.0
    first_pause: float = 0.25
    longest_pause: float = 10.0
    longest_retry_after: float = 30.0

    def pause(self, failures: int, retry_after: float | None, chance: float) -> float:
        """Seconds to wait after this many failures; ``chance`` in [0, 1) shortens the pause by up to half."""
        if retry_after is not None:
            return min(retry_after, self.longest_retry_after)
        doubled = self.first_pause * 2.0 ** min(failures - 1, 60)
        return min(doubled, self.longest_pause) * (1.0 - chance / 2.0)

    def gives_up(self, failures: int, since_first_failure: float, pause: float) -> bool:
        """Whether to stop after this many failures, rather than to pause and try again."""
        return failures >= self.attempts or since_first_failure + pause > self.seconds


def read_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header, which is seconds or an HTTP date (RFC 9110, 10.2.3); None when it is neither.

    Args:
        value: the header, if there was one.
        now: seconds since the epoch.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip())
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, when.timestamp() - now)


def repeat(step: Callable[[int], Result], policy: RetryPolicy, lifetime: Lifetime) -> Result:
    """Call ``step`` with 1, 2, … until it raises no TransientFailure.

    Raises:
        RegistryFailed, RegistryAnswerWrong: as the last failure says, once the retries are used up.
        RunEnded: the run was ended.
    """
    attempts = itertools.count(1)
    first_failure: list[float] = []

    def attempt() -> Result:
        lifetime.check()
        try:
            return step(next(attempts))
        except TransientFailure:
            first_failure.append(time.monotonic())
            raise

    def pause(state: tenacity.RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        retry_after = failure.retry_after if isinstance(failure, TransientFailure) else None
        return policy.pause(state.attempt_number, retry_after, random.random())  # noqa: S311  # jitter

    def stop(state: tenacity.RetryCallState) -> bool:
        return policy.gives_up(state.attempt_number, time.monotonic() - first_failure[0], state.upcoming_sleep)

    repeated = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientFailure),
        wait=pause,
        stop=stop,
        sleep=lifetime.wait,
        reraise=True,
    )
    try:
        return repeated(attempt)
    except TransientFailure as failure:
        tried = len(first_failure)
        times = (
            "once"
            if tried == 1
            else f"{tried} times, the last {time.monotonic() - first_failure[0]:.0f} s after the first"
        )
        raise failure.error(f"{failure.request} failed {times}: {failure.problem}") from None
