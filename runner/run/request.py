"""What a run is asked for: the event, the configuration, the checkout and the route, resolved once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from runner.oci.manifest import CREATED, REVISION, SOURCE
from runner.run.plan.model import Identity
from runner.source.route import ReleasePath

if TYPE_CHECKING:
    from datetime import datetime

    from runner.chart.facts import ChartFacts
    from runner.config.load import Config, Service
    from runner.config.naming import Scheme
    from runner.config.settings import Settings
    from runner.oci.name import Name
    from runner.source.clone import Checkout
    from runner.source.event import Event
    from runner.source.route import Route


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
    def ref(self) -> str:
        """What releases: the ref that was pushed, or the tag that is taken to stand on HEAD."""
        return self.route.tag if isinstance(self.route, ReleasePath) else self.event.base_ref

    @property
    def created(self) -> datetime:
        """The commit's time: the only time that goes into artifacts."""
        return self.checkout.commit_time

    @property
    def annotations(self) -> dict[str, str]:
        """What every chart of this run carries: commit, repository and the commit's time in RFC 3339, UTC."""
        return {
            REVISION: self.identity.revision,
            SOURCE: self.identity.source,
            CREATED: f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
        }


@dataclass(frozen=True)
class Selected:
    """A service of this repository, and why this run releases it in this ``version``, or (None) does not."""

    service: Service
    version: str | None
    reason: str

    @property
    def selected(self) -> bool:
        """Whether this run releases it."""
        return self.version is not None


@dataclass(frozen=True)
class Chosen:
    """A service that this run releases, and in which version: MAJOR.MINOR.PATCH, on stable the resolved one."""

    service: Service
    version: str


class Desired(Protocol):
    """What a service's release should look like, as far as both paths agree on it."""

    @property
    def service(self) -> Service:
        """Whose release it is."""

    @property
    def scheme(self) -> Scheme:
        """The names' scheme."""

    @property
    def facts(self) -> ChartFacts:
        """What the chart states."""

    @property
    def images(self) -> tuple[Name, ...]:
        """The image's names, primary first."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the repository disagrees without harm."""
