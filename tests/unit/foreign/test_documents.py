from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.foreign.documents import DEPTH_LIMIT, VALUE_LIMIT, TooLarge, check_yaml, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


def bomb(levels: int, each: str = "[{}]") -> str:
    """A document in which every value is nine times the one before, by aliases."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {each.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, levels + 1)]
    return "\n".join(lines)


@given(JSON, st.booleans(), st.booleans())
def test_any_document(value: Any, strict: bool, ascii_only: bool) -> None:  # noqa: FBT001  # any JSON value
    """What is JSON and no bomb is read as what it is, from text and from bytes, however it is escaped."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert read_json(text, strict=strict) == value
    assert read_json(text.encode(), strict=strict) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(body: bytes) -> None:
    """Whatever is read can be written again, and anything else is a ValueError."""
    try:
        value = read_json(body)
    except ValueError:
        return
    json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1),
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'"\xff"',
        rb'"\ud800"',
        rb'{"\udfff": 1}',
        rb'[{"a": ["\ud800\ud800"]}]',
        b"9" * 5000,
        b"1 2",
    ],
    ids=["empty", "open", "one too deep", "deep", "no UTF-8", "half", "half key", "halves", "digits", "two"],
)
def test_json_that_is_refused(body: bytes) -> None:
    """What is no JSON, too deep, or cannot be written again is refused, never a crash."""
    with pytest.raises(ValueError, match=r"."):
        read_json(body)


def test_as_deep_as_allowed() -> None:
    """The limit is what may be there."""
    assert read_json(b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT)[0]


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b'[{"a": {"b": 1, "b": 1}}]', b"[NaN]", b"[-Infinity]"])
def test_what_two_readers_may_take_differently(body: bytes) -> None:
    """Repeated keys and numbers that JSON has not are refused where it matters, and only there."""
    with pytest.raises(ValueError, match=r"twice|not a number"):
        read_json(body, strict=True)
    assert read_json(body)


def test_last_key_counts() -> None:
    """Where a repeated key is taken, its last value counts, as in Go."""
    assert read_json(b'{"a": 1, "a": 2}') == {"a": 2}
    assert math.isnan(read_json(b"NaN"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[" * 100_000, 1),
        ("{a: " * 5000 + "b" + "}" * 5000, 1),
        ("- " * 5000 + "a", 1),
        ("a: 1\n" + "? " * 400 + "a", 2),
        (bomb(7), 7),
        (bomb(9, "{{<<: [{}]}}"), 7),
        (f"a: &a {'x' * 640_000}\nb: [{', '.join(['*a'] * 101)}]", 2),
        ("a: &a [*a]", 1),
        ("a: &a {<<: *a}", 1),
        ("a: &a\n  b: &b\n    c: [*b, *a]", 3),
        ("[" + "a," * (VALUE_LIMIT + 1) + "]", 1),
    ],
    ids=[
        "open",
        "flow",
        "one line",
        "keys",
        "laughs",
        "merged",
        "long text",
        "itself",
        "merges itself",
        "outer",
        "many",
    ],
)
def test_yaml_that_is_a_bomb(text: str, line: int) -> None:
    """What is nested too deep, refers to itself or stands for too much is refused with its line, and soon."""
    began = time.process_time()
    with pytest.raises(TooLarge) as caught:
        check_yaml(text)
    assert caught.value.line == line
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "text",
    ["", "a: &a [1]\nb: *a\n--- \nc: &a 1\nd: *a", bomb(5), "a: &a b\n*a : c", "- &a 1\n- &a [*a]"],
    ids=["empty", "documents", "some", "a key", "an anchor again"],
)
def test_yaml_that_is_none(text: str) -> None:
    """Aliases and depth of an ordinary size are left alone."""
    try:
        check_yaml(text)
    except TooLarge as error:
        # Of an anchor that is given again, an alias within means the earlier one; that no chart does this is known.
        assert "refers to what it stands in" in error.reason  # noqa: PT017  # one case of several
        assert text.startswith("- &a 1")


@given(st.text(st.sampled_from("[]{}:,-&*!<?|> \nab\"'#%"), max_size=60))
def test_any_yaml(text: str) -> None:
    """Whatever passes can be composed by recursion."""
    try:
        check_yaml(text)
        list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except (TooLarge, yaml.YAMLError):
        return
