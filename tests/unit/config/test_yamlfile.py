from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.yamlfile import DEPTH_LIMIT, Foreign, Problem, read_yaml

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab -:#'\"\n1", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("abc", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), values, max_size=4), st.booleans())
def test_what_was_written_is_read(value: dict[str, object], flow: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Mappings, lists, text, whole numbers, true, false and nothing are read as they were written."""
    body = yaml.safe_dump(plain(value), default_flow_style=flow, allow_unicode=True).encode()
    document = read_yaml(body)
    assert (document.value, document.problems, document.readable) == (value, (), True)


@given(st.binary(max_size=60) | st.text(":-[]{}&*!#|>'\"? \n\tab", max_size=40).map(str.encode))
def test_no_bytes_raise(body: bytes) -> None:
    """Whatever the bytes are, problems have lines of the file, and what cannot be read has a problem."""
    document = read_yaml(body)
    assert document.readable or document.problems
    assert all(1 <= problem.line <= len(body) + 1 for problem in document.problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", {}, id="empty file"),
        pytest.param("# nothing\n", {}, id="comments only"),
        pytest.param("\ufeffa: b", {"a": "b"}, id="byte order mark"),
        pytest.param("null", None, id="nothing at the top"),
        pytest.param("on: yes", {"on": True}, id="a key is its text"),
        pytest.param("1: '1'", {"1": "1"}, id="quoted number"),
        pytest.param("a: !!str 5", {"a": "5"}, id="text on purpose"),
        pytest.param("a: 0x10", {"a": Foreign("number", "0x10")}, id="hexadecimal"),
        pytest.param("a: 1_000", {"a": Foreign("number", "1_000")}, id="underscores"),
        pytest.param("a: 1.20", {"a": Foreign("number", "1.20")}, id="float"),
        pytest.param("a: 2026-01-01", {"a": Foreign("date", "2026-01-01")}, id="date"),
        pytest.param("a: !!bool maybe", {"a": Foreign("bool value", "maybe")}, id="no truth value"),
        pytest.param("a: !!binary YQ==", {"a": Foreign("binary value", "YQ==")}, id="binary"),
    ],
)
def test_scalars_are_not_guessed(text: str, value: object) -> None:
    """What is neither text nor a plain number, true, false or nothing stays as it is written."""
    document = read_yaml(text.encode())
    assert (document.value, document.problems) == (value, ())


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        pytest.param(b"a: 1\nb: \xff\n", 2, "not UTF-8: byte 0xff", id="not UTF-8"),
        pytest.param("a: ü".encode("utf-16"), 1, "not UTF-8", id="UTF-16"),
        pytest.param(b"a: 1\n\nb: \x07", 3, "control characters are not allowed", id="control character"),
        pytest.param(b"a:\n\t- b", 2, "cannot start any token while scanning for the next token", id="tab"),
        pytest.param(b"a: [1\nb: 2\n", 2, "while parsing a flow sequence", id="open bracket"),
        pytest.param(b"a: 1\n---\nb: 2", 2, "found another document", id="two documents"),
        pytest.param(b"a: 1\nb: &x [1]", 2, "the anchor &x is not allowed", id="anchor"),
        pytest.param(b"a: 1\nb: *x", 2, "the alias *x is not allowed", id="alias"),
        pytest.param(b"a: &a [*a]", 1, "the alias *a is not allowed", id="recursion"),
        pytest.param(b"a:\n" + b"- " * 100_000, 2, f"nested deeper than {DEPTH_LIMIT} levels", id="deep blocks"),
        pytest.param(b"[" * 100_000, 1, f"nested deeper than {DEPTH_LIMIT} levels", id="deep brackets"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(body: bytes, line: int, message: str) -> None:
    """What is not one plain YAML document of UTF-8 is unreadable, with the line."""
    document = read_yaml(body)
    assert not document.readable
    assert any(problem.line == line and message in problem.message for problem in document.problems)


def test_an_alias_bomb_stays_small() -> None:
    """A file whose aliases would make a billion values is refused by its anchors and aliases."""
    levels = [b"a: &a [x, x]"] + [
        f"{c}: &{c} [{', '.join(['*' + p] * 9)}]".encode() for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    document = read_yaml(b"\n".join(levels))
    assert not document.readable
    assert len(document.problems) == 9 + 8 * 9


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: 1\nb: 2\na: 3", Problem(3, "the key 'a' is repeated, first at line 1"), id="repeated key"),
        pytest.param("a: 1\n'a': 3", Problem(2, "the key 'a' is repeated, first at line 1"), id="quoted otherwise"),
        pytest.param("b:\n  a: 1\n  a: 3", Problem(3, "the key 'a' is repeated, first at line 2"), id="inside"),
        pytest.param("a: 1\n? [a]\n: b", Problem(2, "a key must be text, not a list or mapping"), id="list as key"),
        pytest.param("a: !x b", Problem(1, "the tag !x is not allowed"), id="local tag"),
        pytest.param(
            "a:\n  !!set {b}", Problem(2, "the tag tag:yaml.org,2002:set is not allowed"), id="other collection"
        ),
        pytest.param(
            "a: !!python/object/apply:os.system [x]",
            Problem(1, "the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed"),
            id="object",
        ),
    ],
)
def test_a_readable_file_can_have_problems(text: str, problem: Problem) -> None:
    """Repeated keys, keys that are no text and foreign tags are found with their lines; the rest is read."""
    document = read_yaml(text.encode())
    assert document.readable
    assert document.problems == (problem,)


def test_of_a_repeated_key_the_first_value_counts() -> None:
    """A repeated key is a problem, and what follows it is checked no further."""
    assert read_yaml(b"a: 1\na: {b: 2, b: 3}").value == {"a": 1}


def test_every_key_and_item_has_its_line() -> None:
    """A path has the line of its key or item; what is not there has the line of what is around it."""
    document = read_yaml(b"a: 1\nb:\n  c:\n  - x\n  - y\n")
    assert document.lines == {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 4, ("b", "c", 1): 5}
    assert document.line(("b", "c", 1)) == 5
    assert document.line(("b", "c", 7, "d")) == 3
    assert document.line(("z",)) == 1
    assert document.line(()) == 1
