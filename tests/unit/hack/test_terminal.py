"""What scripts print: colour and a line that moves on a terminal only."""

from __future__ import annotations

import io
import re
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hack.terminal import CLEAR, START_OF_LINE, STYLES, Terminal, moving


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def clock_of(*, every: float = 1.5) -> object:
    times = count(0.0, every)
    return lambda: next(times)


@pytest.mark.parametrize(
    ("stream", "environment", "colour", "moves"),
    [
        (Screen(), {"TERM": "xterm"}, True, True),
        (Screen(), {}, True, True),
        (Screen(), {"NO_COLOR": ""}, True, True),
        (Screen(), {"NO_COLOR": "1"}, False, True),
        (Screen(), {"TERM": "dumb"}, False, False),
        (io.StringIO(), {"TERM": "xterm"}, False, False),
    ],
)
def test_what_a_stream_is(stream: io.StringIO, environment: dict[str, str], colour: bool, moves: bool) -> None:  # noqa: FBT001
    """Only a terminal gets colours and a line that moves, and colours only as long as nobody forbids them."""
    terminal = Terminal.of(stream, environment)
    assert (terminal.colour, terminal.moves) == (colour, moves)


def test_colours() -> None:
    """A text in a style is between its code and the end of all styles; without colours it is as it is."""
    for style, code in STYLES.items():
        assert Terminal(io.StringIO(), colour=True).painted(style, "x") == f"\x1b[{code}mx\x1b[0m"
        assert Terminal(io.StringIO()).painted(style, "x") == "x"


def test_lines() -> None:
    """A line is printed at once, an empty one too, in a style where one is given."""
    stream = io.StringIO()
    terminal = Terminal(stream, colour=True)
    terminal.say()
    terminal.say("one")
    terminal.say("two", "strong")
    assert stream.getvalue() == "\none\n\x1b[1mtwo\x1b[0m\n"


def test_a_step_in_a_log() -> None:
    """In a log a step is one line, with what it took at its end; nothing in it moves and nothing is in colour."""
    stream = io.StringIO()
    with Terminal(stream, clock=clock_of()).step("build"):  # type: ignore[arg-type] # a clock
        assert stream.getvalue() == "- build ..."
    assert stream.getvalue() == "- build ... 1.5 s\n"


def test_a_step_on_a_terminal() -> None:
    """On a terminal the line is drawn again, and what stands there at last is what a log has."""
    stream = Screen()
    with Terminal(stream, moves=True, clock=clock_of()).step("build"):  # type: ignore[arg-type] # a clock
        pass
    assert stream.getvalue().endswith(f"{START_OF_LINE}{CLEAR}- build ... 1.5 s\n")


@pytest.mark.parametrize("moves", [False, True])
def test_a_step_that_fails(moves: bool) -> None:  # noqa: FBT001
    """A step that is left by an error ends its line, and says no time, since it did not come to its end."""
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), Terminal(stream, moves=moves).step("build"):
        raise ValueError("x")
    assert stream.getvalue().endswith("- build ...\n")


@given(st.text(), st.floats(0, 10_000), st.integers(20, 300))
def test_a_line_that_moves_is_not_wrapped(line: str, seconds: float, columns: int) -> None:
    """A line that is drawn again fits the terminal, and says how long it has taken, whatever else it says."""
    drawn = moving(line, seconds, columns)
    assert len(drawn) < columns
    assert re.search(r" \d+ s$", drawn)
