"""What a script prints: on a terminal in colour and with a line that moves, elsewhere plain, a line for each step."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STYLES: Mapping[str, str] = {"good": "1;32", "strong": "1", "faint": "2"}
"""Codes of Select Graphic Rendition (ECMA-48, 8.3.117), by what they are for."""

REDRAW_SECONDS = 0.2
START_OF_LINE, CLEAR = "\r", "\x1b[K"


@dataclass(frozen=True)
class Terminal:
    """Where lines go.

    Attributes:
        stream: what takes them.
        colour: whether it is told of colours.
        moves: whether a line can be drawn again.
        columns: how many characters a line has that is drawn again.
        clock: monotonic seconds.
    """

    stream: TextIO
    colour: bool = False
    moves: bool = False
    columns: int = 80
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> Terminal:
        """What this stream is: plain unless it is a terminal, without colour where ``NO_COLOR`` is set."""
        moves = stream.isatty() and environment.get("TERM") != "dumb"
        colour = moves and not environment.get("NO_COLOR")
        return cls(stream, colour=colour, moves=moves, columns=shutil.get_terminal_size().columns)

    def painted(self, style: str, text: str) -> str:
        """A text in a style, one of ``STYLES``; as it is where there are no colours."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colour else text

    def say(self, line: str = "", style: str | None = None) -> None:
        """Print a line."""
        print(line if style is None else self.painted(style, line), file=self.stream, flush=True)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print what is being done, and at its end how long it took, as one line.

        A terminal shows how long it has taken, too. Where the block is left by an error the line ends without a time.
        """
        began, line = self.clock(), f"- {title} ..."
        self._write(line)
        done = threading.Event()
        ticker = threading.Thread(target=self._redraw, args=[line, began, done], daemon=True)
        if self.moves:
            ticker.start()
        took = ""
        try:
            yield
            took = f" {self.painted('faint', f'{self.clock() - began:.1f} s')}"
        finally:
            done.set()
            if self.moves:
                ticker.join()
                self._write(f"{START_OF_LINE}{CLEAR}{line}")
            self._write(f"{took}\n")

    def _redraw(self, line: str, began: float, done: threading.Event) -> None:
        while not done.wait(REDRAW_SECONDS):
            self._write(f"{START_OF_LINE}{CLEAR}{moving(line, self.clock() - began, self.columns)}")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def moving(line: str, seconds: float, columns: int) -> str:
    """A line with the seconds so far, cut so that a terminal of this width does not wrap it. Pure."""
    took = f" {seconds:.0f} s"
    return f"{line[: max(columns - len(took) - 1, 0)]}{took}"
