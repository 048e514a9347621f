from __future__ import annotations

from runner.cli.doctor import document, table
from runner.doctor.finding import Finding
from runner.errors import ExitCode
from runner.terminal.table import State

GROUPS = (
    ("tools", (Finding("git", "good", "2.39.5"), Finding("helm", "bad", "missing", "Install it.", ExitCode.USAGE))),
    ("machine", (Finding("GOCACHE", "note", "not set"),)),
)


def test_table() -> None:
    """Each finding is a row with its state, what was found and what to do."""
    rows = table(GROUPS).rows
    assert rows[1] == ("helm", State("bad", "bad"), "missing", "Install it.")
    assert [row[0] for row in rows] == ["git", "helm", "GOCACHE"]


def test_document() -> None:
    """A program reads the same, with the subject and the exit code that each would end a release with."""
    found = document(GROUPS, 2)
    assert found["exit"] == 2
    findings = found["findings"]
    assert isinstance(findings, list)
    assert findings[1] == {
        "subject": "tools",
        "about": "helm",
        "state": "bad",
        "found": "missing",
        "remedy": "Install it.",
        "exit": 2,
    }
    assert findings[0]["remedy"] is None
