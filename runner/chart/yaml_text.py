"""YAML as charts hold it: scalars as the text they are written as, with the line they stand on.

Only libyaml's loaders are used; the ones in Python are about ten times slower.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from runner.foreign.documents import TooLarge, check_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STRING = "tag:yaml.org,2002:str"
NULL = "tag:yaml.org,2002:null"
MERGE = "tag:yaml.org,2002:merge"

KeyPath = tuple[str, ...]

NOT_OF_ITS_TYPE = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""What PyYAML raises of an explicit tag (``!!int x``, ``!!bool x``, ``!!timestamp x``) with text of another type."""
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_BYTE_ORDER_MARK = "\ufeff"


class YamlInvalid(ValueError):
    """A document cannot be read as what it should be.

    ``line`` counts from 1 and is None where the fault has no place; ``reason`` is one sentence without a full stop.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class Scalar:
    """A scalar as written: ``line`` counts from 1; ``is_text`` is False where YAML reads a number, boolean or null."""

    text: str
    line: int
    is_text: bool


class _TextLoader(yaml.CSafeLoader):
    """Every plain scalar but null is text; merge keys are honoured."""


_NULLS = [(NULL, re.compile(r"(?:~|null|Null|NULL|)$"))]
_TEXTS = ("bool", "int", "float", "binary", "timestamp")
"""Tags of scalars that a document may name outright; what they tag is the text it is written as."""


def _text_of(tag: str) -> Callable[[yaml.CSafeLoader, yaml.ScalarNode], str]:
    checked = yaml.CSafeLoader.yaml_constructors.get(f"tag:yaml.org,2002:{tag}", yaml.CSafeLoader.construct_scalar)

    def construct(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> str:
        checked(loader, node)
        return str(loader.construct_scalar(node))

    return construct


_TextLoader.yaml_constructors = {
    tag: construct
    for tag, construct in yaml.CSafeLoader.yaml_constructors.items()
    if tag in {STRING, NULL, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", None}
} | {f"tag:yaml.org,2002:{tag}": _text_of(tag) for tag in _TEXTS}
_TextLoader.yaml_implicit_resolvers = {"<": [(MERGE, re.compile(r"<<$"))]} | dict.fromkeys(("~", "n", "N", ""), _NULLS)


def parse(body: bytes | str) -> tuple[Any, ...]:
    """Return all documents, plain scalars but null as their text; YamlInvalid when it is not YAML.

    Tags that would make anything but text, null, a mapping or a list of a value are no YAML of a chart.
    """
    try:
        return tuple(yaml.load_all(_bounded(body), Loader=_TextLoader))
    except yaml.YAMLError as error:
        raise _invalid(error) from error
    except YamlInvalid:
        raise
    except NOT_OF_ITS_TYPE as error:
        raise YamlInvalid(f"a value is not of the type that its tag says: {error}") from error


@dataclass(frozen=True)
class Mapped:
    """One YAML document whose root is a mapping, with the place of everything in it."""

    root: yaml.MappingNode

    @classmethod
    def read(cls, body: bytes) -> Mapped:
        """Read the one document of a file; YamlInvalid when it is not UTF-8, not YAML, or no mapping."""
        try:
            root = yaml.compose(_bounded(body), Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise _invalid(error) from error
        if not isinstance(root, yaml.MappingNode):
            raise YamlInvalid("it is not a mapping", None if root is None else _line(root))
        return cls(root)

    def scalar(self, *path: str) -> Scalar | None:
        """Return the scalar at this path of keys, None when there is none.

        Raises:
            YamlInvalid: a key on the path is given twice.
        """
        node: yaml.Node | None = self.root
        for key in path:
            node = _child(node, key, set())
        if not isinstance(node, yaml.ScalarNode):
            return None
        return Scalar(node.value, _line(node), node.tag == STRING)

    def entries(self, key: str) -> tuple[Mapped, ...]:
        """Return the mappings in the list under this key, none when it is no list; raises as ``scalar`` does."""
        node = _child(self.root, key, set())
        if not isinstance(node, yaml.SequenceNode):
            return ()
        return tuple(Mapped(item) for item in node.value if isinstance(item, yaml.MappingNode))


def replace_scalars(body: bytes, values: Mapping[KeyPath, str]) -> bytes:
    """Return the document with other text in these scalars; every byte outside of them stays.

    The new text is written in double quotes, which is right in every YAML context. An anchor before the scalar stays,
    and so what refers to it changes along; an alias is replaced where it stands, and what it refers to stays.

    Raises:
        YamlInvalid: it is not YAML, or a path does not end at a scalar written on the spot in one of the flow styles.
    """
    whole = _bounded(body)
    mark = _BYTE_ORDER_MARK if whole.startswith(_BYTE_ORDER_MARK) else ""
    text = whole.removeprefix(mark)
    try:
        found = dict(_leaves(yaml.parse(text, Loader=yaml.CSafeLoader)))
    except yaml.YAMLError as error:
        raise _invalid(error) from error
    spans: list[tuple[int, int, str]] = []
    for path, value in values.items():
        span = _span(text, found.get(path))
        if span is None:
            raise YamlInvalid(f"{'.'.join(path)} is not written out on one line")
        spans.append((*span, json.dumps(value, ensure_ascii=False)))
    for start, end, value in sorted(spans, reverse=True):
        text = text[:start] + value + text[end:]
    return (mark + text).encode()


def _decode(body: bytes | str) -> str:
    if isinstance(body, str):
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise YamlInvalid("it is not UTF-8", body.count(b"\n", 0, error.start) + 1) from error


def _bounded(body: bytes | str) -> str:
    """The text, once it is known to be no bomb: libyaml composes by recursion, and aliases multiply."""
    text = _decode(body)
    try:
        check_yaml(text)
    except TooLarge as error:
        raise YamlInvalid(error.reason, error.line) from error
    except yaml.YAMLError as error:
        raise _invalid(error) from error
    return text


def _invalid(error: yaml.YAMLError) -> YamlInvalid:
    if isinstance(error, yaml.MarkedYAMLError):
        place = error.problem_mark or error.context_mark
        said = ", ".join(part.rstrip(",") for part in (error.context, error.problem) if part)
        return YamlInvalid(said, None if place is None else place.line + 1)
    return YamlInvalid(" ".join(str(error).split()))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _child(node: yaml.Node | None, key: str, seen: set[int]) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode) or id(node) in seen:
        return None
    seen.add(id(node))
    own = [(name, value) for name, value in node.value if isinstance(name, yaml.ScalarNode) and name.value == key]
    if len(own) > 1:
        raise YamlInvalid(f"the key {key} is given twice", _line(own[1][0]))
    if own:
        value: yaml.Node = own[0][1]
        return value
    for name, value in node.value:
        if name.tag != MERGE:
            continue
        for merged in value.value if isinstance(value, yaml.SequenceNode) else (value,):
            inherited = _child(merged, key, seen)
            if inherited is not None:
                return inherited
    return None


Leaf = yaml.ScalarEvent | yaml.AliasEvent


def _span(text: str, leaf: Leaf | None) -> tuple[int, int] | None:
    """From where to where a value's text stands, without anchor and tag; None when there is none on one line."""
    if leaf is None or leaf.start_mark is None or leaf.end_mark is None:
        return None
    start, end = leaf.start_mark.index, leaf.end_mark.index
    properties = _PROPERTIES.match(text, start, end)
    start = properties.end() if properties else start
    return None if start == end or "\n" in text[start:end] else (start, end)


def _leaves(events: Iterator[yaml.Event]) -> Iterator[tuple[KeyPath, Leaf]]:
    """Every scalar and alias that is a value at a path of scalar keys."""
    for event in events:
        yield from _below(event, events, ())


def _below(event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath | None) -> Iterator[tuple[KeyPath, Leaf]]:
    if isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
        if path:
            yield path, event
    elif isinstance(event, yaml.SequenceStartEvent):
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            yield from _below(item, events, None)
    elif isinstance(event, yaml.MappingStartEvent):
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            known = path is not None and isinstance(key, yaml.ScalarEvent)
            if not isinstance(key, yaml.ScalarEvent):
                yield from _below(key, events, None)
            inside = (*(path or ()), key.value) if known and isinstance(key, yaml.ScalarEvent) else None
            yield from _below(next(events), events, inside)
