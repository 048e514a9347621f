from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.artifact import verified
from runner.oci.manifest import OCI_LAYER, Descriptor, digest_of
from runner.oci.registry import next_link


def wrong(problem: str) -> ValueError:
    return ValueError(problem)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['</v2/a/tags/list?last=b&n=2>; rel="next"'], "/v2/a/tags/list?last=b&n=2"),
        (["</v2/a>; rel=next"], "/v2/a"),
        (["</v2/a>;rel=NEXT"], "/v2/a"),
        (['</v2/a>; title="x, <y>"; rel="prev next"'], "/v2/a"),
        (['</first>; rel="first", </next>; rel="next"'], "/next"),
        (['</first>; rel="first"', '</next>; rel="next"'], "/next"),
        (["<https://host/v2/a>; rel=next; type=x"], "https://host/v2/a"),
        (['</v2/a>; rel="nextish"'], None),
        (['</v2/a>; title="rel=next"'], None),
        (["</v2/a>; rel=prev"], None),
        (["</v2/a>"], None),
        (["nonsense"], None),
        ([], None),
    ],
)
def test_the_next_page_is_found(headers: list[str], expected: str | None) -> None:
    """The target whose relation is next is found among all links, and no other is."""
    assert next_link(headers) == expected


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_link_header_can_be_read(headers: list[str]) -> None:
    """No header makes looking for the next page fail."""
    assert isinstance(next_link(headers), str | None)


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_content_that_is_right_passes_whole(chunks: list[bytes]) -> None:
    """Content of the right size and digest passes unchanged, however it was cut into pieces."""
    content = b"".join(chunks)
    descriptor = Descriptor(OCI_LAYER, digest_of(content), len(content))
    assert b"".join(verified(chunks, descriptor, wrong)) == content


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6), st.binary(max_size=60))
def test_content_that_is_wrong_never_passes_whole(chunks: list[bytes], other: bytes) -> None:
    """Of content that is not what it should be, fewer bytes pass than it should have; then the error comes."""
    content = b"".join(chunks)
    if content == other:
        return
    passed: list[bytes] = []
    pieces = verified(chunks, Descriptor(OCI_LAYER, digest_of(other), len(other)), wrong)
    with pytest.raises(ValueError, match=r"cut|longer|digest"):
        passed.extend(pieces)
    assert len(b"".join(passed)) < max(len(other), 1)
