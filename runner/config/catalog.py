"""``catalog.yaml``: what the ECR Public gallery shows of each repository, as templates, checked for every service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from runner.config.naming import check_fields
from runner.config.schema import Untitled, problems_of
from runner.config.section import Listed, Section
from runner.config.yamlfile import Problem, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.oci.manifest import Platform

DESCRIPTION_LENGTH: Final = 1024
TEXT_LENGTH: Final = 25600
"""Characters that ECR Public takes at most (API reference, RepositoryCatalogDataInput)."""

ARCHITECTURES: Final = {"amd64": "x86-64", "arm64": "ARM 64", "386": "x86", "arm": "ARM"}
"""The gallery's words for architectures, by Go's; it filters by no others."""

CatalogKind = Literal["image", "chart", "shared_images", "shared_charts"]
"""Whose repository it is: one service's images or charts, or those of several services."""

_SHARED: Final = ("shared_images", "shared_charts")


@dataclass(frozen=True)
class CatalogData:
    """What the gallery shows of one repository; None where the catalog leaves it as it is."""

    description: str | None
    about: str | None
    usage: str | None
    architectures: tuple[str, ...]
    operating_systems: tuple[str, ...]


def _fields(text: str) -> str:
    check_fields(text, "service")
    if not text.strip():
        raise ValueError("is empty: leave the key out")
    return text.strip()


_Template = Annotated[str, AfterValidator(_fields)]


class RepositoryTemplate(Section):
    """What the gallery shows of a kind of repositories. What is left out stays as it is there."""

    description: _Template | None = Field(
        None,
        description=f"The short description, in one line; {{service}} is filled in; at most {DESCRIPTION_LENGTH} "
        "characters then.",
        examples=["ACK service controller for {service}"],
    )
    about: _Template | None = Field(
        None,
        description=f"What it is, in Markdown; {{service}} is filled in; at most {TEXT_LENGTH} characters then.",
    )
    usage: _Template | None = Field(
        None,
        description=f"How it is used, in Markdown; {{service}} is filled in; at most {TEXT_LENGTH} characters then.",
    )
    operating_systems: Listed[Literal["Linux", "Windows"]] = Field(
        ("Linux",), description="In the gallery's words. Architectures follow from the platforms in jobs.yaml."
    )


class CatalogFile(Section):
    """What the ECR Public gallery shows of each repository."""

    image: RepositoryTemplate | None = Field(None, description="Repositories with the images of one service.")
    chart: RepositoryTemplate | None = Field(None, description="Repositories with the charts of one service.")
    shared_images: RepositoryTemplate | None = Field(
        None, description="Repositories with the images of several services; {service} cannot be used."
    )
    shared_charts: RepositoryTemplate | None = Field(
        None, description="Repositories with the charts of several services; {service} cannot be used."
    )


@dataclass(frozen=True)
class Catalog:
    """The templates of a catalog that has been checked."""

    file: CatalogFile

    def data(self, kind: CatalogKind, service: str, platforms: Iterable[Platform]) -> CatalogData | None:
        """Return what the gallery shows of a repository; None where the catalog says nothing of this kind.

        Args:
            kind: whose repository it is.
            service: the service; it counts where the repository is one service's.
            platforms: what images are built for.
        """
        template: RepositoryTemplate | None = getattr(self.file, kind)
        if template is None:
            return None
        words = {ARCHITECTURES[one.architecture]: None for one in platforms if one.architecture in ARCHITECTURES}
        return CatalogData(
            description=_filled(template.description, service),
            about=_filled(template.about, service),
            usage=_filled(template.usage, service),
            architectures=tuple(words),
            operating_systems=template.operating_systems,
        )


def read_catalog(body: bytes, services: Iterable[str]) -> tuple[Catalog | None, tuple[Problem, ...]]:
    """Return the catalog, or all that is wrong with it.

    Args:
        body: the file's bytes.
        services: the names of all configured services; for each, every text has a length that the gallery takes.
    """
    document = read_yaml(body)
    if not document.readable:
        return None, document.problems
    try:
        file = CatalogFile.model_validate(document.value)
    except ValidationError as error:
        return None, (*document.problems, *problems_of(document, error, CatalogFile))
    longest = max(services, key=len, default="example")
    problems = (
        *document.problems,
        *(Problem(document.line((kind, key)), f"{kind}.{key}: {text}") for kind, key, text in _unfit(file, longest)),
    )
    return (None, problems) if problems else (Catalog(file), ())


def catalog_schema() -> dict[str, Any]:
    """The JSON Schema of ``catalog.yaml``, for editors."""
    schema = CatalogFile.model_json_schema(schema_generator=Untitled)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "catalog.yaml of the ACK release runner"}


def _unfit(file: CatalogFile, longest: str) -> Iterator[tuple[str, str, str]]:
    limits = {"description": DESCRIPTION_LENGTH, "about": TEXT_LENGTH, "usage": TEXT_LENGTH}
    for kind in CatalogFile.model_fields:
        template = getattr(file, kind)
        for key, limit in limits.items():
            text = getattr(template, key, None)
            if text is None:
                continue
            if kind in _SHARED and "{service}" in text:
                yield kind, key, "{service} has no value in a repository of several services"
            if key == "description" and not text.isprintable():
                yield kind, key, "must be one line"
            length = len(_filled(text, longest) or "")
            if length > limit:
                yield kind, key, f"{length} characters for the service {longest}; the gallery takes {limit}"


def _filled(text: str | None, service: str) -> str | None:
    return None if text is None else text.replace("{service}", service)
