"""Whether the registry can be written to: asked before anything is built, so that nothing is built in vain."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from runner.run.plan.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.config.catalog import CatalogData, CatalogKind
    from runner.config.load import Service
    from runner.config.naming import TemplateKind
    from runner.oci.name import Repository
    from runner.run.inputs import Inputs
    from runner.run.plan.model import Plan
    from runner.run.tools import Tools

TEMPLATES: Mapping[Kind, tuple[TemplateKind, ...]] = {Kind.IMAGE: ("image",), Kind.CHART: ("chart", "stable")}
"""The templates that give the names of each kind of artifact."""

CATALOG: Mapping[Kind, tuple[CatalogKind, CatalogKind]] = {
    Kind.IMAGE: ("image", "shared_images"),
    Kind.CHART: ("chart", "shared_charts"),
}
"""What the catalog says of one service's repositories, and of those of several services."""


class Planned(Protocol):
    """What is to be published of one service."""

    @property
    def service(self) -> Service:
        """The service."""
        ...

    @property
    def plan(self) -> Plan:
        """Its plan, which is final."""
        ...


def check_access(inputs: Inputs, planned: Iterable[Planned], tools: Tools) -> None:
    """Get credentials, make sure that repositories are there where AWS has them, and ask each registry to let us in.

    Raises:
        AwsPermissionMissing, AwsCredentialsUnusable, AwsSettingWrong, AwsFailed: AWS does not give what is needed.
        CredentialsRefused, RegistryFailed: a registry does not let this run in.
    """
    written = written_repositories(inputs, planned)
    with tools.record.step("access"):
        for registry in tools.aws:
            mine = {one.path: wanted for one, wanted in written.items() if one.host == registry.host}
            if mine:
                registry.prepare(mine)
        for repository in {repository.host: repository for repository in written}.values():
            tools.registry.check_access(repository)


def written_repositories(inputs: Inputs, planned: Iterable[Planned]) -> dict[Repository, CatalogData | None]:
    """Return every repository in which a name is to be written, and what the gallery shall show of it. Pure.

    A repository that holds images and charts is described by its images. None where the catalog says nothing.
    """
    catalog, settings = inputs.config.catalog, inputs.settings
    shared = _shared(inputs)
    found: dict[Kind, dict[Repository, CatalogData | None]] = defaultdict(dict)
    for one in planned:
        for kind in CATALOG:
            for repository in (publication.name.repository for publication in one.plan.to_publish(kind)):
                is_shared = repository.host == settings.registry.host and repository.path in shared[kind]
                words = CATALOG[kind][is_shared]
                data = None if catalog is None else catalog.data(words, one.service.name, inputs.config.platforms)
                found[kind][repository] = data
    return found[Kind.CHART] | found[Kind.IMAGE]


def _shared(inputs: Inputs) -> dict[Kind, set[str]]:
    """The paths of repositories that templates give to every service alike."""
    namespace = inputs.settings.registry.namespace
    prefix = f"{namespace}/" if namespace else ""
    schemes = {scheme for service in inputs.config.services.values() for scheme in service.naming}
    return {
        kind: {
            f"{prefix}{repository}"
            for scheme in schemes
            for template_kind in template_kinds
            for repository in (template.partition(":")[0] for template in scheme.templates(template_kind))
            if "{service}" not in repository
        }
        for kind, template_kinds in TEMPLATES.items()
    }
