from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from hack.drawing import STYLE, Span, draw_rows

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
SPANS = st.lists(st.tuples(st.sampled_from([None, "green", "red", "strong"]), TEXT))


@given(st.lists(SPANS), TEXT)
def test_every_row_is_drawn(rows: list[list[Span]], label: str) -> None:
    """Whatever is written on a terminal, its picture is XML with each row's text as it is."""
    picture = ET.fromstring(draw_rows(rows, 80, label))  # noqa: S314 - our own
    texts = ["".join(row.itertext()) for row in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["".join(text for _, text in row) for row in rows]
    assert picture.get("aria-label") == label


def test_styles_of_a_terminal() -> None:
    """Each style that a terminal's picture uses is in its style sheet, for light and dark pages."""
    for style in ("green", "red", "yellow", "strong"):
        assert f".{style} {{" in STYLE
