"""What a release works with: the effects, opened once and handed to the stages that need them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.builders.go import GoBuilder
from runner.chart.helm import Helm
from runner.errors import UsageInvalid
from runner.oci.credentials import Chain, DockerConfig
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.run.publish import FolderDestination, RegistryDestination
from runner.tools import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.builders.builder import Builder
    from runner.oci.messages import Exchange
    from runner.oci.name import Name
    from runner.report.console import Log
    from runner.run.inputs import Inputs
    from runner.run.publish import Destination


@dataclass(frozen=True)
class Tools(Session):
    """A session, and what is there once the inputs are read; ``now`` gives the time in UTC."""

    registry: Registry
    helm: Helm
    builder: Builder
    destination: Destination
    now: Callable[[], datetime]


def open_tools(inputs: Inputs, session: Session) -> Tools:
    """Open what the run works with.

    Raises:
        UsageInvalid: the layout folder cannot be written.
    """
    build, settings, environment = inputs.config.build, inputs.settings, inputs.clone.environment
    registry = Registry(
        Transport(session.lifetime, session.environment, observe=Exchanges(session.log).tell),
        Chain((DockerConfig.find(session.environment),)),
    )
    session.record.update(layout_folder=str(settings.to_layout) if settings.to_layout else None)

    def written(name: Name) -> None:
        session.record.written(str(name))

    destination = (
        RegistryDestination(registry, session.lifetime, session.log.info, written=written)
        if settings.to_layout is None
        else FolderDestination(_writable(settings.to_layout), registry, written=written)
    )
    return Tools(
        **{field.name: getattr(session, field.name) for field in fields(Session)},
        registry=registry,
        helm=Helm(build.helm, session.run, environment, _tool_log(session, "helm")),
        builder=GoBuilder(build.go, session.run, environment, _tool_log(session, "go")),
        destination=destination,
        now=lambda: datetime.now(UTC),
    )


class Exchanges:
    """Logs requests: each for programs, and for people the first that a host does not answer as it should.

    Args:
        log: where to.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told: set[str] = set()

    def tell(self, exchange: Exchange) -> None:
        """Log one request."""
        self._log.debug("request", **asdict(exchange))
        if exchange.problem and exchange.host not in self._told:
            self._told.add(exchange.host)
            self._log.warning("trying again", host=exchange.host, problem=exchange.problem)


def _writable(folder: Path) -> Path:
    existing = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UsageInvalid(f"--to-layout: {folder} cannot be written, since {existing} cannot")
    return folder


def _tool_log(session: Session, tool: str) -> Path | None:
    return None if session.artifacts is None else session.artifacts / f"{tool}-build-log.txt"
