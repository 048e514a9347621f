"""What a chart says about its release, and whether that agrees with the tag and the naming. Nothing is run here."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from runner.chart.text import Mapped, YamlInvalid
from runner.config.naming import fill
from runner.errors import ChartDisagrees, ChartMissing, ReleaseError, StableDisagrees
from runner.oci.name import Name
from runner.versions import ReleaseVersion, StableChannel, is_read_by_helm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.config.naming import RegistryAddress, Scheme

CHART_FILE = "Chart.yaml"
VALUES_FILE = "values.yaml"
NOTES_FILE = "templates/NOTES.txt"
KUSTOMIZATION_FILE = "config/controller/kustomization.yaml"

PLACES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "name": (CHART_FILE, ("name",)),
        "version": (CHART_FILE, ("version",)),
        "app_version": (CHART_FILE, ("appVersion",)),
        "image_repository": (VALUES_FILE, ("image", "repository")),
        "image_tag": (VALUES_FILE, ("image", "tag")),
    }
)
"""The file and the path of keys of each fact."""


NAMING_REMEDY = (
    "Regenerate the release artifacts for this version, commit them, and tag that commit; or add the naming scheme of"
    " these names to naming: in jobs.yaml."
)


@dataclass(frozen=True)
class ChartFacts:
    """What a chart states, as text; ``lines`` says on which line of its file each fact stands, counted from 1."""

    folder: str
    name: str
    version: str
    app_version: str
    image_repository: str
    image_tag: str
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def image(self) -> str:
        """The image that the values name, as a cluster would pull it."""
        return f"{self.image_repository}:{self.image_tag}"

    def where(self, fact: str) -> str:
        """File, line and key of a fact, e.g. ``helm/values.yaml:6: image.tag``."""
        file, path = PLACES[fact]
        line = self.lines.get(fact)
        place = f"{self.folder}/{file}" if line is None else f"{self.folder}/{file}:{line}"
        return f"{place}: {'.'.join(path)}"

    def says(self, fact: str) -> str:
        """Where a fact stands and what it is."""
        return f"{self.where(fact)} is {getattr(self, fact)}"


def chart_files(folder: str) -> tuple[str, str, str, str]:
    """The files of a chart that are judged: Chart.yaml, values.yaml, NOTES.txt, and the kustomization beside it."""
    kustomization = posixpath.normpath(posixpath.join(folder, "..", KUSTOMIZATION_FILE))
    return f"{folder}/{CHART_FILE}", f"{folder}/{VALUES_FILE}", f"{folder}/{NOTES_FILE}", kustomization


def read_chart_facts(folder: str, chart_yaml: bytes | None, values_yaml: bytes | None) -> ChartFacts:
    """Read a chart's two files.

    Args:
        folder: the chart's folder in the repository, for messages.
        chart_yaml: Chart.yaml, None where there is none.
        values_yaml: values.yaml, likewise.

    Raises:
        ChartMissing: a file is not there, is not UTF-8, is no YAML mapping, or gives one of the facts twice.
        ChartDisagrees: a fact is missing, empty, or not text. A version written 1.10 without quotes is a number, and a
            template renders it as 1.1, so nothing but text is taken.
    """
    bodies = {CHART_FILE: chart_yaml, VALUES_FILE: values_yaml}
    missing = [f"{folder}/{file}" for file, body in bodies.items() if body is None]
    if missing:
        raise ChartMissing(f"the commit has no {' and no '.join(missing)}")
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for file, body in bodies.items():
        try:
            document = Mapped.read(body or b"")
            scalars = {fact: document.scalar(*path) for fact, (its_file, path) in PLACES.items() if its_file == file}
        except YamlInvalid as error:
            place = "" if error.line is None else f":{error.line}"
            raise ChartMissing(f"{folder}/{file}{place} cannot be read: {error.reason}") from error
        for fact, scalar in scalars.items():
            key = ".".join(PLACES[fact][1])
            if scalar is None:
                problems.append(f"{folder}/{file}: {key} is missing")
            elif not scalar.text:
                problems.append(f"{folder}/{file}:{scalar.line}: {key} is empty")
            elif not scalar.is_text:
                problems.append(f"{folder}/{file}:{scalar.line}: {key} is {scalar.text}, which is not text: quote it")
            else:
                texts[fact], lines[fact] = scalar.text, scalar.line
    if problems:
        _refuse(ChartDisagrees, problems)
    return ChartFacts(folder, **texts, lines=MappingProxyType(lines))


def check_release(facts: ChartFacts, service: str, version: str, chart_names: Sequence[str]) -> None:
    """Check that Chart.yaml is that of this release.

    Args:
        facts: what the chart states.
        service: the service's name.
        version: MAJOR.MINOR.PATCH of the tag.
        chart_names: names that Chart.yaml may have; ``{service}`` stands for the service.

    Raises:
        ChartDisagrees: with every disagreement in its detail.
    """
    release = ReleaseVersion.parse(version)
    problems = _name_problems(facts, service, chart_names)
    problems += [
        f"{facts.says(fact)}, the tag is {release.tag}: it should be {release} or {release.tag}"
        for fact in ("version", "app_version")
        if ReleaseVersion.of_chart(getattr(facts, fact)) != release
    ]
    if problems:
        _refuse(ChartDisagrees, problems)


def choose_scheme(
    schemes: Sequence[Scheme], address: RegistryAddress, service: str, version: str, facts: ChartFacts
) -> Scheme:
    """Return the first scheme whose primary image name is the one that the values name.

    Args:
        schemes: the accepted ones.
        address: the production registry, also in a staging release.
        service: the service's name.
        version: MAJOR.MINOR.PATCH of the tag.
        facts: what the chart states.

    Raises:
        ChartDisagrees: none; the detail lists every name that would be accepted.
    """
    accepted = {scheme.label: str(scheme.image_names(address, service, version)[0]) for scheme in schemes}
    for scheme in schemes:
        if accepted[scheme.label] == facts.image:
            return scheme
    raise ChartDisagrees(
        f"{facts.where('image_repository')} and image.tag name {facts.image}, "
        f"which is not an accepted image name for {service} {version}",
        remedy=NAMING_REMEDY,
        detail=[f"{label} accepts {name}" for label, name in accepted.items()],
    )


def image_version_of(
    schemes: Sequence[Scheme], address: RegistryAddress, service: str, facts: ChartFacts
) -> tuple[Scheme, str]:
    """Return the first scheme that gives the values' image its name, and for which version it does.

    Args:
        schemes: the accepted ones.
        address: the production registry, also in a staging release.
        service: the service's name.
        facts: what the chart of the branch stable states.

    Raises:
        ChartDisagrees: the image has no accepted name, whatever the version; the detail lists what would be accepted.
    """
    try:
        image = Name.parse(facts.image)
    except ValueError as error:
        raise ChartDisagrees(
            f"{facts.where('image_repository')} and image.tag name {facts.image}, which is not a valid image name"
        ) from error
    for scheme in schemes:
        version = scheme.version_of(address, service, image)
        if version is not None:
            return scheme, version
    example = str(ReleaseVersion.of_chart(facts.app_version) or "1.2.3")
    raise ChartDisagrees(
        f"{facts.where('image_repository')} and image.tag name {facts.image}, "
        f"which is not an accepted image name for {service}",
        remedy=NAMING_REMEDY,
        detail=[
            f"{scheme.label} accepts {scheme.image_names(address, service, example)[0]} for {example}"
            for scheme in schemes
        ],
    )


def check_stable(
    facts: ChartFacts,
    service: str,
    chart_names: Sequence[str],
    *,
    major: int,
    resolved_version: str,
    image_version: str,
) -> None:
    """Check that the chart on the branch stable may become the stable chart of this major.

    Its own version is ``v<major>-stable`` (as the real branches have it) or a plain version, with or without ``v``.

    Args:
        facts: what the chart states.
        service: the service's name.
        chart_names: names that Chart.yaml may have; ``{service}`` stands for the service.
        major: of the newest release merged into the branch.
        resolved_version: that release's MAJOR.MINOR.PATCH.
        image_version: MAJOR.MINOR.PATCH of the image that the values name.

    Raises:
        StableDisagrees: with every disagreement in its detail.
    """
    channel, image, resolved = StableChannel(major), *map(ReleaseVersion.parse, (image_version, resolved_version))
    problems = _name_problems(facts, service, chart_names)
    version = ReleaseVersion.of_chart(facts.version)
    if StableChannel.of_chart(facts.version) != channel and (version is None or version.major != major):
        problems.append(f"{facts.says('version')}: it should be {channel} or a version {major}.MINOR.PATCH")
    if ReleaseVersion.of_chart(facts.app_version) != image:
        problems.append(f"{facts.says('app_version')}, but {facts.where('image_tag')} names {image}")
    if image.major != major:
        problems.append(
            f"{facts.where('image_tag')} names {image}, but the newest release merged is {resolved.tag}: "
            f"its major should be {major}"
        )
    elif image > resolved:
        problems.append(
            f"{facts.where('image_tag')} names {image}, which is newer than the newest release merged, {resolved.tag}"
        )
    if problems:
        _refuse(StableDisagrees, problems)


def reference_warnings(
    facts: ChartFacts, address: RegistryAddress, notes: bytes | None, kustomization: bytes | None
) -> tuple[str, ...]:
    """Return a sentence for each place beside the values that names another image of this registry.

    Args:
        facts: what the chart states.
        address: the production registry.
        notes: the chart's NOTES.txt, None where there is none.
        kustomization: config/controller/kustomization.yaml beside the chart's folder, likewise.
    """
    return (*_notes_warnings(facts, address, notes or b""), *_kustomization_warnings(facts, kustomization))


def alias_warnings(facts: ChartFacts, names: Iterable[Name]) -> tuple[str, ...]:
    """Return a sentence for each name under which Helm finds the chart but cannot take it as a dependency.

    Helm looks for a dependency in the repository of the chart's own name (pkg/downloader/manager.go), and pulls by a
    tag only where that is a version, in which it writes ``_`` for ``+`` (pkg/registry).
    """
    return tuple(
        f"{name} can be pulled and installed, but not used as a dependency: its chart is named {facts.name}"
        for name in names
        if is_read_by_helm(name.tag.replace("_", "+")) and name.repository.path.rpartition("/")[2] != facts.name
    )


def _notes_warnings(facts: ChartFacts, address: RegistryAddress, notes: bytes) -> list[str]:
    reference = re.compile(rf"{re.escape(str(address))}/[a-z0-9][a-z0-9._/-]*:[a-zA-Z0-9_][a-zA-Z0-9_.-]*(?<![.-])")
    return [
        f"{facts.folder}/{NOTES_FILE}:{number}: names {found[0]}, but the values name {facts.image}"
        for number, line in enumerate(notes.decode("utf-8", "replace").splitlines(), 1)
        for found in reference.finditer(line)
        if found[0] != facts.image
    ]


def _kustomization_warnings(facts: ChartFacts, kustomization: bytes | None) -> list[str]:
    file = posixpath.join(posixpath.dirname(facts.folder), KUSTOMIZATION_FILE)
    try:
        named = [] if kustomization is None else _kustomized_images(kustomization)
    except YamlInvalid as error:
        return [f"{file} cannot be read: {error}"]
    return [
        f"{file}:{line}: names {image}, but the values name {facts.image}"
        for line, image in named
        if image != facts.image
    ]


def _kustomized_images(kustomization: bytes) -> list[tuple[int, str]]:
    """What kustomize puts in the place of the image ``controller``, with the lines."""
    named: list[tuple[int, str]] = []
    for image in Mapped.read(kustomization).entries("images"):
        name, new_name, new_tag = (image.scalar(key) for key in ("name", "newName", "newTag"))
        if name is not None and name.text == "controller":
            text = f"{new_name.text if new_name else name.text}:{new_tag.text if new_tag else 'latest'}"
            named.append((name.line, text))
    return named


def _name_problems(facts: ChartFacts, service: str, chart_names: Sequence[str]) -> list[str]:
    accepted = [fill(name, service=service) for name in chart_names]
    if facts.name in accepted:
        return []
    return [f"{facts.says('name')}: it should be {' or '.join(accepted)}"]


def _refuse(error: type[ReleaseError], problems: Sequence[str]) -> NoReturn:
    raise error(problems[0], detail=problems)
