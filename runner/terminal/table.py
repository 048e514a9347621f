"""Tables as values, and as plain aligned text for a pipe. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from runner.terminal.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Tone = Literal["good", "bad", "running", "waiting", "stopped", "warning", "none"]
"""What a word says of a thing: its sign and its colour follow from it."""

SIGNS: Final[Mapping[Tone, tuple[str, str]]] = {
    "good": ("✓", "+"),
    "bad": ("✗", "x"),
    "running": ("●", "*"),
    "waiting": ("○", "o"),
    "stopped": ("■", "-"),
    "warning": ("!", "!"),
    "none": (" ", " "),
}
"""The sign of each tone, and the one for a terminal that cannot show it."""

EMPTY: Final = "-"
"""What stands in the place of an empty cell, so that programs that split at white space find their column."""

GAP: Final = 2


@dataclass(frozen=True)
class State:
    """A word with its tone."""

    word: str
    tone: Tone

    def __str__(self) -> str:
        return self.word


Cell = str | State


@dataclass(frozen=True)
class Column:
    """A column: its title, and what becomes of it where a terminal is too narrow.

    ``cut`` shortens each cell to one line, ``wrap`` continues it below; ``keep`` gives way last.
    """

    title: str
    when_narrow: Literal["keep", "cut", "wrap"] = "keep"


@dataclass(frozen=True)
class Table:
    """Rows of cells, one for each column. Cells may be foreign text: it is made plain where it is shown.

    ``has_titles`` is whether the titles are shown above the columns.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    has_titles: bool = True


def fields(pairs: Sequence[tuple[str, Cell]]) -> Table:
    """What is known of one thing, as a table: on each line a name and its value; the empty ones are left out."""
    rows = tuple((f"{name}:", value) for name, value in pairs if str(value))
    return Table((Column(""), Column("", "wrap")), rows, has_titles=False)


def texts(table: Table) -> tuple[tuple[str, ...], ...]:
    """The text of each cell, row by row: on one line, and never empty."""
    return tuple(tuple(plain(str(cell)) or EMPTY for cell in row) for row in table.rows)


def widths(table: Table) -> tuple[int, ...]:
    """How wide each column is without being shortened, in characters."""
    shown = texts(table)
    titles = tuple(column.title if table.has_titles else "" for column in table.columns)
    return tuple(max(len(row[place]) for row in (titles, *shown)) for place in range(len(table.columns)))


def plain_lines(table: Table, *, at_least: Sequence[int] = ()) -> Iterator[str]:
    """The table as aligned lines of whatever width: words only, no sign, nothing cut.

    Args:
        table: what is shown.
        at_least: how wide each column is at least, so that lines printed later stand below those before them.
    """
    wide = widths(table)
    wide = tuple(map(max, wide, at_least)) if at_least else wide
    if table.has_titles:
        yield _line([column.title for column in table.columns], wide)
    for row in texts(table):
        yield _line(row, wide)


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    return (" " * GAP).join(cell.ljust(width) for cell, width in zip(cells, wide, strict=True)).rstrip()
