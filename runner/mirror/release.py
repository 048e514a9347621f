"""What is copied: every name of a release that is there, what it holds, and what is attached to that."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runner.errors import RegistryAnswerWrong, ReleaseIncomplete
from runner.oci.name import Name
from runner.oci.referrers import Referrers, list_tag
from runner.published.observed import Published, PublishedChart, PublishedImage, observe
from runner.run.plan.model import Action, Kind
from runner.run.publish.copy import published_artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.config.load import Service
    from runner.config.naming import RegistryAddress
    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Manifest
    from runner.oci.name import Repository
    from runner.oci.registry import Registry
    from runner.published.observed import Observation
    from runner.versions import ReleaseVersion

SUFFIXES: Final = ("sig", "att", "sbom")
"""What cosign before version 3 appends to a digest's tag: what is attached has a name then, and no subject."""
MOST_ATTACHED: Final = 1000
"""How many attachments of one artifact are followed: whoever may write to the registry may attach any number."""


@dataclass(frozen=True)
class Part:
    """An artifact of a release, and the names that hold it; ``attached`` each after its own subject.

    ``where_other`` is what is done where one of its names holds something else at the place: a release's is refused,
    stable's moves, and what somebody has attached to the copy by a tag stays.
    """

    kind: Kind
    names: tuple[Name, ...]
    artifact: Artifact
    attached: tuple[Artifact, ...] = ()
    where_other: Action = Action.REFUSE


@dataclass(frozen=True)
class Wanted:
    """The names of a release under every scheme that its service accepts; ``stable`` is empty unless asked for."""

    version: str
    images: tuple[Name, ...]
    charts: tuple[Name, ...]
    stable: tuple[Name, ...] = ()


def wanted_names(service: Service, version: ReleaseVersion, address: RegistryAddress, *, stable: bool) -> Wanted:
    """Return what a release may be called. Pure."""
    text = str(version)
    schemes = service.naming

    def names(found: Iterable[tuple[Name, ...]]) -> tuple[Name, ...]:
        return tuple(dict.fromkeys(name for some in found for name in some))

    return Wanted(
        text,
        names(scheme.image_names(address, service.name, text) for scheme in schemes),
        names(scheme.chart_names(address, service.name, text) for scheme in schemes),
        names(scheme.stable_names(address, service.name, version.major) for scheme in schemes) if stable else (),
    )


def read_release(wanted: Wanted, registry: Registry) -> tuple[Part, ...]:
    """Read a release: its images first, then its charts, then stable's.

    Raises:
        ReleaseIncomplete: its image or its chart is not there, or a chart is for an image that is not.
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: it could not be read.
    """
    observed = observe((*wanted.images, *wanted.charts, *wanted.stable), registry)
    check_whole(wanted, observed)
    parts: list[Part] = []
    for kind, names, where_other in (
        (Kind.IMAGE, wanted.images, Action.REFUSE),
        (Kind.CHART, wanted.charts, Action.REFUSE),
        (Kind.CHART, wanted.stable, Action.PUBLISH),
    ):
        held: dict[str, list[Name]] = defaultdict(list)
        for name in names:
            if isinstance(found := observed[name], Published):
                held[found.digest].append(name)
        for alike in held.values():
            parts.extend(_parts(kind, tuple(alike), observed, registry, where_other))
    return tuple(parts)


def check_whole(wanted: Wanted, observed: Mapping[Name, Observation]) -> None:
    """Refuse to copy a release that users of the copy could not install. Pure.

    Raises:
        ReleaseIncomplete: see ``read_release``.
    """
    images = {found.digest for name in wanted.images if isinstance(found := observed[name], PublishedImage)}
    charts = [(name, found) for name in wanted.charts if isinstance(found := observed[name], PublishedChart)]
    for kind, is_there, names in (("image", images, wanted.images), ("chart", charts, wanted.charts)):
        if not is_there:
            raise ReleaseIncomplete(
                f"version {wanted.version} has no {kind}: nothing is published as {' or '.join(map(str, names))}"
            )
    for name, chart in charts:
        if chart.image_digest is not None and chart.image_digest not in images:
            raise ReleaseIncomplete(
                f"{name} was released with the image {chart.image_digest}, which no name of {wanted.version} holds"
            )
    stable = [(name, found) for name in wanted.stable if isinstance(found := observed[name], PublishedChart)]
    if wanted.stable and not stable:
        raise ReleaseIncomplete(
            f"stable is not published: there is nothing under {' or '.join(map(str, wanted.stable))}",
            remedy="Copy the release without --stable, or push the branch stable first.",
        )
    for name, chart in stable:
        if chart.image_digest not in images | {None} or chart.app_version.removeprefix("v") != wanted.version:
            raise ReleaseIncomplete(
                f"{name} is of version {chart.app_version or 'unknown'}, and not of {wanted.version}",
                remedy="Copy that version with --stable, or this one without.",
            )


def _parts(
    kind: Kind,
    names: tuple[Name, ...],
    observed: Mapping[Name, Observation],
    registry: Registry,
    where_other: Action,
) -> tuple[Part, ...]:
    """What holds one digest: the artifact, after what cosign's older tags attach to it in each of its repositories."""
    found = observed[names[0]]
    if not isinstance(found, Published):
        raise TypeError(f"{names[0]} is not there")
    artifact = published_artifact(names[0], found, registry)
    tagged: list[Part] = []
    attached: dict[str, Artifact] = {}
    for repository in dict.fromkeys(name.repository for name in names):
        for subject in (artifact.root, *artifact.children):
            tagged.extend(_tagged(kind, repository, subject, registry))
        attached |= {one.root.digest: one for one in attached_to(repository, artifact, registry)}
    return (*tagged, Part(kind, names, artifact, tuple(attached.values()), where_other))


def _tagged(kind: Kind, repository: Repository, subject: Manifest, registry: Registry) -> list[Part]:
    parts = []
    for suffix in SUFFIXES:
        name = Name(repository, f"{list_tag(subject.digest)}.{suffix}")
        manifest = registry.manifest(repository, name.tag)
        if manifest is not None:
            artifact = published_artifact(name, PublishedImage(manifest), registry)
            parts.append(Part(kind, (name,), artifact, where_other=Action.SKIP))
    return parts


def attached_to(repository: Repository, artifact: Artifact, registry: Registry) -> tuple[Artifact, ...]:
    """Return what is attached to an artifact, to a part of it, or to one of these attachments, each after its subject.

    Raises:
        RegistryAnswerWrong: one is listed and does not answer, or there are more than MOST_ATTACHED.
        RegistryFailed, CredentialsRefused, RunEnded: they could not be read.
    """
    referrers = Referrers(registry)
    found: dict[str, Artifact] = {}
    subjects = [artifact.root.digest, *(child.digest for child in artifact.children)]
    for subject in subjects:
        for entry in referrers.of(repository, subject):
            if entry.digest in found or entry.digest in subjects:
                continue
            found[entry.digest] = _attachment(repository, entry.digest, registry)
            subjects.append(entry.digest)
            if len(found) > MOST_ATTACHED:
                raise RegistryAnswerWrong(
                    f"{repository}@{artifact.root.digest} has more than {MOST_ATTACHED} attachments"
                )
    return tuple(found.values())


def _attachment(repository: Repository, digest: str, registry: Registry) -> Artifact:
    manifest = registry.manifest(repository, digest)
    if manifest is None:
        raise RegistryAnswerWrong(f"{repository}@{digest} is listed as attached, but cannot be read")
    return published_artifact(Name(repository, list_tag(digest)), PublishedImage(manifest), registry)
