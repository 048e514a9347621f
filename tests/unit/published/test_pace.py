from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.published.pace import SPAN, pace_of
from testbed.memory.lifetime import MemoryLifetime

if TYPE_CHECKING:
    from runner.config.aws import AwsKind


@pytest.mark.parametrize(("has_login", "at_once"), [(False, 1), (True, 10)])
def test_public_registry(*, has_login: bool, at_once: int) -> None:
    """ECR Public is asked once a second, or ten times by an account; what comes sooner waits."""
    lifetime = MemoryLifetime()
    pace = pace_of("ecr-public", has_login=has_login, lifetime=lifetime)
    for _ in range(at_once):
        pace()
    assert lifetime.pauses == []
    pace()
    assert lifetime.pauses == [pytest.approx(SPAN, abs=0.5)]


@pytest.mark.parametrize("kind", ["ecr", "none"])
def test_other_registries(kind: AwsKind) -> None:
    """Where no limit is known, nobody waits."""
    lifetime = MemoryLifetime()
    pace = pace_of(kind, has_login=False, lifetime=lifetime)
    for _ in range(100):
        pace()
    assert lifetime.pauses == []
