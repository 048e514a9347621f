"""Names of images, charts and stable charts: templates, and the presets made of them.

A template is ``REPOSITORY:TAG`` below the registry's namespace. ``{service}`` may stand anywhere in it; ``{version}``
(of an image or a chart) or ``{major}`` (of a stable chart) stands exactly once, in the tag. So a name can be read back:
the repository and the text around the version say what it is (``runner.config.collisions`` proves it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from runner.oci.name import HOST, REPOSITORY_PATH, TAG, Name, Repository
from runner.versions import ReleaseVersion, StableChannel, release_tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TemplateKind = Literal["image", "chart", "stable"]
TEMPLATE_KINDS: Final[tuple[TemplateKind, ...]] = get_args(TemplateKind)
FIELDS: Final[Mapping[TemplateKind, str]] = MappingProxyType(
    {"image": "version", "chart": "version", "stable": "major"}
)
"""Which field the tag of each kind's templates holds, beside ``{service}``."""

SERVICE = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
TAG_LENGTH: Final = 128
FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, order=True)
class RegistryAddress:
    """Where names live: a registry's ``host`` (with port) and ``namespace`` (possibly none, possibly ``a/b``)."""

    host: str
    namespace: str = ""

    @classmethod
    def parse(cls, text: str) -> RegistryAddress:
        """Read ``HOST/NAMESPACE`` or ``HOST``; ValueError when it is neither.

        As in an image reference, the host has a dot or a port or is ``localhost``: a cluster would look for anything
        else on Docker Hub.
        """
        host, _, namespace = text.removesuffix("/").partition("/")
        if "://" in text:
            raise ValueError(f"{text!r} is not HOST/NAMESPACE: leave out {text.partition('://')[0]}://")
        if not HOST.fullmatch(host) or (namespace and not REPOSITORY_PATH.fullmatch(namespace)):
            raise ValueError(f"{text!r} is not HOST/NAMESPACE")
        if host != "localhost" and "." not in host and ":" not in host:
            raise ValueError(f"{text!r} is not HOST/NAMESPACE: the host {host!r} has neither a dot nor a port")
        return cls(host, namespace)

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}" if self.namespace else self.host

    def name(self, text: str) -> Name:
        """Return the name of ``REPOSITORY:TAG`` in this namespace; ValueError when it is not a legal one."""
        path, _, tag = text.partition(":")
        full_path = f"{self.namespace}/{path}" if self.namespace else path
        if not REPOSITORY_PATH.fullmatch(path) or not TAG.fullmatch(tag):
            raise ValueError(f"{text!r} is not REPOSITORY:TAG")
        return Name(Repository(self.host, full_path), tag)


def fill(template: str, **values: str) -> str:
    """Put values in the place of ``{field}``; KeyError when one is missing."""
    return FIELD.sub(lambda match: values[match[1]], template)


def check_fields(template: str, *allowed: str) -> None:
    """Raise ValueError when the template has a field that is not allowed, or a brace that belongs to none."""
    listed = " and ".join(f"{{{field}}}" for field in allowed)
    for field in FIELD.findall(template):
        if field not in allowed:
            raise ValueError(f"{template!r}: {{{field}}} is not a field of this template; allowed: {listed}")
    if re.search(r"[{}]", FIELD.sub("", template)):
        raise ValueError(f"{template!r}: a brace that does not belong to {listed}")


def check_template(kind: TemplateKind, template: str) -> None:
    """Raise ValueError unless every service and version makes this template a legal repository and tag.

    One sample decides: a service, version or major begins and ends with a letter or digit and has legal separators
    within, so what it is replaced by cannot change whether the text around it is legal. Lengths are another question.
    """
    field = FIELDS[kind]
    check_fields(template, "service", field)
    repository, colon, tag = template.partition(":")
    if not colon or ":" in tag:
        raise ValueError(f"{template!r} is not REPOSITORY:TAG")
    if FIELD.findall(tag).count(field) != 1 or f"{{{field}}}" in repository:
        raise ValueError(
            f"{template!r}: {{{field}}} must occur exactly once, in the tag; otherwise names are ambiguous"
        )
    sample = {"service": "s", field: "0"}
    if not REPOSITORY_PATH.fullmatch(fill(repository, **sample)):
        raise ValueError(f"{template!r}: {repository!r} is not a repository (lower-case letters, digits, . _ - and /)")
    if not TAG.fullmatch(fill(tag, **sample)):
        raise ValueError(f"{template!r}: {tag!r} is not a tag (letters, digits, . _ and -)")


@dataclass(frozen=True)
class Scheme:
    """How the names of a release are made: templates for each kind, the primary one first.

    ``label`` says which scheme this is: a preset's name, or where it stands in ``jobs.yaml``. ValueError when a list is
    empty, or a template is repeated or not a legal one.
    """

    label: str
    image: tuple[str, ...]
    chart: tuple[str, ...]
    stable: tuple[str, ...]

    def __post_init__(self) -> None:
        for kind in TEMPLATE_KINDS:
            templates = self.templates(kind)
            if not templates or len(set(templates)) < len(templates):
                raise ValueError(f"{kind} of scheme {self.label} is empty or repeats a template")
            for template in templates:
                check_template(kind, template)

    def templates(self, kind: TemplateKind) -> tuple[str, ...]:
        """The templates of one kind."""
        return {"image": self.image, "chart": self.chart, "stable": self.stable}[kind]

    def image_names(self, address: RegistryAddress, service: str, version: str) -> tuple[Name, ...]:
        """The image's names; ValueError when ``version`` is not that of a release, MAJOR.MINOR.PATCH."""
        return _names(address, self.image, service, version=str(ReleaseVersion.parse(version)))

    def chart_names(self, address: RegistryAddress, service: str, version: str) -> tuple[Name, ...]:
        """The release chart's names; ValueError when ``version`` is not that of a release, MAJOR.MINOR.PATCH."""
        return _names(address, self.chart, service, version=str(ReleaseVersion.parse(version)))

    def stable_names(self, address: RegistryAddress, service: str, major: int) -> tuple[Name, ...]:
        """The names under which the stable chart of this major is found; ValueError when no version has this major."""
        return _names(address, self.stable, service, major=str(StableChannel(major).major))

    def version_text(self, version: str) -> str:
        """The version as the primary image's tag has it: ``v1.2.3`` or ``1.2.3``."""
        before = self.image[0].partition("{version}")[0]
        return release_tag(version) if re.search(r"(?<![a-zA-Z0-9])v$", before) else version

    def version_of(self, address: RegistryAddress, service: str, image: Name) -> str | None:
        """The version whose primary image name this is; None when it is no version's."""
        before, _, after = str(address.name(fill(self.image[0], service=service, version="0.0.0"))).rpartition("0.0.0")
        text = str(image)
        if len(text) <= len(before) + len(after) or not (text.startswith(before) and text.endswith(after)):
            return None
        try:
            return str(ReleaseVersion.parse(text[len(before) : len(text) - len(after)]))
        except ValueError:
            return None


PRESETS: Final[Mapping[str, Scheme]] = MappingProxyType(
    {
        scheme.label: scheme
        for scheme in (
            Scheme(
                "seed",
                image=("controller:{service}-v{version}",),
                chart=("chart:{service}-v{version}", "{service}-chart:{version}"),
                stable=("chart:{service}-v{major}-stable", "{service}-chart:v{major}-stable"),
            ),
            Scheme(
                "repo-per-service-v",
                image=("{service}-controller:v{version}",),
                chart=("{service}-chart:v{version}",),
                stable=("{service}-chart:v{major}-stable",),
            ),
            Scheme(
                "repo-per-service",
                image=("{service}-controller:{version}",),
                chart=("{service}-chart:{version}",),
                stable=("{service}-chart:v{major}-stable",),
            ),
        )
    }
)


def _names(address: RegistryAddress, templates: Sequence[str], service: str, **value: str) -> tuple[Name, ...]:
    if not SERVICE.fullmatch(service):
        raise ValueError(f"{service!r} is not a service's name")
    return tuple(address.name(fill(template, service=service, **value)) for template in templates)
