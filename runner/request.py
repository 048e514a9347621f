"""What a run is asked for: the event, the configuration, the checkout and the route, resolved once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runner.plan import Identity

if TYPE_CHECKING:
    from datetime import datetime

    from runner.checkout import Checkout
    from runner.config import Config, Service
    from runner.event import Event
    from runner.route import Route
    from runner.settings import Settings


@dataclass(frozen=True)
class Request:
    """The beginning of the road, up to the route."""

    event: Event
    config: Config
    settings: Settings
    checkout: Checkout
    route: Route

    @cached_property
    def identity(self) -> Identity:
        """Commit and repository: what makes an artifact this release's."""
        return Identity(self.checkout.commit, self.event.source)

    @property
    def created(self) -> datetime:
        """The commit's time: the only time that goes into artifacts."""
        return self.checkout.commit_time


@dataclass(frozen=True)
class Selected:
    """A service of this repository, and whether this run releases it."""

    service: Service
    selected: bool
    reason: str
