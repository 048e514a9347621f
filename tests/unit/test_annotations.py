from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import inputs_text, read_inputs_text

INPUTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8))


@given(INPUTS.filter(bool), st.data())
def test_inputs_have_one_text_whatever_their_order(inputs: dict[str, str], data: st.DataObject) -> None:
    """The text of the inputs changes with each of them and with nothing else."""
    shuffled = dict(data.draw(st.permutations(list(inputs.items()))))
    assert inputs_text(shuffled) == inputs_text(inputs)
    key = data.draw(st.sampled_from(sorted(inputs)))
    assert inputs_text({**inputs, key: f"{inputs[key]}x"}) != inputs_text(inputs)


@given(INPUTS)
def test_inputs_are_read_as_they_were_written(inputs: dict[str, str]) -> None:
    """What is written about the inputs says each of them again, on one line."""
    assert read_inputs_text(inputs_text(inputs)) == inputs
    assert "\n" not in inputs_text(inputs)


@pytest.mark.parametrize("text", ["", "sha256:" + "0" * 64, "[]", "1", '"go"', "[" * 100_000, '{"go": '])
def test_inputs_of_another_form(text: str) -> None:
    """What was written in another way, such as their digest alone, states no inputs."""
    assert read_inputs_text(text) == {}


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_foreign_inputs_are_texts(value: object) -> None:
    """An annotation is foreign: values that are no texts are read as such."""
    assert read_inputs_text(json.dumps({"go": value})) == {"go": str(json.loads(json.dumps(value)))}
