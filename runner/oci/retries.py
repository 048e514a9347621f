"""How often a step that failed is tried again, and how long the pauses between the attempts are."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import tenacity

from runner.oci.dates import read_http_date
from runner.oci.messages import TransientFailure, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.oci.patience import Patience

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a step is repeated, and with which pauses. All times are in seconds.

    How long a run waits in all, its ``Patience`` decides.

    Args:
        attempts: the greatest number of attempts of one step, the first one included.
        first_pause: the pause after the first failure; each later one is twice as long, less a random part.
        longest_pause: the limit of that doubling.
        longest_retry_after: the longest pause that a Retry-After header can ask for.
    """

    attempts: int = 100
    first_pause: float = 0.25
    longest_pause: float = 10.0
    longest_retry_after: float = 60.0

    def pause(self, failures: int, retry_after: float | None, chance: float) -> float:
        """Seconds to wait after this many failures; ``chance`` in [0, 1) shortens the pause by up to half."""
        if retry_after is not None:
            return min(retry_after, self.longest_retry_after)
        doubled = self.first_pause * 2.0 ** min(failures - 1, 60)
        return min(doubled, self.longest_pause) * (1.0 - chance / 2.0)


def read_retry_after(value: str | None, now: float, *, date: str | None = None) -> float | None:
    """Read a Retry-After header, which is seconds or an HTTP date (RFC 9110, 10.2.3); None when it is neither.

    Args:
        value: the header, if there was one.
        now: seconds since the epoch, by this machine's clock.
        date: the answer's Date header, if there was one: what the host's own clock says counts before this machine's.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip())
    when, answered = read_http_date(value), None if date is None else read_http_date(date)
    return None if when is None else max(0.0, when - (now if answered is None else answered))


def repeat(step: Callable[[int], Result], policy: RetryPolicy, patience: Patience) -> Result:
    """Call ``step`` with 1, 2, … until it raises no TransientFailure.

    Where a host says that it gets too many requests, all requests to it pause together.

    Raises:
        RegistryFailed, RegistryAnswerWrong, NotVisibleYet, ProxyUnusable: as the last failure says, once it is clear
            that no further attempt helps, or the run's time for waiting is used up.
        RunEnded: the run was ended.
    """
    attempts = itertools.count(1)
    failures: list[TransientFailure] = []
    began: list[float] = []

    def attempt() -> Result:
        patience.check()
        try:
            return step(next(attempts))
        except TransientFailure as failure:
            failures.append(failure)
            patience.waited(failure.wait, failure.waited)
            began.append(patience.now())
            raise

    def pause(_: tenacity.RetryCallState) -> float:
        wanted = policy.pause(len(failures), failures[-1].retry_after, patience.chance())
        return wanted if failures[-1].retry_after is not None else min(wanted, patience.left(failures[-1].wait))

    def stop(state: tenacity.RetryCallState) -> bool:
        last = failures[-1]
        hopeless = last.attempts is not None and sum(one.attempts is not None for one in failures) >= last.attempts
        left = patience.left(last.wait)
        return hopeless or len(failures) >= policy.attempts or left <= 0 or state.upcoming_sleep > left

    def sleep(seconds: float) -> None:
        last = failures[-1]
        if last.wait is Wait.RATE_LIMITED:
            patience.pause_host(last.request.host, seconds, last.problem)
            patience.await_host(last.request.host)
        else:
            patience.wait(last.wait, seconds, last.request.host, last.problem)

    repeated = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientFailure), wait=pause, stop=stop, sleep=sleep, reraise=True
    )
    try:
        return repeated(attempt)
    except TransientFailure as failure:
        raise failure.error(_cause(failure, len(failures), began[-1] - began[0]), remedy=failure.remedy) from None


def _cause(failure: TransientFailure, tried: int, seconds: float) -> str:
    if failure.wait is Wait.NOT_VISIBLE:
        return f"{failure.request}: pushed, but not yet visible after {seconds:.0f} s: {failure.problem}"
    times = "once" if tried == 1 else f"{tried} times, the last {seconds:.0f} s after the first"
    return f"{failure.request} failed {times}: {failure.problem}"
