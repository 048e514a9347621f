from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.config.section import Listed, Section, nearest


class Sample(Section):
    """A section with one of each kind of value."""

    number: int = 0
    words: Listed[str] = ("a",)


def test_values_are_taken_as_they_are() -> None:
    """A value of another type is refused, and not made into the right one."""
    assert Sample.model_validate({"number": 1, "words": ("b", "a")}) == Sample(number=1, words=("b", "a"))
    for wrong in ({"number": "1"}, {"number": True}, {"words": ["a"]}, {"words": "a"}, {"words": (1,)}):
        with pytest.raises(ValidationError):
            Sample.model_validate(wrong)


def test_unknown_keys_are_refused() -> None:
    """A key that a section does not have is an error, not something to be ignored."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Sample.model_validate({"numbre": 1})


def test_sections_are_values() -> None:
    """A section cannot be changed once it was read."""
    with pytest.raises(ValidationError, match="frozen"):
        Sample().number = 1  # type: ignore[misc]  # the very thing that must fail


@given(st.lists(st.sampled_from("abcde"), max_size=6))
def test_lists_have_each_entry_once(words: list[str]) -> None:
    """A list with one entry or more, none of them twice, keeps its order; any other is refused with the reason."""
    if words and len(set(words)) == len(words):
        assert Sample(words=tuple(words)).words == tuple(words)
        return
    with pytest.raises(ValidationError) as raised:
        Sample(words=tuple(words))
    twice = next((word for place, word in enumerate(words) if word in words[:place]), None)
    reason = "at least one entry is needed" if twice is None else f"{twice!r} is in this list twice"
    assert reason in str(raised.value)


def test_schema_of_a_list() -> None:
    """An editor learns that a list may not be empty and has no entry twice."""
    words = Sample.model_json_schema()["properties"]["words"]
    assert (words["minItems"], words["uniqueItems"], words["items"]) == (1, True, {"type": "string"})


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("servces", "; did you mean 'services'?"),
        ("Registry", "; did you mean 'registry'?"),
        ("zzz", "; there are: registry, services, build"),
        ("", "; there are: registry, services, build"),
    ],
)
def test_nearest_word(word: str, hint: str) -> None:
    """A word that is nearly a valid one is told that; for any other all valid ones are listed, in their order."""
    assert nearest(word, iter(["registry", "services", "build"])) == hint


@given(st.text(), st.lists(st.text("abc", min_size=1), min_size=1, unique=True))
def test_any_word_has_a_hint(word: str, valid: list[str]) -> None:
    """Whatever was written, the hint names a valid word; a valid one is its own nearest."""
    hint = nearest(word, valid)
    assert any(repr(one) in hint or one in hint for one in valid)
    assert nearest(valid[0], valid) == f"; did you mean {valid[0]!r}?"
