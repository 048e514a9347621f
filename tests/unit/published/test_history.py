from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.oci.name import Name
from runner.published.history import history_names

STABLE = Name.parse("registry.example/ns/chart:s3-v1-stable")
NEWEST = "s3-v1-stable-20261124T123015Z-aaaaaaa"


@given(
    st.lists(
        st.sampled_from(
            [
                "s3-v1-stable-20260101T000000Z-0000000",
                NEWEST,
                "s3-v1-stable",
                "s3-v2-stable",
                "x-s3-v1-stable-20260101T000000Z-0000000",
                "s3-v1-stable-latest",
                "s3-v1-stable-20260101T000000Z-xyz0000",
                "s3-v1-stable-20261301T000000Z-0000000",
                "s3-v1-stable-2026010\u0661T000000Z-0000000",
                "s3-v1-stable-20260101T000000Z-0000000\n",
            ]
        )
    )
)
def test_history_names_are_those_of_this_moving_name_oldest_first(tags: list[str]) -> None:
    """Only tags of the form STABLE-TIME-COMMIT of this very name are its history."""
    found = history_names(STABLE, tags)
    assert [name.tag for name in found] == sorted(
        tag for tag in tags if tag in {NEWEST, "s3-v1-stable-20260101T000000Z-0000000"}
    )
