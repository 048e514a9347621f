from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.addresses import next_link


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
