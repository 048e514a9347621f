"""How fast a registry may be read, so that a reader of many names stays below its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runner.oci.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config.aws import AwsKind
    from runner.runtime.lifetime import Lifetime

SPAN: Final = 1.1
"""Seconds in which as many requests are sent as a second may have: they arrive less evenly than they are sent."""


class Pulls(NamedTuple):
    """How many pulls a second a registry allows."""

    anonymous: int
    with_login: int


PULLS: Final[Mapping[AwsKind, Pulls]] = {"ecr-public": Pulls(1, 10)}
"""By what a registry is to AWS: one a second from an address, ten from an account (ECR Public's service quotas)."""


def pace_of(kind: AwsKind, *, has_login: bool, lifetime: Lifetime) -> Callable[[], object]:
    """Return what waits until one more name may be read; at once where no limit is known."""
    pulls = PULLS.get(kind)
    if pulls is None:
        return lambda: None
    return Turns(lifetime, pulls.with_login if has_login else pulls.anonymous, SPAN).take_turn
