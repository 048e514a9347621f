"""Whether a chart brings the custom resource definitions that its controller works with. Pure.

A controller whose kinds the cluster does not know, or knows by an older schema, cannot work. What it is compiled with
stands in ``config/crd/bases`` (its own kinds) and ``config/crd/common/bases`` (those of ACK's runtime).
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from runner.chart.archive import ARCHIVE_LIMIT, files_of
from runner.errors import CrdsDiffer
from runner.foreign.documents import check_yaml, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CRD_FOLDER = "config/crd"
OWN_FOLDER = f"{CRD_FOLDER}/bases"
COMMON_FOLDER = f"{CRD_FOLDER}/common/bases"

KIND = "CustomResourceDefinition"
SUFFIXES = (".yaml", ".yml", ".json")
"""Of the files below ``crds/`` that Helm installs (``pkg/chart``, hasManifestExtension)."""

WORDS = frozenset({"description", "title", "example", "externalDocs"})
"""What a schema says to people only; generators of different versions write it differently."""

_NAMED = frozenset({"properties", "patternProperties", "definitions", "dependencies"})
"""Keys of a schema below which the next keys are names, whatever they read."""

_VALUES = frozenset({"default", "enum"})
_UNORDERED = frozenset({"required", "enum"})
_MOST_NODES = 1_000_000
_NESTED_AT_MOST = 8


@dataclass(frozen=True)
class Definition:
    """A custom resource definition in a file.

    ``spec`` is what of it decides how a cluster treats its objects; ``as_text`` is whether numbers and truth values are
    known as the text that was rendered for them.
    """

    name: str
    file: str
    spec: Mapping[str, Any]
    as_text: bool = False


@dataclass(frozen=True)
class Definitions:
    """The definitions in some files, by name.

    ``faults`` has a sentence for each file that cannot be read, ``repeated`` one for each definition that stands there
    again and differently: Helm installs the first and leaves the others out (``pkg/action``, installCRDs).
    """

    found: Mapping[str, Definition]
    faults: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What a repository has beside its chart: files by path in the repository.

    ``own`` are those of OWN_FOLDER, ``common`` those of COMMON_FOLDER. ``complete`` is False where several charts share
    the folder, so that none of them needs to have all; ``patched`` is whether kustomize changes them, so that the chart
    may hold the changed ones.
    """

    own: Mapping[str, bytes] = field(default_factory=dict)
    common: Mapping[str, bytes] = field(default_factory=dict)
    complete: bool = True
    patched: bool = False


@dataclass(frozen=True)
class Brought:
    """What a chart has.

    ``packaged`` and ``committed`` are the files of the archive and of the folder, by path in the chart; ``rendered`` is
    what its templates give with its own values; ``folder`` is the chart's in the repository.
    """

    folder: str
    packaged: Mapping[str, bytes]
    committed: Mapping[str, bytes]
    rendered: tuple[Any, ...] = ()


def check_crds(expected: Expected, brought: Brought) -> tuple[str, ...]:
    """Check that the chart installs every definition of the repository, in the same form.

    The chart's definitions of ACK's runtime may have more than those in COMMON_FOLDER: released charts were generated
    from a newer runtime than the copy there.

    Returns:
        A sentence for each file in the repository that cannot be read, and so was not compared.

    Raises:
        CrdsDiffer: a definition is missing, hidden, or differs in its spec, or a file below ``crds/`` cannot be read;
            the detail has every one.
    """
    installed = {path: body for path, body in _crd_files(brought.packaged) if path.endswith(SUFFIXES)}
    if set(installed.values()) == {*expected.own.values(), *expected.common.values()}:
        return ()
    read = definitions({f"{brought.folder}/{path}": body for path, body in installed.items()})
    there = {**_rendered(brought), **read.found}
    own, common = definitions(expected.own), definitions(expected.common)
    problems = [*read.faults, *read.repeated]
    for one in (*own.found.values(), *common.found.values()):
        present = there.get(one.name)
        if present is None:
            problems += [_missing(one, brought)] if expected.complete else []
        elif not expected.patched:
            comparison = _Comparison(more=one.name not in own.found, as_text=present.as_text)
            place = comparison.difference(one.spec, present.spec, "spec")
            problems += [] if place is None else [f"{one.name} in {present.file} differs from {one.file}: {place}"]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CrdsDiffer(problems[0] + more, detail=problems)
    return tuple(f"{said}; it is not compared with the chart" for said in (*own.faults, *common.faults))


def definitions(files: Mapping[str, bytes]) -> Definitions:
    """Read the definitions in files; what is something else is left out."""
    found: dict[str, Definition] = {}
    faults, repeated = [], []
    for file, body in files.items():
        try:
            read = [_definition(one, file) for document in load(body) for one in objects(document)]
        except (ValueError, RecursionError) as error:
            faults.append(f"{file} cannot be read: {' '.join(str(error).split())}")
            continue
        for one in read:
            if one is None:
                continue
            first = found.setdefault(one.name, one)
            if first.spec != one.spec:
                repeated.append(f"{one.name} stands in {first.file} and, differently, in {one.file}")
    return Definitions(found, tuple(faults), tuple(repeated))


def is_patched(kustomization: bytes) -> bool:
    """Whether a kustomization changes the definitions that it names."""
    try:
        documents = load(kustomization)
    except (ValueError, RecursionError):
        return False
    keys = (str(key) for document in documents if isinstance(document, dict) for key in document)
    return any(key.startswith(("patches", "transformers", "replacements", "configurations")) for key in keys)


def load(body: bytes) -> tuple[Any, ...]:
    """Return the documents of a YAML or JSON file with values as Kubernetes reads them: a date is text.

    Raises:
        ValueError: it is not YAML.
        RecursionError: it is nested too deep.
    """
    if body.lstrip().startswith(b"{"):
        # YAML's parser does not know all that JSON can escape.
        with contextlib.suppress(ValueError):
            return (read_json(body),)
    try:
        check_yaml(body.decode())
        return tuple(yaml.load_all(io.BytesIO(body), Loader=_Loader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def objects(document: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever YAML holds
    """The objects in a document: those of a list, else the document itself."""
    if isinstance(document, dict) and str(document.get("kind")).endswith("List"):
        items = document.get("items")
        yield from items if isinstance(items, list) else ()
    else:
        yield document


_TEXT_TAGS = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"})


class _Loader(yaml.CSafeLoader):
    """Reads what JSON can hold; a date and an equals sign are the text they are."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag not in _TEXT_TAGS]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _crd_files(
    files: Mapping[str, bytes], left: list[int] | None = None, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """The files below ``crds/``, of the chart and of its sub-charts, packed or not.

    What is packed into one another more than _NESTED_AT_MOST times, or beyond ARCHIVE_LIMIT bytes in all, is not there:
    an archive can hold itself.
    """
    left = [ARCHIVE_LIMIT] if left is None else left
    for path, body in files.items():
        parts = path.split("/")
        while len(parts) > 2 and parts[0] == "charts":  # noqa: PLR2004 - a folder, a sub-chart, and what is in it
            parts = parts[2:]
        if parts[0] == "crds":
            yield path, body
        elif len(parts) == 2 and parts[0] == "charts" and path.endswith(".tgz"):  # noqa: PLR2004 - as above
            unpacked = _unpacked(body) if depth < _NESTED_AT_MOST and left[0] > 0 else {}
            left[0] -= sum(map(len, unpacked.values()))
            yield from ((f"{path}/{inner}", one) for inner, one in _crd_files(unpacked, left, depth + 1))


def _unpacked(archive: bytes) -> Mapping[str, bytes]:
    try:
        return files_of(archive)
    except ValueError:
        return {}


def _rendered(brought: Brought) -> dict[str, Definition]:
    place = f"{brought.folder}/templates"
    read = [_definition(one, place) for document in brought.rendered for one in objects(document)]
    return {one.name: replace(one, as_text=True) for one in read if one is not None}


def _definition(document: Any, file: str) -> Definition | None:  # noqa: ANN401 - whatever YAML holds
    if not isinstance(document, dict) or document.get("kind") != KIND:
        return None
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict) or not isinstance(metadata.get("name"), str):
        return None
    plain = _Plain().mapping(spec)
    kind = str(_below(plain, "names", "kind"))
    implied = {"listKind": f"{kind}List", "singular": kind.lower()}
    names = plain.get("names")
    if isinstance(names, dict):
        plain["names"] = {**implied, **names}
    versions = plain.get("versions")
    if isinstance(versions, list) and all(isinstance(one, dict) for one in versions):
        plain["versions"] = {str(one.get("name")): one for one in versions}
    defaults = {"conversion": {"strategy": "None"}, "preserveUnknownFields": False}
    return Definition(metadata["name"], file, {"apiVersion": document.get("apiVersion"), **defaults, **plain})


class _Plain:
    """A spec without words to people, and without the order of what has none; a loop or a bomb in it is refused."""

    def __init__(self) -> None:
        self._nodes = 0

    def mapping(self, node: Mapping[Any, Any], *, names: bool = False) -> dict[str, Any]:
        """``names`` says that the keys are names, which may read as anything."""
        self._count()
        plain: dict[str, Any] = {}
        for key, value in node.items():
            if not names and (key in WORDS or value is None or value == []):
                continue
            name = str(key)
            plain[name] = self._value(name, value, names=names)
        return plain

    def _value(self, key: str, value: Any, *, names: bool) -> Any:  # noqa: ANN401 - whatever YAML holds
        self._count()
        if not names and key in _UNORDERED and isinstance(value, list):
            return sorted(value, key=repr)
        if not names and key in _VALUES:
            return value
        if isinstance(value, dict):
            return self.mapping(value, names=not names and key in _NAMED)
        if isinstance(value, list):
            return [self._value("", one, names=True) for one in value]
        return value

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise ValueError(f"it has more than {_MOST_NODES} values")


def _missing(wanted: Definition, brought: Brought) -> str:
    left_out = {
        f"{brought.folder}/{path}": body
        for path, body in _crd_files(brought.committed)
        if path not in brought.packaged or not path.endswith(SUFFIXES)
    }
    hidden = definitions(left_out).found.get(wanted.name)
    if hidden is None:
        return f"{wanted.name} of {wanted.file} is missing in {brought.folder}/crds"
    if not hidden.file.endswith(SUFFIXES):
        return f"{wanted.name} of {wanted.file} is not installed: helm reads no file named as {hidden.file}"
    return f"{wanted.name} of {wanted.file} is not in the packaged chart: .helmignore hides {hidden.file}"


@dataclass(frozen=True)
class _Comparison:
    """How two specs are compared: ``more`` lets the second have more, ``as_text`` says that its values are text."""

    more: bool
    as_text: bool

    def difference(self, wanted: Any, found: Any, path: str) -> str | None:  # noqa: ANN401 - whatever YAML holds
        """Where they differ first, in words; None where they do not."""
        if isinstance(wanted, dict) and isinstance(found, dict):
            return self._of_mappings(wanted, found, path)
        if isinstance(wanted, list) and isinstance(found, list):
            if self.more and all(self._has(found, one) for one in wanted):
                return None
            if len(wanted) == len(found):
                pairs = enumerate(zip(wanted, found, strict=True))
                places = (self.difference(*pair, f"{path}[{number}]") for number, pair in pairs)
                return next((place for place in places if place is not None), None)
        return None if self._same(wanted, found) else f"{path} is {_short(found)}, not {_short(wanted)}"

    def _of_mappings(self, wanted: Mapping[str, Any], found: Mapping[str, Any], path: str) -> str | None:
        missing = next((key for key in wanted if key not in found), None)
        if missing is not None:
            return f"it lacks {path}.{missing}"
        added = next((key for key in found if key not in wanted), None)
        if added is not None and not self.more:
            return f"it has {path}.{added}, too"
        places = (self.difference(wanted[key], found[key], f"{path}.{key}") for key in wanted)
        return next((place for place in places if place is not None), None)

    def _has(self, values: list[Any], wanted: Any) -> bool:  # noqa: ANN401 - whatever YAML holds
        return any(self.difference(wanted, value, "") is None for value in values)

    def _same(self, wanted: Any, found: Any) -> bool:  # noqa: ANN401 - whatever YAML holds
        if self.as_text and isinstance(found, str) and not isinstance(wanted, str):
            with contextlib.suppress(ValueError):
                [found] = load(found.encode())
        # In Python, true is 1.
        return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)


def _short(value: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, dict):
        return "a mapping"
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)[:80]


def _below(node: Mapping[str, Any], *path: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    value: Any = node
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
