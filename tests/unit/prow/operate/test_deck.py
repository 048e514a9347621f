from __future__ import annotations

import io
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from runner.errors import LatestUnusable
from runner.prow.operate.deck import proposed
from runner.prow.operate.prowjob import read_prowjob
from testbed.memory.prowjobs import prowjob

JOB = read_prowjob(prowjob("name"))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let Deck answer with this text, or fail so; gives what it was asked."""

    def given(what: bytes | Exception) -> list[str]:
        asked: list[str] = []

        def urlopen(address: str, timeout: float) -> io.BytesIO:
            assert timeout > 0
            asked.append(address)
            if isinstance(what, Exception):
                raise what
            return io.BytesIO(what)

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    return given


def test_what_it_proposes(answer: Any) -> None:
    """Deck is asked where the job says it is, or where it is said to be, and its YAML is read."""
    asked = answer(b"kind: ProwJob\n")
    assert proposed(JOB, None) == {"kind": "ProwJob"}
    assert proposed(JOB, "http://deck.example/") == {"kind": "ProwJob"}
    assert asked == [
        "https://prow.example/rerun?mode=latest&prowjob=name",
        "http://deck.example/rerun?mode=latest&prowjob=name",
    ]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (urllib.error.HTTPError("", 400, "", Message(), io.BytesIO(b"failed to find job")), "failed to find job"),
        (urllib.error.HTTPError("", 404, "", Message(), io.BytesIO()), "404"),
        (urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")), "cannot be asked"),
        (TimeoutError(), "cannot be asked"),
        (b"a: b: c", "does not answer with YAML"),
    ],
)
def test_what_it_does_not_propose(answer: Any, what: Any, says: str) -> None:
    """A page that refuses, is away or is another one is told by its address."""
    answer(what)
    with pytest.raises(LatestUnusable, match=says) as refused:
        proposed(JOB, None)
    assert "https://prow.example" in refused.value.cause


def test_nobody_to_ask(answer: Any) -> None:
    """A job that does not say where its page is, or an address that is none, is refused unasked."""
    asked = answer(b"")
    with pytest.raises(LatestUnusable, match="does not say where"):
        proposed(read_prowjob(prowjob(url="")), None)
    with pytest.raises(LatestUnusable, match="is no address"):
        proposed(JOB, "file:///etc/passwd")
    assert asked == []
