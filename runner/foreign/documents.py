"""JSON and YAML that others wrote: read only where they are no bombs.

A document may be nested as deep as its writer likes, and with YAML's aliases a few lines stand for more values than
memory holds. What composes, compares or writes documents does so by recursion, so all of it may rely on these bounds.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_LIMIT: Final = 150
"""Levels of mappings and lists; the schemas of custom resources, which nest deepest, have some 60."""

VALUE_LIMIT: Final = 1_000_000
"""Values of a document, aliases written out; each 64 characters of a text count as one more."""

_CHARACTERS: Final = 64
_ALIAS: Final = re.compile(r"(?<![^\s\[{,:?-])\*[^\s\[\]{},]")
_FAR: Final = re.compile(rf"^[ \t?:-]{{{DEPTH_LIMIT // 2},}}", re.MULTILINE)
"""Indentation, or compact collections, of which each level needs at least two characters."""


class TooLarge(ValueError):
    """A document stands for more than is read; ``line`` counts from 1, None where it is not known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


def read_json(body: bytes | str, *, strict: bool = False) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON document holds.

    Args:
        body: the document, in UTF-8 where it is bytes.
        strict: whether a key that an object has twice is refused, and so are NaN and Infinity, which JSON has not (RFC
            8259, 6): nobody can say how another reader takes them. Else the last value of a key counts, as in Go.

    Raises:
        ValueError: it is not JSON, not UTF-8, nested deeper than DEPTH_LIMIT, or holds half of a surrogate pair, which
            cannot be written again.
    """
    try:
        if strict:
            document = json.loads(body, parse_constant=_no_number, object_pairs_hook=_distinct)
        else:
            document = json.loads(body)
    except RecursionError:
        raise _too_deep(None) from None
    if isinstance(body, str) or b"\\u" in body:
        _check_texts(document)
    _check_depth(document)
    return document


def check_yaml(text: str) -> None:
    """Check that YAML can be composed: nothing is nested too deep, refers to itself, or stands for too many values.

    Raises:
        TooLarge: it is not so.
        yaml.YAMLError: it is no YAML.
    """
    if _is_harmless(text):
        return
    # Each open collection: the anchor that it has, and how many values it stands for so far.
    open_: list[tuple[str | None, int]] = [(None, 0)]
    weights: dict[str, int] = {}
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            weights.clear()
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_) > DEPTH_LIMIT:
                raise _too_deep(_line(event))
            open_.append((event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, weight = open_.pop()
            _count(open_, weights, anchor, weight, event)
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise TooLarge(f"the alias *{event.anchor} refers to what it stands in", _line(event))
            _count(open_, weights, None, weights.get(str(event.anchor), 1), event)
        elif isinstance(event, yaml.ScalarEvent):
            _count(open_, weights, event.anchor, 1 + len(event.value) // _CHARACTERS, event)


def _is_harmless(text: str) -> bool:
    """Whether YAML is seen at once to be no bomb: most documents need no second reading, which takes Python long."""
    deep = text.count("[") + text.count("{") > DEPTH_LIMIT or _FAR.search(text) is not None
    return not deep and len(text) <= VALUE_LIMIT and _ALIAS.search(text) is None


def _count(
    open_: list[tuple[str | None, int]], weights: dict[str, int], anchor: str | None, weight: int, event: yaml.Event
) -> None:
    if anchor is not None:
        weights[anchor] = weight
    above, counted = open_[-1]
    open_[-1] = above, counted + weight
    if counted + weight > VALUE_LIMIT:
        raise TooLarge(f"it stands for more than {VALUE_LIMIT} values", _line(event))


def _line(event: yaml.Event) -> int | None:
    return None if event.start_mark is None else int(event.start_mark.line) + 1


def _too_deep(line: int | None) -> TooLarge:
    return TooLarge(f"it is nested deeper than {DEPTH_LIMIT} levels", line)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number in JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has the key {key[:80]!r} twice in one object")
        found[key] = value
    return found


def _check_depth(document: object) -> None:
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(DEPTH_LIMIT):
        level = [below for one in level for below in _children(one) if isinstance(below, dict | list)]
        if not level:
            return
    raise _too_deep(None)


def _check_texts(document: object) -> None:
    pending = [document]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            try:
                one.encode()
            except UnicodeEncodeError:
                raise ValueError("it holds half of a surrogate pair, which is no character") from None
        elif isinstance(one, dict | list):
            pending += one if isinstance(one, dict) else ()
            pending += _children(one)


def _children(one: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(one.values() if isinstance(one, dict) else one)
