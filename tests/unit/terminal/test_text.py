from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.terminal.text import plain, plain_log_line


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("", ""),
        ("  two\n\twords ", "two words"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bcreset", "reset"),
        ("bell\x07", "bell\ufffd"),
        ("unfinished \x1b[", "unfinished"),
        ("unfinished \x1b", "unfinished \ufffd"),
        ("abc\u202egnp.exe", "abc\ufffdgnp.exe"),
        ("Grüße, 世界", "Grüße, 世界"),
        ("\udcff", "\ufffd"),
    ],
)
def test_a_line(foreign: str, shown: str) -> None:
    """Colours, titles and links are left out, and what is left that one cannot see is marked."""
    assert plain(foreign) == shown


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("  | main.go:33", "  | main.go:33"),
        ("a\tb", "a       b"),
        ("\x1b[32mok\x1b[0m\r\n", "ok"),
        ("10%\r100%", "100%"),
    ],
)
def test_a_line_of_a_log(foreign: str, shown: str) -> None:
    """A line of a log keeps its white space, and shows what was written last where it was written over."""
    assert plain_log_line(foreign) == shown


@given(st.text() | st.text("\x1b[]0;1m\\\x07\r\n\t\x9b"))
def test_whatever_is_foreign(foreign: str) -> None:
    """Nothing is left that a terminal would obey, and what is plain stays as it is."""
    for make in (plain, plain_log_line):
        shown = make(foreign)
        assert shown.isprintable()
        assert make(shown) == shown
