"""The picture of the demo: what stands on the terminal at last, in its colours."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from hack.demo_picture import COLUMNS, PICTURE, draw, seen
from hack.terminal import CLEAR, START_OF_LINE

PLAIN = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=COLUMNS)


def test_colours_of_the_picture() -> None:
    """What is in a style on the terminal is in the same style on the picture, and the rest is in none."""
    drawn = draw("a \x1b[1;32mgood\x1b[0m b\r\n\x1b[1m<strong>\x1b[0m\n")
    assert '>a <tspan class="good">good</tspan> b</text>' in drawn
    assert '><tspan class="strong">&lt;strong&gt;</tspan></text>' in drawn


def test_what_was_drawn_last_is_seen() -> None:
    """Of a line that moved the last state is there."""
    moved = f"- a ...{START_OF_LINE}{CLEAR}- a ... 1 s{START_OF_LINE}{CLEAR}- a ... 1.2 s\r\nb\r\n"
    assert seen(moved) == "- a ... 1.2 s\nb\n"


@given(st.lists(PLAIN, min_size=1))
def test_every_line_is_drawn(lines: list[str]) -> None:
    """Each line is a text of the picture, as it is."""
    rows = [unescape(row) for row in re.findall(r"<text [^>]*>(.*?)</text>", draw("\n".join([*lines, "end"])))]
    assert rows == [*lines, "end"]


def test_a_long_line_is_cut() -> None:
    """A line that is longer than the picture is wide ends with an ellipsis, in whatever style it is."""
    [row] = re.findall(r"<text [^>]*>(.*?)</text>", draw(f"\x1b[2m{'x' * COLUMNS}y\x1b[0m"))
    assert row == f'<tspan class="faint">{"x" * (COLUMNS - 1)}…</tspan>'


def test_the_picture_in_the_docs_is_one_of_a_terminal() -> None:
    """The picture that the README shows has colours, and none of the codes that made them."""
    text = PICTURE.read_text("utf-8")
    assert text.count('<tspan class="good">') >= 4
    assert "\x1b" not in text
