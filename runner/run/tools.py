"""What a release works with: the effects, opened once and passed to the stages that need them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.aws.kind import registry_kind
from runner.errors import UsageInvalid
from runner.run.publish.anonymous import AnonymousReader
from runner.run.publish.layout import LayoutDestination
from runner.run.publish.registry import RegistryDestination
from runner.runtime.storage import refusal_to_write
from runner.runtime.workspace import offline
from runner.session import Session, open_aws, open_builder, open_helm, open_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.aws.registry import AwsRegistry
    from runner.builders.builder import Builder
    from runner.chart.helm import Helm
    from runner.config.aws import AwsKind
    from runner.config.load import Config
    from runner.oci.name import Name
    from runner.oci.registry import Registry
    from runner.run.inputs import Inputs
    from runner.run.publish.destination import Destination


@dataclass(frozen=True)
class Tools(Session):
    """A session, and what is there once the inputs are read.

    ``now`` gives the time in UTC. ``aws`` are the registries of AWS's that are written to: none where nothing is
    published, or where they are not AWS's.
    """

    registry: Registry
    helm: Helm
    builder: Builder
    destination: Destination
    now: Callable[[], datetime]
    aws: tuple[AwsRegistry, ...] = ()

    def service_folder(self, service: str) -> Path:
        """Where the files of one service are, until it is published."""
        return self.folder / "services" / service


def open_tools(inputs: Inputs, session: Session, *, only_plan: bool) -> Tools:
    """Open what the run works with.

    Args:
        inputs: what is asked for.
        session: what it works in.
        only_plan: whether nothing is to be published: then AWS is asked for nothing, as with a layout folder.

    Raises:
        UsageInvalid: the layout folder cannot be made.
        StorageUnusable: it cannot be written.
        ConfigurationInvalid: AWS would be asked for repositories, and the catalog is not there.
    """
    build, settings, environment = inputs.config.build, inputs.settings, inputs.clone.environment
    kinds = _kinds(inputs) if settings.to_layout is None else {}
    if inputs.config.catalog_absent is not None and set(kinds.values()) - {"none"}:
        raise inputs.config.catalog_absent
    event = inputs.event
    aws = open_aws(session, inputs.config.aws, {} if only_plan else kinds, job=event.job, build=event.build_id)
    registry = open_registry(session, aws)
    session.record.update(layout_folder=str(settings.to_layout) if settings.to_layout else None)

    def written(name: Name, digest: str | None) -> None:
        session.record.written(str(name), digest)

    destination = (
        RegistryDestination(
            registry,
            session.lifetime,
            session.log.info,
            written=written,
            anonymous=AnonymousReader(
                registry.without_credentials(),
                session.lifetime,
                lambda host: reads_anonymously(host, inputs.config),
                report=session.log.info,
            ),
        )
        if settings.to_layout is None
        else LayoutDestination(_writable(settings.to_layout), registry, written=written)
    )
    return Tools(
        **{field.name: getattr(session, field.name) for field in fields(Session)},
        registry=registry,
        helm=open_helm(session, build.helm, offline(environment)),
        builder=open_builder(session, settings.builder, build.programs, environment),
        destination=destination,
        now=lambda: datetime.now(UTC),
        aws=aws,
    )


def _kinds(inputs: Inputs) -> dict[str, AwsKind]:
    """What each registry that may be written to is to AWS, by its host."""
    settings = inputs.settings
    hosts = [settings.registry.host]
    hosts += [] if settings.image_repository is None else [settings.image_repository.host]
    hosts += [] if settings.image is None else [settings.image.repository.host]
    return {host: registry_kind(host, inputs.config) for host in hosts}


def reads_anonymously(host: str, config: Config) -> bool:
    """Whether what a host holds is read without credentials in the end: as jobs.yaml says, else on ECR Public."""
    configured = config.verify.anonymous
    return registry_kind(host, config) == "ecr-public" if configured is None else configured


def _writable(folder: Path) -> Path:
    existing = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    if not existing.is_dir():
        raise UsageInvalid(f"--to-layout: {folder} cannot be written, since {existing} cannot")
    if (problem := refusal_to_write(existing)) is not None:
        raise problem
    return folder
