"""Where commands that people read print: a terminal, with rich, or a pipe, with plain text."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TextIO

from runner.terminal.colour import is_terminal, uses_colour
from runner.terminal.table import SIGNS, State, plain_lines, texts, widths
from runner.terminal.text import plain, plain_log_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from runner.terminal.colour import ColourChoice
    from runner.terminal.table import Cell, Column, Table, Tone

STYLES: Final[Mapping[Tone, str]] = {
    "good": "green",
    "bad": "red",
    "running": "yellow",
    "waiting": "cyan",
    "stopped": "magenta",
    "warning": "yellow",
    "none": "",
}
SHOW_CURSOR: Final = "\x1b[?25h"
LEAST_WIDTH: Final = 40
"""A terminal that says it is narrower is treated as if it had this width."""

Width = int | None


class ReaderGone(Exception):
    """Nobody reads what is printed any more: ``head`` has seen enough. There is nothing to report."""


class Screen:
    """Prints for a person, or for a program.

    What was asked for goes to stdout, what is said about it to stderr. What is foreign is made plain here.

    Args:
        out: stdout.
        err: stderr.
        environment: the process's environment.
        colour: what ``--color`` says.
        as_json: whether a program reads: stdout then has one JSON document and nothing else.
        quiet: whether nothing is said beside what was asked for.
    """

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        environment: Mapping[str, str],
        *,
        colour: ColourChoice = "auto",
        as_json: bool = False,
        quiet: bool = False,
    ) -> None:
        self._out = out
        self._err = err
        self._environment = environment
        self._lock = threading.RLock()
        self._has_printed = False
        self._is_live = False
        self._wide: tuple[int, ...] = ()
        self.as_json = as_json
        self.quiet = quiet
        self.is_terminal = is_terminal(out)
        self.has_colour = uses_colour(colour, environment, is_terminal=self.is_terminal)

    @property
    def _is_decorated(self) -> bool:
        return self.is_terminal or self.has_colour

    def line(self, text: str = "", tone: Tone = "none") -> None:
        """Print a line of what was asked for; with a tone, a terminal shows its sign before it."""
        text = plain(text)
        if tone == "none" or not self._is_decorated:
            self._print(f"{text}\n")
        else:
            self._show(self._styled(State(text, tone)), width=None)

    def log_line(self, line: str) -> None:
        """Print a line of a log as it is, but for what a terminal would obey."""
        self._print(f"{plain_log_line(line)}\n")

    def table(self, table: Table) -> None:
        """Print a table: on a terminal as wide as it at most, in a pipe as wide as it is."""
        if not self._is_decorated:
            self._print("".join(f"{line}\n" for line in plain_lines(table)))
        elif table.rows or table.has_titles:
            self._show(self._rich_table(table), width=self._width(table))

    def more_rows(self, table: Table) -> None:
        """Print rows that belong below a table that was printed by this: its titles stand once, above the first."""
        table = replace(table, has_titles=table.has_titles and not self._wide)
        self._wide = tuple(map(max, widths(table), self._wide or (0,) * len(table.columns)))
        self._print("".join(f"{line}\n" for line in plain_lines(table, at_least=self._wide)))

    def json(self, document: object) -> None:
        """Print the one document that a program reads."""
        self._has_printed = True
        self._print(f"{json.dumps(document, indent=2)}\n")

    def error_json(self, error: Mapping[str, object]) -> None:
        """Print an error for a program that reads, unless it has its document."""
        if self.as_json and not self._has_printed:
            self.json({"error": error})

    def note(self, text: str, tone: Tone = "none") -> None:
        """Say something about what is printed, to stderr; nothing where quiet was asked for."""
        if not self.quiet:
            sign = f"{SIGNS[tone][0 if shows(self._err.encoding, SIGNS[tone][0]) else 1]} " if tone != "none" else ""
            self._say(f"{sign}{plain(text)}\n")

    def complain(self, line: str) -> None:
        """Print a line that says what went wrong, to stderr, however quiet."""
        self._say(f"{line}\n")

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer: what is asked is seen, and what is said comes from a terminal."""
        return is_terminal(self._err) and is_terminal(sys.stdin)

    def ask(self, question: str, answer: Callable[[], str] | None = None) -> bool:
        """Ask on stderr whether to go on; only a yes is one."""
        self._say(f"{plain(question)} [y/N] ")
        return (answer or sys.stdin.readline)().strip().lower() in {"y", "yes"}

    @contextlib.contextmanager
    def live(self) -> Iterator[Callable[[Table], None]]:
        """Give a function that shows a table in the place of the one before; for terminals only."""
        load_rich()
        from rich.live import Live

        console = self._console(None)
        self._is_live = True
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as shown:
            yield lambda table: shown.update(self._rich_table(table), refresh=True)
        self._is_live = False

    def close(self) -> None:
        """Give the terminal back as it was, although what is shown live is not at its end."""
        if self._is_live:
            self._say(SHOW_CURSOR)

    def _console(self, width: Width) -> Console:
        load_rich()
        from rich.console import Console

        return Console(
            file=self._out,
            width=width or columns(),
            force_terminal=self._is_decorated,
            color_system="standard" if self.has_colour else None,
            no_color=not self.has_colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ=self._environment,
        )

    def _width(self, table: Table) -> Width:
        """The terminal's own, or in a pipe that has colour what the table needs."""
        return None if self.is_terminal else sum(widths(table)) + 6 * len(table.columns) + 1

    def _show(self, shown: RichTable | Text, *, width: Width) -> None:
        console = self._console(width)
        with console.capture() as captured:
            console.print(shown, soft_wrap=width is None and not hasattr(shown, "columns"))
        self._print("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))

    def _rich_table(self, table: Table) -> RichTable:
        load_rich()
        from rich.table import Table as RichTable

        made = RichTable(
            box=None, pad_edge=False, show_header=table.has_titles, header_style="bold", padding=(0, 2, 0, 0)
        )
        for column in table.columns:
            made.add_column(column.title, no_wrap=column.when_narrow == "keep", overflow="ellipsis")
        for row, shown in zip(table.rows, texts(table), strict=True):
            cells = zip(row, shown, table.columns, strict=True)
            made.add_row(*(self._cell(cell, text, column) for cell, text, column in cells))
        return made

    def _cell(self, cell: Cell, text: str, column: Column) -> Text:
        from rich.text import Text

        if isinstance(cell, State):
            return self._styled(State(text, cell.tone))
        wraps = column.when_narrow == "wrap"
        return Text(text, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")

    def _styled(self, state: State) -> Text:
        load_rich()
        from rich.text import Text

        sign, instead = SIGNS[state.tone]
        text = f"{sign if shows(self._out.encoding, sign) else instead} {state.word}"
        shown = Text(no_wrap=True, overflow="ellipsis")
        return shown.append(text, style=STYLES[state.tone])

    def _print(self, text: str) -> None:
        with self._lock:
            try:
                self._out.write(text)
                self._out.flush()
            except (OSError, ValueError) as error:
                raise ReaderGone from error

    def _say(self, text: str) -> None:
        # Nobody who reads what goes wrong is no reason to stop.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._err.write(text)
            self._err.flush()


def columns() -> int:
    """How wide the terminal is, in characters."""
    return max(shutil.get_terminal_size().columns, LEAST_WIDTH)


def shows(encoding: str | None, text: str) -> bool:
    """Whether a stream's encoding has these characters; only ASCII where it has none."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def load_rich() -> None:
    """Let rich be imported: ``runner.__main__`` keeps structlog from loading it."""
    modules: dict[str, Any] = sys.modules
    # None stands for a module that is held back.
    if "rich" in modules and modules["rich"] is None:
        del modules["rich"]
