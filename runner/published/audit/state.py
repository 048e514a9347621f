"""What is known of one service: its refs in git, the registry's tags, and the manifests that were read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from runner.config.naming import fill
from runner.published.history import history_names
from runner.published.observed import Published, PublishedChart
from runner.versions import HistoryTag, ReleaseVersion, StableChannel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from runner.config.load import Service
    from runner.config.naming import RegistryAddress, TemplateKind
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name, Repository
    from runner.source.remote import RemoteRefs

MARK = "0.0.0"
"""Stands for any version or major where a template is to be filled."""


@dataclass(frozen=True)
class Names:
    """The names of one version under one scheme, primary ones first."""

    scheme: str
    images: tuple[Name, ...]
    charts: tuple[Name, ...]


@dataclass(frozen=True)
class ServiceState:
    """One service, as far as it has been read.

    Attributes:
        service: which one.
        address: the registry.
        refs: what its repository has.
        tags: the tags of each repository that its names are in; a repository that is not there has none.
        manifests: what was read under names; None where the registry says that nothing is there.
    """

    service: Service
    address: RegistryAddress
    refs: RemoteRefs
    tags: Mapping[Repository, Collection[str]]
    manifests: Mapping[Name, Manifest | None] = field(default_factory=dict)

    def with_manifests(self, manifests: Mapping[Name, Manifest | None]) -> ServiceState:
        """The same, with more manifests read."""
        return replace(self, manifests={**self.manifests, **manifests})

    def has(self, name: Name) -> bool:
        """Whether a name is there: listed, and not found to be gone since."""
        is_gone = name in self.manifests and self.manifests[name] is None
        return name.tag in self.tags.get(name.repository, ()) and not is_gone

    def published(self, name: Name) -> Published | None:
        """What was read under a name; None where nothing was read, or nothing is there."""
        manifest = self.manifests.get(name)
        return None if manifest is None else Published(manifest)

    def chart(self, name: Name) -> PublishedChart | None:
        """The same of a chart's name; its appVersion is not read."""
        manifest = self.manifests.get(name)
        return None if manifest is None else PublishedChart(manifest)

    def names(self, version: ReleaseVersion) -> tuple[Names, ...]:
        """The names of a version under each accepted scheme."""
        name, text = self.service.name, str(version)
        return tuple(
            Names(
                scheme.label,
                scheme.image_names(self.address, name, text),
                scheme.chart_names(self.address, name, text),
            )
            for scheme in self.service.naming
        )

    @cached_property
    def published_versions(self) -> tuple[ReleaseVersion, ...]:
        """The versions of which any name is there, ascending."""
        texts = {text for kind in ("image", "chart") for text in self._fields(kind)}
        return tuple(sorted(version for text in texts if (version := _release(text)) is not None))

    @cached_property
    def versions(self) -> tuple[ReleaseVersion, ...]:
        """The versions that are tagged in git or published, ascending."""
        return tuple(sorted({*self.refs.releases, *self.published_versions}))

    @cached_property
    def stable_names(self) -> Mapping[StableChannel, tuple[Name, ...]]:
        """The names of each major that has a stable chart or the history of one, whichever scheme they belong to."""
        found: dict[StableChannel, dict[Name, None]] = {}
        majors = set(self._fields("stable", histories=True))
        channels = {channel for text in majors if (channel := StableChannel.of_chart(f"{text}-stable")) is not None}
        for channel in sorted(channels):
            for scheme in self.service.naming:
                for name in scheme.stable_names(self.address, self.service.name, channel.major):
                    if self.has(name) or self.history(name):
                        found.setdefault(channel, {})[name] = None
        return {channel: tuple(names) for channel, names in found.items()}

    def history(self, name: Name) -> tuple[Name, ...]:
        """The history names of a moving name, oldest first."""
        return tuple(one for one in history_names(name, self.tags.get(name.repository, ())) if self.has(one))

    def _fields(self, kind: TemplateKind, *, histories: bool = False) -> Iterator[str]:
        """What stands in the place of the version or major in the tags that fit a template of this kind."""
        for template in {template: None for scheme in self.service.naming for template in scheme.templates(kind)}:
            pattern = self.address.name(fill(template, service=self.service.name, version=MARK, major=MARK))
            before, _, after = pattern.tag.rpartition(MARK)
            for tag in self.tags.get(pattern.repository, ()):
                if not tag.startswith(before):
                    continue
                history = HistoryTag.of_tag(tag) if histories else None
                whole = tag if history is None else history.stable
                if len(whole) > len(before) + len(after) and whole.endswith(after):
                    yield whole[len(before) : len(whole) - len(after)]


def repositories_of(service: Service, address: RegistryAddress) -> tuple[Repository, ...]:
    """The repositories that a service's names are in, under any accepted scheme."""
    names = (
        address.name(fill(template, service=service.name, version=MARK, major=MARK)).repository
        for scheme in service.naming
        for kind in ("image", "chart", "stable")
        for template in scheme.templates(kind)
    )
    return tuple(dict.fromkeys(names))


def _release(text: str) -> ReleaseVersion | None:
    try:
        return ReleaseVersion.parse(text)
    except ValueError:
        return None
