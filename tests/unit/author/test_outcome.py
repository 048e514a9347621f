"""What came of a command, for people and for programs."""

from __future__ import annotations

import json

from runner.author.outcome import NextStep, Outcome


def test_next_step() -> None:
    """A command stands on a line of its own, as a shell takes it; without one there is one line."""
    assert NextStep("do this", ("a", "b c")).lines() == ("Next: do this:", "", "    a 'b c'")
    assert NextStep("wait").lines() == ("Next: wait.",)


def test_document() -> None:
    """A program reads every part, null where there is none."""
    document = json.loads(
        json.dumps(Outcome("done", "pushed", services=("s3",), next=NextStep("tag", ("x",))).document())
    )
    assert document == {
        "did": "done",
        "words": "pushed",
        "version": None,
        "services": ["s3"],
        "ref": None,
        "commit": None,
        "pull_request": None,
        "next": {"words": "tag", "command": ["x"]},
    }
