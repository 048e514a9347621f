from __future__ import annotations

from typing import Any

import pytest

from testbed.soak.world import untruths

NAME, TAG = "h:1/ack/chart:widget-v1.2.3", "ack/chart:widget-v1.2.3"
OURS, THEIRS = "sha256:ours", "sha256:theirs"
LOST = {"cause": "PUT h:1/v2/ack/chart/manifests/widget-v1.2.3 failed 6 times", "detail": []}
OTHER = {"cause": "HEAD h:1/v2/ack/chart/blobs/sha256:x failed 6 times", "detail": []}


def record(*errors: dict[str, Any], action: str = "publish", written: bool = False, digest: str | None = None) -> Any:
    """A record of one name."""
    entry = {"name": NAME, "action": action, "written": written, "digest": digest}
    return {"entries": [entry], "errors": list(errors), "exit": 7 if errors else 0}


@pytest.mark.parametrize(
    ("document", "held"),
    [
        (record(written=True, digest=OURS), {TAG: OURS}),
        (record(action="skip", digest=OURS), {TAG: OURS}),
        (record(OTHER), {}),
        (record(LOST), {TAG: OURS}),
        (record(OTHER, written=True, digest=OURS), {TAG: OURS}),
    ],
    ids=["written", "skipped", "not written", "told as lost", "written before it failed"],
)
def test_the_truth(document: Any, held: dict[str, str]) -> None:
    """A record that says what is so has nothing against it."""
    assert untruths(document, {}, held) == []


@pytest.mark.parametrize(
    ("document", "held"),
    [
        (record(written=True, digest=OURS), {}),
        (record(written=True, digest=OURS), {TAG: THEIRS}),
        (record(OTHER, written=True, digest=None), {TAG: OURS}),
        (record(action="skip", digest=OURS), {TAG: THEIRS}),
        (record(OTHER), {TAG: OURS}),
        ({"entries": [], "errors": [], "exit": 7}, {}),
        ({"entries": [], "errors": [OTHER], "exit": 0}, {}),
    ],
    ids=["gone", "another", "no digest", "not what was skipped", "nothing told", "exit without error", "error without"],
)
def test_an_untruth(document: Any, held: dict[str, str]) -> None:
    """What is said and is not so, and what is so and is not said, is found once."""
    assert len(untruths(document, {}, held)) == 1


def test_what_was_there_before() -> None:
    """A name that this run did not write may hold what it held."""
    assert untruths(record(OTHER), {TAG: THEIRS}, {TAG: THEIRS}) == []
    assert len(untruths(record(OTHER), {TAG: THEIRS}, {TAG: OURS})) == 1
