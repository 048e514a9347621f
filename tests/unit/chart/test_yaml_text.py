from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.yaml_text import Mapped, Scalar, YamlInvalid, parse, replace_scalars

TAG = ("image", "tag")
REPOSITORY = ("image", "repository")
BOTH: dict[tuple[str, ...], str] = {REPOSITORY: "127.0.0.1:5000/x/y", TAG: "1.2.3"}

PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff")
)


@pytest.mark.parametrize(
    ("written", "text", "is_text"),
    [
        ("1.2.3", "1.2.3", True),
        ("v1.2.3", "v1.2.3", True),
        ("'1.10'", "1.10", True),
        ('"1.10"', "1.10", True),
        ("!!str 1.10", "1.10", True),
        ("1.10", "1.10", False),
        ("12", "12", False),
        ("true", "true", False),
        ("null", "null", False),
        ("", "", False),
        ('""', "", True),
    ],
)
def test_a_scalar_is_what_is_written(written: str, text: str, *, is_text: bool) -> None:
    """The text keeps every digit, and whether YAML reads it as text is said beside it."""
    assert Mapped.read(f"# first\nimage:\n  tag: {written}\n".encode()).scalar(*TAG) == Scalar(text, 3, is_text)


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("image: {tag: one}", 1),
        ("other: &a one\nimage:\n  tag: *a\n", 1),
        ("base: &b\n  tag: one\nimage: *b\n", 2),
        ("base: &b\n  tag: one\nimage:\n  <<: *b\n  repository: r\n", 2),
        ("base: &b {tag: two}\nimage:\n  <<: *b\n  tag: one\n", 4),
        ("a: &a {x: y}\nb: &b {tag: one}\nimage:\n  <<: [*a, *b]\n", 2),
        ('\ufeff"image":\r\n  ? tag\r\n  : one\r\n', 3),
    ],
    ids=["flow", "alias", "aliased mapping", "merge", "own before merge", "merged list", "byte order mark, CRLF"],
)
def test_a_scalar_is_found_however_it_is_written(document: str, line: int) -> None:
    """Flow style, aliases and merge keys lead to the value, and the line is where it is written."""
    assert Mapped.read(document.encode()).scalar(*TAG) == Scalar("one", line, True)


@pytest.mark.parametrize(
    "document",
    ["{}", "image:", "image: text", "image: [tag]", "image: {tag: {}}", "tag: one"],
)
def test_a_scalar_that_is_not_there_is_none(document: str) -> None:
    """A path that ends early, or at something else than a scalar, leads to nothing."""
    assert Mapped.read(document.encode()).scalar(*TAG) is None


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b"a: b\nc: \xff\n", 2, "not UTF-8"),
        (b"a: b\nc: d: e\n", 2, "mapping values are not allowed"),
        (b"a: b\n\tc: d\n", 2, "found a tab character"),
        (b"- a\n", 1, "not a mapping"),
        (b"", None, "not a mapping"),
        (b"text", 1, "not a mapping"),
        (b"a: b\n---\nc: d\n", 2, "expected a single document.*, but found another"),
        (b"a: \x00", None, "control characters"),
        (b"a: *b", 1, "undefined alias"),
    ],
)
def test_what_is_no_mapping_is_refused(body: bytes, line: int | None, reason: str) -> None:
    """The refusal says what is wrong and on which line."""
    with pytest.raises(YamlInvalid, match=reason) as refused:
        Mapped.read(body)
    assert refused.value.line == line
    assert (f"line {line}: " in str(refused.value)) is (line is not None)


@pytest.mark.parametrize(
    ("document", "line"), [("image: {tag: a}\nimage: {tag: a}\n", 2), ("image:\n  tag: a\n  x: y\n  tag: b\n", 4)]
)
def test_a_key_given_twice_is_refused(document: str, line: int) -> None:
    """Parsers disagree about which of the two counts, so neither does."""
    with pytest.raises(YamlInvalid, match="given twice") as refused:
        Mapped.read(document.encode()).scalar(*TAG)
    assert refused.value.line == line


def test_only_keys_on_the_path_are_judged() -> None:
    """A repeated key elsewhere does not keep a chart from being released."""
    assert Mapped.read(b"a: 1\na: 2\nimage: {tag: x, y: 1, y: 2}").scalar(*TAG) == Scalar("x", 3, True)


def test_entries_are_the_mappings_of_a_list() -> None:
    """What is no mapping is left out, and what is no list has none."""
    document = Mapped.read(b"images:\n- name: a\n- text\n- name: b\nother: {}\n")
    names = [entry.scalar("name") for entry in document.entries("images")]
    assert names == [Scalar("a", 2, True), Scalar("b", 4, True)]
    assert document.entries("other") == document.entries("absent") == ()


@pytest.mark.parametrize(
    ("body", "documents"),
    [
        (
            b"a: [1.10, yes, nul, 2001-01-01, =, 0x1, '']\n",
            ({"a": ["1.10", "yes", "nul", "2001-01-01", "=", "0x1", ""]},),
        ),
        (b"a: 1\n---\n# nothing\n---\nb: 2\n", ({"a": "1"}, None, {"b": "2"})),
        (b"base: &b {x: 1}\nmine: {<<: *b, y: 2}\n", ({"base": {"x": "1"}, "mine": {"x": "1", "y": "2"}},)),
        (b"a: [null, ~, 'null', '~']\nb:\n", ({"a": [None, None, "null", "~"], "b": None},)),
        (b"<<<: a\n", ({"<<<": "a"},)),
        (b"", ()),
    ],
    ids=["plain scalars", "documents", "merge", "null", "not merge", "empty"],
)
def test_parsed_scalars_are_text(body: bytes, documents: tuple[object, ...]) -> None:
    """Nothing is turned into a number, date or boolean, whatever it looks like."""
    assert parse(body) == documents


@pytest.mark.parametrize(
    "body", [b"a: b: c", b"? {a: b}\n: c\n", b"a: !!int x\n", b"a: !unknown x\n", b"\xff", b"a: *x", b"a: &a {<<: *a}"]
)
def test_what_cannot_be_parsed_is_refused(body: bytes) -> None:
    """Every fault of YAML comes as one kind of error."""
    with pytest.raises(YamlInvalid):
        parse(body)


@given(PRINTABLE)
def test_quoted_text_is_parsed_as_it_is(text: str) -> None:
    """What any writer of YAML makes of a text is read back as that text."""
    assert parse(yaml.safe_dump({"a": text}, allow_unicode=True)) == ({"a": text},)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "image:\n  repository: r/s # kept\n  tag: 1.0.0\n",
            'image:\n  repository: "127.0.0.1:5000/x/y" # kept\n  tag: "1.2.3"\n',
        ),
        (
            "image: {tag: '1',repository: \"r\", more: [1]}",
            'image: {tag: "1.2.3",repository: "127.0.0.1:5000/x/y", more: [1]}',
        ),
        (
            "a: {tag: x}\nimage:\n    tag: &t !!str 1\n    repository: &r\n      r\nb: *t\n",
            'a: {tag: x}\nimage:\n    tag: &t !!str "1.2.3"\n    repository: &r\n      "127.0.0.1:5000/x/y"\nb: *t\n',
        ),
        (
            "t: &t 1\nimage:\n  repository: r\n  tag: *t\nb: *t\n",
            't: &t 1\nimage:\n  repository: "127.0.0.1:5000/x/y"\n  tag: "1.2.3"\nb: *t\n',
        ),
        (
            "\ufeff# Größe\r\nimage:\r\n  ? repository\r\n  : r\r\n  tag: é\r\n{x: y}: z\r\n",
            '\ufeff# Größe\r\nimage:\r\n  ? repository\r\n  : "127.0.0.1:5000/x/y"\r\n  tag: "1.2.3"\r\n{x: y}: z\r\n',
        ),
        (
            "- image: {tag: 1}\n- x\n---\nimage: {repository: r, tag: 1}",
            '- image: {tag: 1}\n- x\n---\nimage: {repository: "127.0.0.1:5000/x/y", tag: "1.2.3"}',
        ),
    ],
    ids=["plain", "flow", "anchored", "alias", "byte order mark, CRLF", "other documents"],
)
def test_replacing_changes_the_two_scalars_alone(before: str, after: str) -> None:
    """Comments, anchors, aliases, line ends and all other bytes stay as they are."""
    assert replace_scalars(before.encode(), BOTH).decode() == after


@pytest.mark.parametrize(
    "document",
    [
        "image:\n  repository: r\n",
        "image:\n  repository: r\n  tag:\n",
        "image:\n  repository: r\n  tag: |-\n    one\n",
        "image:\n  repository: r\n  tag: one\n    two\n",
        "base: &b {tag: x}\nimage:\n  <<: *b\n  repository: r\n",
        "base: &b {tag: x, repository: r}\nimage: *b\n",
        "image: [repository, tag]\n",
        "image: {",
    ],
)
def test_what_is_not_written_out_is_not_replaced(document: str) -> None:
    """A value that comes from elsewhere, or stands on several lines, is left to a person."""
    with pytest.raises(YamlInvalid):
        replace_scalars(document.encode(), BOTH)


@given(tag=PRINTABLE, old=PRINTABLE.filter(bool), style=st.sampled_from(["'", '"']), other=PRINTABLE)
def test_what_was_replaced_is_read_back(tag: str, old: str, style: str, other: str) -> None:
    """Any text goes in the place of any other, and what stands around it keeps its bytes and its meaning."""
    dumped = yaml.safe_dump({"x": other, "z": [other]}, allow_unicode=True)
    quoted = yaml.safe_dump(old, default_style=style, allow_unicode=True, width=10**9).strip()
    before, after = f"{dumped}image:\n  tag: ", f" # end\n{yaml.safe_dump({'last': other}, allow_unicode=True)}"
    body = replace_scalars(f"{before}{quoted}{after}".encode(), {TAG: tag}).decode()
    assert body.startswith(before)
    assert body.endswith(after)
    assert parse(body) == ({"x": other, "z": [other], "image": {"tag": tag}, "last": other},)


@pytest.mark.parametrize(
    "text",
    ["!!int ''", "!!int x", "!!bool maybe", "!!float x", "!!timestamp now", "!!timestamp 10000-01-01"],
)
def test_text_of_another_type_than_its_tag_says(text: str) -> None:
    """A value that is not of the type that its tag says is the file's fault, whatever the parser raises of it."""
    with pytest.raises(YamlInvalid):
        parse(f"a: {text}\n")


@given(st.text(alphabet="a:[]{}&*!-?#|>%@ \n'\"~<0.:\\", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a file holds, it is read or is no YAML; nothing else is raised."""
    for read in (parse, lambda found: Mapped.read(found.encode())):
        with suppress(YamlInvalid):
            read(text)


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        "{a: " * DEEP,
        "- " * DEEP + "a",
        "? " * DEEP + "a",
        "a: " + "[" * DEEP + "]" * DEEP,
        "\n".join(" " * depth + "a:" for depth in range(3000)),
    ],
    ids=["list", "mapping", "items", "keys", "closed", "indented"],
)
def test_text_that_is_nested_too_deep(text: str) -> None:
    """However deep a file is nested, it is refused: the loader itself would end the process."""
    for read in (parse, lambda found: Mapped.read(found.encode())):
        with pytest.raises(YamlInvalid):
            read(text)
