"""Many services, released: their repositories in git, and what an ECR Public has of them; made within seconds.

What a release writes is put behind the servers of ECR Public, not sent through them: only what is read must be right,
so blobs are known by their names and hold nothing.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_IMAGE, RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.oci.manifest import (
    HELM_CHART,
    HELM_CONFIG,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REVISION,
    Manifest,
    Platform,
    digest_of,
)
from runner.versions import HistoryTag
from testbed.ecr_public.pushing import take
from testbed.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))


@dataclass
class Fleet:
    """Services whose images are ``SERVICE-controller:VERSION`` and whose charts are ``SERVICE-chart:VERSION``.

    Attributes:
        ecr: what has their images and charts.
        folder: for their repositories, and jobs.yaml.
        services: their names.
        commit: what every tag is at.
        tags: how many tags were written.
    """

    ecr: EcrPublic
    folder: Path
    services: Sequence[str]
    commit: str = ""
    tags: int = 0
    manifests: dict[str, Manifest] = field(default_factory=dict)
    """All that was put into the registry, by digest."""

    @property
    def base(self) -> str:
        """The address that the repositories are below."""
        return (self.folder / "git").as_uri()

    @property
    def config(self) -> Path:
        """jobs.yaml."""
        return self.folder / "jobs.yaml"

    def repository(self, service: str) -> Path:
        """The bare repository of a service."""
        return self.folder / "git" / f"{service}-controller"

    def write_refs(self, service: str, versions: Iterable[str], stable: str | None = None) -> None:
        """Let a service's repository have these tags and, where a commit is given, the branch stable."""
        lines = [f"{self.commit} refs/tags/v{version}" for version in versions]
        lines += [f"{stable} refs/heads/stable"] if stable else []
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(
            f"{line}\n" for line in sorted(lines, key=_ref)
        )
        (self.repository(service) / "packed-refs").write_text(text, encoding="utf-8")

    def publish(self, service: str, versions: Iterable[str]) -> None:
        """Let the registry have image and chart of these versions, made from the commit of every tag."""
        image = self._put(f"{service}-controller", _index({REVISION: self.commit}), PLATFORMS)
        where = f"{self.ecr.namespace}/{service}-controller@{image.digest}"
        chart = self._put(f"{service}-chart", _chart({REVISION: self.commit, RELEASE_IMAGE: where}))
        for version in versions:
            self.tag(f"{service}-controller", version, image)
            self.tag(f"{service}-chart", version, chart)

    def publish_stable(self, service: str, version: str, moved: datetime, commit: str | None = None) -> None:
        """Let stable of a major hold a chart that was made from this commit, with the history of one move."""
        revision = commit or self.commit
        image = f"{self.ecr.namespace}/{service}-controller@{_index({REVISION: self.commit}).digest}"
        stated = {REVISION: revision, RELEASE_IMAGE: image, RELEASE_VERSION: version, RELEASE_RESOLVED_VERSION: version}
        chart = self._put(f"{service}-chart", _chart(stated))
        stable = f"v{version.partition('.')[0]}-stable"
        for tag in (stable, str(HistoryTag.of_move(stable, moved, revision))):
            self.tag(f"{service}-chart", tag, chart)

    def tag(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Let a tag hold a manifest that is there."""
        repositories = self.ecr.state.repositories
        there = repositories.find(repository)
        if there is None:
            raise LookupError(repository)
        repositories.put(there, there.images[manifest.digest], tag)
        self.tags += 1

    def held(self, repository: str, tag: str) -> Manifest:
        """The manifest that a tag holds."""
        there = self.ecr.state.repositories.find(repository)
        if there is None:
            raise LookupError(repository)
        return self.manifests[there.tags[tag].digest]

    def remove(self, repository: str, tag: str) -> None:
        """Let a tag be gone."""
        there = self.ecr.state.repositories.find(repository)
        if there is None:
            raise LookupError(repository)
        self.ecr.state.repositories.untag(there, tag)

    def _put(self, repository: str, manifest: Manifest, platforms: Iterable[Platform] = ()) -> Manifest:
        there = self.ecr.state.repositories.create(repository) or self.ecr.state.repositories.find(repository)
        if there is None:
            raise LookupError(repository)
        for one in (*map(_child, platforms), manifest):
            there.blobs |= {blob.digest for blob in one.blobs}
            self.manifests[one.digest] = one
            take(self.ecr.state, there, one.body, one.media_type, one.digest)
        return manifest


def make_fleet(ecr: EcrPublic, folder: Path, services: Sequence[str]) -> Fleet:
    """Make the services' repositories, without any tag, and the jobs.yaml that lists them.

    Args:
        ecr: what has their images and charts.
        folder: an empty or missing folder.
        services: their names.

    Raises:
        ProgramFailed: git failed.
    """
    fleet = Fleet(ecr, folder, services)
    first = fleet.repository(services[0])
    first.mkdir(parents=True)
    git(first, "init", "--quiet", "--bare")
    tree = git(first, "hash-object", "-t", "tree", "-w", "--stdin")
    fleet.commit = git(first, "commit-tree", tree, "-m", "Release")
    for service in services[1:]:
        shutil.copytree(first, fleet.repository(service))
    document = {
        "registry": ecr.namespace,
        "naming": ["repo-per-service"],
        "aws": {"kind": "ecr-public"},
        "services": dict.fromkeys(services),
    }
    fleet.config.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return fleet


def _ref(line: str) -> str:
    return line.partition(" ")[2]


def _child(platform: Platform) -> Manifest:
    return _plain(OCI_CONFIG, OCI_LAYER, str(platform), {})


def _index(annotations: Mapping[str, str]) -> Manifest:
    children = [_child(platform).descriptor(platform).document() for platform in PLATFORMS]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children, "annotations": dict(annotations)}
    return Manifest.write(OCI_INDEX, document)


def _chart(annotations: Mapping[str, str]) -> Manifest:
    return _plain(HELM_CONFIG, HELM_CHART, "chart", annotations)


def _plain(config: str, layer: str, seed: str, annotations: Mapping[str, str]) -> Manifest:
    blobs = [{"mediaType": kind, "digest": digest_of(f"{kind} {seed}".encode()), "size": 1} for kind in (config, layer)]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blobs[0], "layers": blobs[1:]}
    return Manifest.write(OCI_MANIFEST, {**document, "annotations": dict(annotations)})
