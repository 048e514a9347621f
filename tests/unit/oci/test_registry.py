from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import NotVisibleYet
from runner.oci.manifest import OCI_MANIFEST, Manifest
from runner.oci.messages import Request, TransientFailure, Wait
from runner.oci.registry import shown

REQUEST = Request("GET", "https://registry.example/v2/a/manifests/v1")
OLD, NEW, OTHER = (Manifest.write(OCI_MANIFEST, {"schemaVersion": 2, "text": text}) for text in ("o", "n", "x"))


@pytest.mark.parametrize(
    ("found", "before", "expected"),
    [(NEW, None, NEW), (NEW, OLD, NEW), (OTHER, None, OTHER), (OTHER, OLD, OTHER), (OLD, None, OLD), (NEW, NEW, NEW)],
    ids=["new", "moved", "other for new", "other for moved", "old that was not there", "the same"],
)
def test_tag_that_shows_something(found: Manifest, before: Manifest | None, expected: Manifest) -> None:
    """A tag shows what was written, or what somebody else has written since; both are returned."""
    assert shown(found, NEW.digest, before.digest if before else None, REQUEST, None) == expected.digest


@given(st.sampled_from([None, OLD]), st.none() | st.integers(1, 9))
def test_tag_that_does_not_show_yet(found: Manifest | None, attempts: int | None) -> None:
    """A tag that is as before its write is waited for as something that is not visible yet."""
    with pytest.raises(TransientFailure, match="still returns") as raised:
        shown(found, NEW.digest, OLD.digest, REQUEST, attempts)
    assert (raised.value.wait, raised.value.error) == (Wait.NOT_VISIBLE, NotVisibleYet)
    assert raised.value.attempts == attempts
