"""YAML that people wrote, as plain values with the line of each: nothing in it is lost, guessed or expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]
"""Where a value stands: keys and indices from the top, ``("services", "s3", "path")``."""

DEPTH_LIMIT: Final = 20
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong at a line, counted from 1."""

    line: int
    message: str


@dataclass(frozen=True)
class Foreign:
    """A scalar that is neither text, a whole number, true, false nor nothing, e.g. a date."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.text}"


@dataclass(frozen=True)
class Document:
    """What a file holds: mappings with text keys as dicts, lists as tuples, scalars by YAML 1.1's rules.

    ``value`` means something only when the file is ``readable``: of a repeated key it has the first value.
    """

    value: Any
    lines: Mapping[Path, int]
    problems: tuple[Problem, ...]
    readable: bool = True

    def line(self, path: Path) -> int:
        """The line of the key or item at this path, or of the nearest thing around it."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)


def read_yaml(body: bytes) -> Document:
    """Read one YAML document of UTF-8 bytes; all that is wrong becomes problems, nothing is raised.

    Anchors, aliases and tags of other types are problems, so that a small file stays a small value. Depth is limited
    before libyaml composes the nodes: it does so by recursion and would overflow the stack.
    """
    lines: dict[Path, int] = {}
    problems: list[Problem] = []
    try:
        body.decode()
        problems += _hazards(body)
        if problems:
            return Document(None, {}, tuple(problems), readable=False)
        node = yaml.compose(body, Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as error:
        return _unreadable(_line_of(body, error.start), f"not UTF-8: byte 0x{body[error.start]:02x}")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return _unreadable(line, " ".join(filter(None, ["not YAML:", error.problem, error.context])))
    except yaml.reader.ReaderError as error:
        return _unreadable(_line_of(body, error.position), f"not YAML: {error.reason}")
    value = {} if node is None else _value(node, (), lines, problems)
    return Document(value, lines, tuple(problems))


def _unreadable(line: int, message: str) -> Document:
    return Document(None, {}, (Problem(line, message),), readable=False)


def _line_of(body: bytes, position: int) -> int:
    return body.count(b"\n", 0, position) + 1


def _hazards(body: bytes) -> Iterator[Problem]:
    depth = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            yield Problem(line, f"the alias *{event.anchor} is not allowed: write the value out")
        elif isinstance(event, yaml.NodeEvent) and event.anchor:
            yield Problem(line, f"the anchor &{event.anchor} is not allowed: write the value out where it is used")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            yield Problem(line, f"nested deeper than {DEPTH_LIMIT} levels")
            return


def _value(node: yaml.Node, path: Path, lines: dict[Path, int], problems: list[Problem]) -> Any:  # noqa: ANN401 - any YAML value
    kind = node.tag.removeprefix(_PREFIX)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node, path, lines, problems)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        items = []
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            items.append(_value(item, (*path, index), lines, problems))
        return tuple(items)
    if isinstance(node, yaml.ScalarNode) and node.tag.startswith(_PREFIX):
        return _scalar(kind, node.value)
    problems.append(Problem(node.start_mark.line + 1, f"the tag {node.tag} is not allowed"))
    return Foreign("value of type", kind)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int], problems: list[Problem]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(line, "a key must be text, not a list or mapping"))
            continue
        key = key_node.value
        if key in values:
            problems.append(Problem(line, f"the key {key!r} is repeated, first at line {lines[*path, key]}"))
            continue
        lines[*path, key] = line
        values[key] = _value(value_node, (*path, key), lines, problems)
    return values


def _scalar(kind: str, text: str) -> Any:  # noqa: ANN401 - any YAML scalar
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("yes", "true", "on", "no", "false", "off"):
        return text.lower() in ("yes", "true", "on")
    if kind == "int" and re.fullmatch(r"0|[-+]?[1-9][0-9]{0,17}", text):
        return int(text)
    return Foreign({"int": "number", "float": "number", "timestamp": "date"}.get(kind, f"{kind} value"), text)
