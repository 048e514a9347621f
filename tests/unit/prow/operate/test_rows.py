from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from runner.prow.operate.explain import NOTHING, Why
from runner.prow.operate.prowjob import STATES, read_prowjob
from runner.prow.operate.rows import (
    NARROW,
    TONES,
    WIDE,
    duration,
    explanation,
    job_document,
    jobs_table,
    seconds_of,
)
from runner.terminal.table import State, plain_lines
from testbed.memory.prowjobs import prowjob

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
JOB = read_prowjob(prowjob())
WHY = Why("it does not compile", "Repair it.", 6, "build-failed")


def test_a_row() -> None:
    """A row says which job, of what, how it is, since when, for how long, and why."""
    table = jobs_table([JOB], {JOB.name: WHY}, NOW)
    assert table.columns == NARROW
    [row] = table.rows
    assert row == (JOB.name, "s3", "v1.2.3", State("failure", "bad"), "60m", "2m5s", "it does not compile")


def test_a_short_row() -> None:
    """Where there is little room the beginning of the name is enough, unless more columns are asked for."""
    assert jobs_table([JOB], {}, NOW, short=True).rows[0][0] == "0b1c5d9e"
    wide = jobs_table([JOB], {}, NOW, short=True, wide=True)
    assert wide.columns == WIDE
    assert wide.rows[0][0] == JOB.name
    assert wide.rows[0][6:] == ("aaaaaaa", "2026112800001", "default", JOB.url, "")


def test_states() -> None:
    """Every state of Prow's has a tone, and one that is new has none."""
    assert TONES.keys() == set(STATES)
    job = read_prowjob(prowjob(state="new"))
    assert jobs_table([job], {}, NOW).rows[0][3] == State("new", "none")


@pytest.mark.parametrize(
    ("state", "completed", "seconds"),
    [
        ("success", "2026-11-28T08:02:05Z", 125),
        ("pending", None, 3600),
        ("failure", None, None),
        ("aborted", None, 3600),
    ],
)
def test_how_long(state: str, completed: str | None, seconds: float | None) -> None:
    """A job that goes on has taken as long as until now; of one that has ended without a time it is not known."""
    job = read_prowjob(prowjob(state=state, completed=completed))
    assert seconds_of(job, NOW) == seconds
    assert bool(duration(job, NOW)) == (seconds is not None)


def test_a_document() -> None:
    """A program gets everything; what is not known is null."""
    document = json.loads(json.dumps(job_document(JOB, WHY, NOW)))
    assert (document["name"], document["services"], document["ref"]) == (JOB.name, ["s3"], "v1.2.3")
    assert (document["exit"], document["cause"], document["seconds"]) == (6, "it does not compile", 125)
    assert document["artifacts"] == "s3://prow/logs/s3-release/2026112800001"
    empty = job_document(read_prowjob({}), NOTHING, NOW)
    assert empty.keys() == document.keys()
    assert [empty[key] for key in ("started", "completed", "seconds", "cause", "exit", "url", "artifacts")] == [
        None
    ] * 7


def test_an_explanation() -> None:
    """What is asked about a job stands on a line each, and what is not known is left out."""
    lines = list(plain_lines(explanation(JOB, WHY, "Failed", "jobs rerun x", NOW)))
    assert lines[0] == "State:       failure"
    assert "Exit:        6 (build-failed)" in lines
    assert "Started:     2026-11-28 08:00:00 UTC (60m ago)" in lines
    assert "Source:      https://github.com/aws-controllers-k8s/s3-controller/tree/v1.2.3" in lines
    assert lines[-1] == "Next:        ack-release jobs rerun x"
    running = read_prowjob(prowjob(state="pending"))
    lines = list(plain_lines(explanation(running, NOTHING, "", "jobs logs -f x", NOW)))
    assert "Duration:    60m so far" in lines
    assert not [line for line in lines if line.startswith(("Cause:", "Exit:", "Pod:", "Prow says:"))]


def test_what_is_said_twice() -> None:
    """What Prow says stands once where it is the cause."""
    lines = list(plain_lines(explanation(JOB, Why(JOB.description), "", "x", NOW)))
    assert [line.split(":")[0] for line in lines if JOB.description in line] == ["Cause"]
