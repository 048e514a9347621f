from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.name import DIGEST, Name, Repository

parts = st.from_regex(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", fullmatch=True)
hosts = st.one_of(
    st.from_regex(r"[a-z0-9]+(?:\.[a-z0-9]+)*(?::[0-9]{1,5})?", fullmatch=True),
    st.sampled_from(["localhost:5000", "127.0.0.1:41234", "[::1]:5000", "public.ecr.aws"]),
)
repositories = st.builds(Repository, hosts, st.lists(parts, min_size=1, max_size=3).map("/".join))
names = st.builds(Name, repositories, st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True))


@given(names)
def test_names_survive_being_written_and_read(name: Name) -> None:
    """A name that is written and parsed again is the same name."""
    assert Name.parse(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host/repository",
        "host/repository:",
        "host:5000/repository",
        "host/Repository:tag",
        "host/repository:tag+meta",
        f"host/repository:{'t' * 129}",
        "host/a//b:tag",
        "host/-a:tag",
        "ho st/a:tag",
        "user@host/a:tag",
        "https://host/a:tag",
        "host/a:tag\n",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """A text that is not HOST/REPOSITORY:TAG is a ValueError that quotes it."""
    with pytest.raises(ValueError, match="is not HOST/REPOSITORY") as raised:
        Name.parse(text)
    assert "is not" in str(raised.value)


@given(st.text("ab1./:@-_ A\n", max_size=12) | st.text(max_size=12))
def test_any_text_is_a_name_or_none(text: str) -> None:
    """Whatever a text is, it is refused, or read as the name that is written so and in no other way."""
    try:
        name = Name.parse(text)
    except ValueError:
        return
    assert str(name) == text


@pytest.mark.parametrize(
    ("text", "repository", "tag"),
    [
        ("localhost:5000/a/b:v1", Repository("localhost:5000", "a/b"), "v1"),
        ("[::1]:5000/a:v1", Repository("[::1]:5000", "a"), "v1"),
        ("public.ecr.aws/ack/s3-controller:1.2.3", Repository("public.ecr.aws", "ack/s3-controller"), "1.2.3"),
        ("h/a__b.c---d:_", Repository("h", "a__b.c---d"), "_"),
    ],
)
def test_parts_of_a_name(text: str, repository: Repository, tag: str) -> None:
    """The host ends at the first slash and has the port; the tag begins after the last colon."""
    assert Name.parse(text) == Name(repository, tag)


@pytest.mark.parametrize("text", ["", "host", "host/", "/a", "host/a:tag", "host/a/", "host/A", "a b/c", "host:x/a"])
def test_what_is_no_repository_is_refused(text: str) -> None:
    """A text that is not HOST/REPOSITORY is a ValueError that quotes it."""
    with pytest.raises(ValueError, match=f"'{text}' is not HOST/REPOSITORY"):
        Repository.parse(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (f"sha256:{'0a' * 32}", True),
        (f"sha256:{'0A' * 32}", False),
        (f"sha256:{'0' * 63}", False),
        (f"sha512:{'0' * 128}", False),
        (f"sha256:{'0' * 64}\n", False),
    ],
    ids=["digest", "capitals", "short", "other algorithm", "more"],
)
def test_what_is_a_digest(text: str, *, is_one: bool) -> None:
    """A digest is sha256 in 64 small hexadecimal digits, and nothing beside."""
    assert (DIGEST.fullmatch(text) is not None) is is_one


def test_names_are_sorted_by_repository() -> None:
    """Names stand in the order of host, repository and tag."""
    texts = ["a/x:9", "a/y:1", "a/y:2", "b/a:1"]
    assert sorted(map(Name.parse, reversed(texts))) == list(map(Name.parse, texts))
