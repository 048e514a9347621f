from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.faults import schedule
from testbed.faults.requests import KINDS, kind_of
from testbed.faults.schedule import FAULTS, LATEST, MOST, TIMES, FaultSchedule

SEEDS = st.integers(min_value=0, max_value=2**32)
DIGEST = f"sha256:{'a' * 64}"


@given(SEEDS)
def test_a_seed(seed: int) -> None:
    """The same seed gives the same schedule, within the bounds that the module states."""
    made = FaultSchedule.from_seed(seed)
    assert made == FaultSchedule.from_seed(seed)
    assert 1 <= len(made.entries) <= MOST
    for entry in made.entries:
        assert entry.request in KINDS
        assert entry.skip in range(LATEST)
        assert entry.times in TIMES


@given(SEEDS)
def test_what_is_printed(seed: int) -> None:
    """A schedule prints its seed, and a line for each entry that says which request is met with what."""
    made = FaultSchedule.from_seed(seed)
    first, *rest = str(made).splitlines()
    assert first == f"seed {seed}"
    assert len(rest) == len(made.entries)
    for line, entry in zip(rest, made.entries, strict=True):
        assert entry.request in line
        assert entry.words in line


def test_every_kind_is_drawn() -> None:
    """A few hundred seeds meet every kind of request, with every kind of fault, bounded and unbounded."""
    entries = [entry for seed in range(600) for entry in FaultSchedule.from_seed(seed).entries]
    assert {entry.request for entry in entries} == set(KINDS)
    assert {entry.times for entry in entries} == set(TIMES)
    said = " ".join({entry.words for entry in entries})
    for words in (
        *("answered 408", "answered 429", "answered 500", "answered 502", "answered 503", "answered 504"),
        *("answered 403 with Retry-After", "answered 404", "delayed", "half of the body", "reset before"),
        *("reset after", "closed before", "closed after", "in pieces", "wrong by -", r"wrong by \+"),
        *("other bytes", "Docker-Content-Digest"),
    ):
        assert re.search(words, said), words


def test_what_a_fault_can_meet() -> None:
    """A fault of the body meets only what has one, and a lag only what writes a manifest."""
    for seed in range(600):
        for entry in FaultSchedule.from_seed(seed).entries:
            kind = KINDS[entry.request]
            if entry.fault.cut or entry.fault.corrupt or entry.fault.drip:
                assert kind.has_body
            if entry.fault.lag:
                assert entry.request in {"write a manifest", "write a tag"}
    assert set(FAULTS) >= {"lag", "lost answer", "wrong digest"}


def test_a_schedule_that_ends() -> None:
    """One ends when no entry goes on for ever; both sorts are drawn."""
    made = [FaultSchedule.from_seed(seed) for seed in range(100)]
    assert {one.ends for one in made} == {True, False}
    assert all(one.ends == (None not in {entry.times for entry in one.entries}) for one in made)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/v2/", "ask who is there"),
        ("GET", "/v2/ack/chart/tags/list?n=100", "list tags"),
        ("GET", "/v2/ack/chart/manifests/1.2.3", "read a tag"),
        ("GET", f"/v2/ack/chart/manifests/{DIGEST}", "read a manifest"),
        ("HEAD", f"/v2/ack/chart/blobs/{DIGEST}", "look for a blob"),
        ("GET", f"/v2/ack/chart/blobs/{DIGEST}", "read a blob"),
        ("POST", f"/v2/ack/chart/blobs/uploads/?mount={DIGEST}&from=a/b", "begin an upload"),
        ("PUT", f"/v2/ack/chart/blobs/uploads/17?digest={DIGEST}", "send a blob"),
        ("PUT", f"/v2/ack/chart/manifests/{DIGEST}", "write a manifest"),
        ("PUT", "/v2/ack/chart/manifests/1.2.3", "write a tag"),
        ("DELETE", "/v2/ack/chart/manifests/1.2.3", None),
    ],
)
def test_kinds_of_request(method: str, path: str, kind: str | None) -> None:
    """Each request is of one kind; one that the program never sends is of none."""
    assert kind_of(method, path) == kind
    assert sum(one.matches(method, path) for one in KINDS.values()) == (kind is not None)


def test_printing_from_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``--seed N`` prints the schedule of that seed."""
    monkeypatch.setattr(sys, "argv", ["schedule", "--seed", "17"])
    schedule.main()
    assert capsys.readouterr().out == f"{FaultSchedule.from_seed(17)}\n"
