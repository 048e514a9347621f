"""What a release works with: the effects, opened once and passed to the stages that need them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.errors import UsageInvalid
from runner.run.publish.layout import LayoutDestination
from runner.run.publish.registry import RegistryDestination
from runner.runtime.storage import refusal_to_write
from runner.session import Session, open_builder, open_helm, open_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.builders.builder import Builder
    from runner.chart.helm import Helm
    from runner.oci.name import Name
    from runner.oci.registry import Registry
    from runner.run.inputs import Inputs
    from runner.run.publish.destination import Destination


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
        UsageInvalid: the layout folder cannot be made.
        StorageUnusable: it cannot be written.
    """
    build, settings, environment = inputs.config.build, inputs.settings, inputs.clone.environment
    registry = open_registry(session)
    session.record.update(layout_folder=str(settings.to_layout) if settings.to_layout else None)

    def written(name: Name) -> None:
        session.record.written(str(name))

    destination = (
        RegistryDestination(registry, session.lifetime, session.log.info, written=written)
        if settings.to_layout is None
        else LayoutDestination(_writable(settings.to_layout), registry, written=written)
    )
    return Tools(
        **{field.name: getattr(session, field.name) for field in fields(Session)},
        registry=registry,
        helm=open_helm(session, build.helm, environment),
        builder=open_builder(session, settings.builder, build.programs, environment),
        destination=destination,
        now=lambda: datetime.now(UTC),
    )


def _writable(folder: Path) -> Path:
    existing = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    if not existing.is_dir():
        raise UsageInvalid(f"--to-layout: {folder} cannot be written, since {existing} cannot")
    if (problem := refusal_to_write(existing)) is not None:
        raise problem
    return folder
