from __future__ import annotations

from testbed.terminal_screen import lines_of, screen_of, spans_of


def test_what_stands_there_at_last() -> None:
    """What was drawn over is gone, what was scrolled away is kept, and a long line goes on below."""
    written = "first\r\n\x1b[33m● going 0 s\x1b[0m\r\x1b[2Ksecond\r\n" + "x" * 14 + "\r\n\r\nlast"
    assert lines_of(written, 12) == ["first", "second", "x" * 12, "xx", "", "last"]


def test_styles() -> None:
    """Each part of a line has its colour, or is strong, or plain."""
    [line] = screen_of("a \x1b[32mgood\x1b[0m \x1b[1mstrong\x1b[0m\r\n", 40)
    assert spans_of(line) == [(None, "a "), ("green", "good"), (None, " "), ("strong", "strong")]


def test_nothing() -> None:
    """A terminal to which nothing was written has no lines."""
    assert screen_of("", 10) == ()
