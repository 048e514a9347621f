"""Asking AWS for something, and asking again what may pass on another attempt."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final, TypeVar

import tenacity

from runner.aws.problem import RAISED, read_problem
from runner.oci.retries import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.aws.problem import Operation
    from runner.errors import ReleaseError
    from runner.runtime.lifetime import Lifetime

Result = TypeVar("Result")


PAUSES: Final = RetryPolicy(first_pause=0.5)
SECONDS: Final = 60.0
"""How long after its first failure another call may still begin. botocore makes up to three attempts in each call."""


class _MayPass(Exception):
    """What failed may pass on another attempt; ``error`` is raised where none is left."""

    def __init__(self, error: ReleaseError) -> None:
        super().__init__(error.cause)
        self.error = error


class Caller:
    """Calls AWS as long as the run goes on. Thread-safe.

    Args:
        lifetime: ends the waits.
        seconds: how long after its first failure a call that may pass is made again.
        pauses: the pauses between the calls.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        lifetime: Lifetime,
        *,
        seconds: float = SECONDS,
        pauses: RetryPolicy = PAUSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime = lifetime
        self._seconds = seconds
        self._pauses = pauses
        self._clock = clock

    def remaining(self) -> float | None:
        """Seconds until the run's deadline; None without one."""
        return self._lifetime.remaining()

    def ask(self, operation: Operation, call: Callable[[], Result]) -> Result:
        """Call AWS and return what it answers.

        Args:
            operation: what is asked, for the error.
            call: makes the call; of what boto3 raises it handles what it expects.

        Raises:
            AwsPermissionMissing, AwsCredentialsUnusable, AwsSettingWrong, AwsFailed: as AWS answered.
            RunEnded: the run was ended.
        """
        failed: list[float] = []

        def attempt() -> Result:
            self._lifetime.check()
            try:
                return call()
            except RAISED as error:
                problem = read_problem(error, operation)
                if not problem.is_transient:
                    raise problem.error from None
                failed.append(self._clock())
                raise _MayPass(problem.error) from None

        def stop(state: tenacity.RetryCallState) -> bool:
            return self._clock() - failed[0] + state.upcoming_sleep > self._seconds

        def pause(state: tenacity.RetryCallState) -> float:
            return self._pauses.pause(state.attempt_number, None, random.random())  # noqa: S311  # jitter

        repeated = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_MayPass),
            wait=pause,
            stop=stop,
            sleep=self._lifetime.wait,
            reraise=True,
        )
        try:
            return repeated(attempt)
        except _MayPass as last:
            error = last.error
            if len(failed) > 1:
                times = f"{len(failed)} times, the last {failed[-1] - failed[0]:.0f} s after the first"
                error = type(error)(f"{error.cause} ({times})", remedy=error.remedy)
            raise error from None
