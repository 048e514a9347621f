"""What a person sees of what a program wrote to a terminal: lines, with their colours, by a terminal emulator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 500
COLOURS = {"green": "green", "red": "red", "brown": "yellow"}
"""What pyte calls colours, and what they are here; others are shown as text."""


@dataclass(frozen=True)
class Cell:
    """A character, and its style: a colour, or ``strong``; None for plain text."""

    text: str
    style: str | None


def screen_of(written: str, columns: int) -> tuple[tuple[Cell, ...], ...]:
    """The lines that stand on a terminal of this width at last, those that it scrolled away included.

    Args:
        written: all that was written to it.
        columns: how many characters it is wide.
    """
    screen = pyte.Screen(columns, ROWS)
    pyte.Stream(screen).feed(written)
    lines = [tuple(_cells(screen, row, columns)) for row in range(ROWS)]
    last = max((number for number, line in enumerate(lines) if _text(line)), default=-1)
    return tuple(lines[: last + 1])


def lines_of(written: str, columns: int) -> list[str]:
    """The same as text, without spaces at the ends."""
    return [_text(line) for line in screen_of(written, columns)]


def spans_of(line: tuple[Cell, ...]) -> list[tuple[str | None, str]]:
    """A line in parts of one style each, without spaces at its end."""
    shown = line[: len(_text(line))]
    return [(style, "".join(cell.text for cell in part)) for style, part in groupby(shown, lambda cell: cell.style)]


def _cells(screen: pyte.Screen, row: int, columns: int) -> Iterator[Cell]:
    for column in range(columns):
        found = screen.buffer[row][column]
        yield Cell(found.data, COLOURS.get(found.fg) or ("strong" if found.bold else None))


def _text(line: tuple[Cell, ...]) -> str:
    return "".join(cell.text for cell in line).rstrip()
