"""Lines that stay, and below them what is being done now, with its time: for a terminal."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, Final

from runner.terminal.colour import uses_colour
from runner.terminal.screen import STYLES, columns, load_rich, shows
from runner.terminal.table import SIGNS
from runner.terminal.text import plain_log_line

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from runner.terminal.colour import ColourChoice
    from runner.terminal.table import Tone

PER_SECOND: Final = 5
NOT_AT_ONCE: Final = 0.3
"""Seconds for which something goes on before it is shown: what is over sooner would only flicker."""
SHOWN: Final = 8
"""How many things that go on are shown at once; the others are counted."""


class Guarded(io.TextIOBase):
    """What a terminal's stream is to rich: nobody who reads is no reason to stop.

    Args:
        write: takes text, and loses what it cannot write.
        encoding: the stream's.
    """

    def __init__(self, write: Callable[[str], object], encoding: str) -> None:
        super().__init__()
        self._write = write
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has it as a plain attribute
        """The stream's encoding, by which rich chooses characters."""
        return self._encoding

    def isatty(self) -> bool:
        """A terminal."""
        return True

    def write(self, text: str) -> int:
        """Pass the text on."""
        self._write(text)
        return len(text)


class Progress:
    """What goes on, below the lines that tell what is done. Thread-safe; nothing is shown after ``stop``.

    Args:
        write: takes text for the terminal, and loses what it cannot write.
        encoding: the terminal's.
        environment: the process's own.
        colour: what ``--color`` says.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        encoding: str,
        environment: Mapping[str, str],
        *,
        colour: ColourChoice = "auto",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.has_colour = uses_colour(colour, environment, is_terminal=True)
        self._clock = clock
        self._lock = threading.RLock()
        self._running: dict[Hashable, tuple[str, float]] = {}
        self._stream = Guarded(write, encoding)
        self._console = _console(self._stream, environment, has_colour=self.has_colour)
        self._live: Live | None = None
        self._stopped = False

    def begin(self, key: Hashable, label: str) -> None:
        """Show that something goes on, until ``end`` is called with the same key."""
        with self._lock:
            if self._stopped:
                return
            self._running[key] = (label, self._clock())
            if self._live is None:
                self._live = self._started()

    def end(self, key: Hashable) -> None:
        """Show no longer that it goes on."""
        with self._lock:
            self._running.pop(key, None)

    def line(self, text: str, tone: Tone = "none", *, indent: int = 0, sign: bool = True) -> None:
        """Print a line above what goes on; its sign and colour follow from the tone.

        Args:
            text: one line; what a terminal would obey is left out.
            tone: what the line says of its subject.
            indent: how many columns it is moved to the right.
            sign: whether the tone's sign, or as much space, stands before it.
        """
        # Not under the lock: rich takes its own first, and then asks what goes on.
        self._console.print(self._styled(text, tone, indent=indent, sign=sign), soft_wrap=True)

    def refresh(self) -> None:
        """Draw what goes on anew, which otherwise happens some times a second."""
        live = self._live
        if live is not None:
            live.refresh()

    def stop(self) -> None:
        """Remove what goes on, for good."""
        with self._lock:
            self._stopped = True
            self._running.clear()
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _started(self) -> Live:
        from rich.live import Live

        live = Live(
            console=self._console,
            transient=True,
            refresh_per_second=PER_SECOND,
            get_renderable=self._shown,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    def _shown(self) -> Text:
        from rich.text import Text

        with self._lock:
            now = self._clock()
            running = [one for one in self._running.values() if now - one[1] >= NOT_AT_ONCE]
        lines = [
            self._styled(f"{label}  {now - began:.0f} s", "running", indent=0, sign=True)
            for label, began in running[:SHOWN]
        ]
        if len(running) > SHOWN:
            lines.append(self._styled(f"and {len(running) - SHOWN} more", "none", indent=0, sign=True))
        return Text("\n").join(lines)

    def _styled(self, text: str, tone: Tone, *, indent: int, sign: bool) -> Text:
        from rich.text import Text

        mark, instead = SIGNS[tone]
        before = f"{mark if shows(self._stream.encoding, mark) else instead} " if sign else ""
        style = STYLES[tone]
        return Text.assemble(
            " " * indent, (before, style), (plain_log_line(text), style if tone == "bad" else ""), no_wrap=True
        )


def _console(stream: io.TextIOBase, environment: Mapping[str, str], *, has_colour: bool) -> Console:
    load_rich()
    from rich.console import Console

    class Visible(Console):
        """A console that leaves the cursor alone: a process that is killed could not show it again."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002 - the base class's signature
            """Do nothing."""
            return show

    return Visible(
        file=stream,  # type: ignore[arg-type]  # rich asks for IO[str], and uses what TextIOBase has
        width=columns(),
        force_terminal=True,
        color_system="standard" if has_colour else None,
        no_color=not has_colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ=environment,
    )
