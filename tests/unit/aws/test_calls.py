from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runner.aws.calls import Caller
from runner.aws.problem import Operation
from runner.errors import AwsFailed, AwsPermissionMissing, RunEnded
from runner.oci.retries import RetryPolicy
from testbed.memory.lifetime import MemoryLifetime

OPERATION = Operation("ecr-public:CreateRepository", "the job's own identity")


def answered(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "because"}}, "CreateRepository")


class Failing:
    """A call that fails with these codes, one after the other, the last of them again and again, or then passes."""

    def __init__(self, *codes: str, passes: bool = True) -> None:
        self.codes = list(codes)
        self.passes = passes
        self.made = 0

    def __call__(self) -> str:
        """Fail, or pass."""
        self.made += 1
        if self.made <= len(self.codes) or not self.passes:
            raise answered(self.codes[min(self.made, len(self.codes)) - 1])
        return "done"


def caller(lifetime: MemoryLifetime, **limits: Any) -> Caller:
    return Caller(lifetime, **limits, clock=lifetime.now)


def test_repeated_until_it_passes() -> None:
    """What may pass is asked again, after pauses that grow."""
    lifetime, call = MemoryLifetime(), Failing("ThrottlingException", "ServiceUnavailable", "Throttling")
    assert caller(lifetime).ask(OPERATION, call) == "done"
    assert call.made == 4
    assert [0.25 <= pause <= 0.5 * 2**place for place, pause in enumerate(lifetime.pauses)] == [True] * 3


def test_bounded_in_time() -> None:
    """It is asked for no longer than is allowed, and the error says how often and for how long it was."""
    lifetime, call = MemoryLifetime(), Failing("ThrottlingException", passes=False)
    with pytest.raises(AwsFailed, match=r"ThrottlingException: because \(\d+ times, the last \d+ s after the first\)"):
        caller(lifetime, seconds=20.0, pauses=RetryPolicy(first_pause=0.5, longest_pause=4.0)).ask(OPERATION, call)
    assert lifetime.now() <= 20.0
    assert call.made == len(lifetime.pauses) + 1
    assert max(lifetime.pauses) <= 4.0


def test_what_does_not_pass_is_asked_once() -> None:
    """What another attempt would not change is raised at once."""
    lifetime, call = MemoryLifetime(), Failing("AccessDeniedException", passes=False)
    with pytest.raises(AwsPermissionMissing):
        caller(lifetime).ask(OPERATION, call)
    assert (call.made, lifetime.pauses) == (1, [])


def test_ended_run() -> None:
    """A run that was ended asks for nothing, and does not wait."""
    lifetime, call = MemoryLifetime(), Failing("Throttling", passes=False)
    lifetime.end("SIGTERM")
    with pytest.raises(RunEnded):
        caller(lifetime).ask(OPERATION, call)
    assert call.made == 0


def test_ended_while_it_waits() -> None:
    """A run that is ended between two attempts makes no further one."""
    lifetime = MemoryLifetime()
    made: list[None] = []

    def call() -> None:
        made.append(None)
        lifetime.end("SIGTERM")
        raise answered("Throttling")

    with pytest.raises(RunEnded):
        caller(lifetime).ask(OPERATION, call)
    assert len(made) == 1


def test_bugs_are_not_caught() -> None:
    """An error that AWS cannot be the reason of is a bug, and stays one."""

    def call() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        caller(MemoryLifetime()).ask(OPERATION, call)
