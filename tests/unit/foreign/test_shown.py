from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.foreign.shown import VALUE_LIMIT, clipped, short, spelled_out


@given(st.text())
def test_any_text(text: str) -> None:
    """What is spelt out is one line of characters that can be seen and encoded, and can be read back."""
    shown = spelled_out(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    shown.encode()
    if '"' not in text and "\\" not in text:
        assert json.loads(f'"{shown}"') == text


@given(st.text())
def test_kept_characters(text: str) -> None:
    """Line breaks stay where they are wanted, and nothing else does."""
    shown = spelled_out(text, kept="\n")
    assert shown.count("\n") == text.count("\n")
    assert shown.replace("\n", "").isprintable()


@given(st.recursive(st.text() | st.integers() | st.binary(), lambda inner: st.lists(inner) | st.sets(st.text())))
def test_any_value(value: Any) -> None:  # any value
    """A value is shown in a line of a known length."""
    assert len(short(value)) <= VALUE_LIMIT


def test_value_of_any_size_and_depth() -> None:
    """Neither a value that is too deep for the interpreter nor one of many digits stops who shows it."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (deep, {"a": deep}, "x" * 10**6, [["y" * 10**4] * 10**4] * 10, 10**4000):
        assert len(short(value)) <= VALUE_LIMIT


@given(st.text(), st.integers(0, 20))
def test_clipped(text: str, limit: int) -> None:
    """The beginning stays, and what is left out is counted."""
    assert clipped(text, limit).startswith(text[:limit])
    assert (clipped(text, limit) == text) == (len(text) <= limit)
