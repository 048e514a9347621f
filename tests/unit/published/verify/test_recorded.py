from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.published.verify.recorded import read_digests
from tests.support.records import DIGEST, NAMES, REGISTRY, record_of


def test_a_record() -> None:
    """The digest of every name that the run published or found is read; a name without one is left out."""
    document = record_of().close().model_dump(mode="json", by_alias=True)
    document["entries"].append({"name": "registry.example/a:1", "digest": None})
    assert read_digests(json.dumps(document).encode()) == {f"{REGISTRY}/{name}": DIGEST for name in NAMES}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not a run's"),
        (b"[]", "not a run's"),
        (b'{"entries": 1}', "not a run's"),
        (b'{"entries": [{}]}', "not a run's"),
        (b"[" * 100_000, "not a run's"),
        (b'{"entries": []}', "says no digest"),
        (b'{"entries": [{"name": "a", "digest": "sha256:1"}]}', "says no digest"),
    ],
)
def test_what_is_no_record(body: bytes, said: str) -> None:
    """What is no record, or says no digest, is refused in words."""
    with pytest.raises(ValueError, match=said):
        read_digests(body)


@given(st.binary())
def test_any_file(body: bytes) -> None:
    """Whatever the file holds, it is read or refused."""
    with pytest.raises(ValueError, match=r"record|digest"):
        read_digests(body)
