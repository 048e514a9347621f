"""Services as git and a registry might have them: in order, and each with one thing broken."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE, RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.config.load import Service
from runner.config.naming import PRESETS, RegistryAddress, Scheme
from runner.oci.manifest import (
    HELM_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REVISION,
    Manifest,
    Platform,
    digest_of,
)
from runner.oci.name import Name, Repository
from runner.published.audit.decide import decide, to_read
from runner.published.audit.state import ServiceState
from runner.source.remote import RemoteRefs
from runner.versions import HistoryTag, ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from runner.published.audit.kinds import Finding

ADDRESS = RegistryAddress.parse("registry.example/ns")
BOTH = (Platform("linux", "amd64"), Platform("linux", "arm64"))


def commit_of(number: int) -> str:
    """The id of a commit."""
    return f"{number:040x}"


def image_manifest(revision: str | None, seed: str = "", platforms: tuple[Platform, ...] = BOTH) -> Manifest:
    """An image's index; ``seed`` makes its digest another one."""
    children = [
        {"mediaType": OCI_MANIFEST, "digest": digest_of(f"{seed}{platform}".encode()), "size": 1}
        | {"platform": platform.document()}
        for platform in platforms
    ]
    annotations = {REVISION: revision} if revision else {}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children, "annotations": annotations}
    return Manifest.write(OCI_INDEX, document)


def chart_manifest(
    revision: str | None, image: tuple[Name, Manifest] | None, version: str, resolved: str | None = None, seed: str = ""
) -> Manifest:
    """A chart's manifest; ``resolved`` makes it a stable chart."""
    config = {"mediaType": HELM_CONFIG, "digest": digest_of(f"{version}{seed}".encode()), "size": 1}
    stated = {
        REVISION: revision,
        RELEASE_IMAGE: f"{image[0].repository}@{image[1].digest}" if image else None,
        RELEASE_VERSION: version if revision else None,
        RELEASE_RESOLVED_VERSION: resolved,
    }
    annotations = {key: value for key, value in stated.items() if value}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    return Manifest.write(OCI_MANIFEST, {**document, "annotations": annotations})


def plain_manifest() -> Manifest:
    """An image without an index, annotations or anything."""
    config = {"mediaType": OCI_CONFIG, "digest": digest_of(b"config"), "size": 1}
    return Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []})


@dataclass
class World:
    """One service in git and in a registry; ``reads`` are the names whose manifests an audit asked for."""

    schemes: tuple[str, ...] = ("seed", "repo-per-service-v", "repo-per-service")
    name: str = "s3"
    address: RegistryAddress = ADDRESS
    releases: dict[ReleaseVersion, str] = field(default_factory=dict)
    branch: str | None = None
    held: dict[Name, Manifest] = field(default_factory=dict)
    reads: list[Name] = field(default_factory=list)

    @property
    def service(self) -> Service:
        """The service, as jobs.yaml has it."""
        naming = tuple(PRESETS[label] for label in self.schemes)
        return Service(self.name, f"{self.name}-controller", ".", "helm", "./cmd/controller", naming)

    def scheme(self, label: str | None = None) -> Scheme:
        """An accepted scheme; the first when left out."""
        return PRESETS[label or self.schemes[0]]

    def images(self, version: str, label: str | None = None) -> tuple[Name, ...]:
        """The image's names."""
        return self.scheme(label).image_names(self.address, self.name, version)

    def charts(self, version: str, label: str | None = None) -> tuple[Name, ...]:
        """The chart's names."""
        return self.scheme(label).chart_names(self.address, self.name, version)

    def stables(self, major: int, label: str | None = None) -> tuple[Name, ...]:
        """The stable chart's names."""
        return self.scheme(label).stable_names(self.address, self.name, major)

    def release(self, version: str, commit: str, label: str | None = None, *, made_from: str | None = "tag") -> None:
        """Tag a version at a commit and publish it; ``made_from`` is what is published says, None for no commit."""
        self.releases[ReleaseVersion.parse(version)] = commit
        self.publish(version, commit if made_from == "tag" else made_from, label)

    def publish(self, version: str, revision: str | None, label: str | None = None) -> None:
        """Publish a version's image and chart under one scheme."""
        image = image_manifest(revision, f"{version}{label}")
        images = self.images(version, label)
        self.held |= dict.fromkeys(images, image)
        chart = chart_manifest(revision, (images[0], image) if revision else None, version, seed=str(label))
        self.held |= dict.fromkeys(self.charts(version, label), chart)

    def move_stable(self, version: str, commit: str, moved: datetime, label: str | None = None) -> None:
        """Let the branch be at a commit, and stable hold the chart of that, which deploys this version."""
        self.branch = commit
        image = self.images(version, label)[0]
        chart = chart_manifest(commit, (image, self.held[image]), version, resolved=version)
        for name in self.stables(ReleaseVersion.parse(version).major, label):
            self.held[name] = chart
            self.held[Name(name.repository, str(HistoryTag.of_move(name.tag, moved, commit)))] = chart

    @property
    def tags(self) -> Mapping[Repository, frozenset[str]]:
        """The registry's lists."""
        listed: dict[Repository, set[str]] = defaultdict(set)
        for name in self.held:
            listed[name.repository].add(name.tag)
        return {repository: frozenset(tags) for repository, tags in listed.items()}

    def state(self, *, deep: bool = False) -> ServiceState:
        """All that an audit reads of it."""
        state = ServiceState(self.service, self.address, RemoteRefs(dict(self.releases), self.branch), self.tags)
        self.reads.clear()
        while wanted := to_read(state, deep=deep):
            self.reads += wanted
            state = state.with_manifests({name: self.held.get(name) for name in wanted})
        return state

    def findings(self, *, deep: bool = False) -> tuple[Finding, ...]:
        """What an audit finds."""
        return decide(self.state(deep=deep))

    def codes(self, *, deep: bool = False) -> list[str]:
        """The kinds of what it finds."""
        return [finding.kind.code for finding in self.findings(deep=deep)]
