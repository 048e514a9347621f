"""What a chart states about its release: read from its files, with the line of each fact."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.errors import ChartDisagrees, ChartMissing, ReleaseError
from runner.pointers import REMEDY as POINTER_REMEDY
from runner.pointers import pointer_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
        ChartMissing: a file is not there or only pointed to, is not UTF-8, is no YAML mapping, or gives a fact twice.
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
        pointer = pointer_in(body or b"")
        if pointer is not None:
            raise ChartMissing(
                f"{folder}/{file} is {pointer}: the commit does not hold its content", remedy=POINTER_REMEDY
            )
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
        refuse(ChartDisagrees, problems)
    return ChartFacts(folder, **texts, lines=MappingProxyType(lines))


def refuse(error: type[ReleaseError], problems: Sequence[str]) -> NoReturn:
    """Raise an error with the first problem as its cause and all of them as its detail."""
    raise error(problems[0], detail=problems)
