from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from runner.report.at_terminal import TerminalOutlet, entries_table, event_line, is_worth_a_line, step_line
from runner.report.console import ATTENTION, error_lines, open_log
from runner.report.record import EntryDocument, ErrorDocument, RecordDocument, ServiceDocument, StepDocument
from runner.terminal.table import State

if TYPE_CHECKING:
    from runner.report.record import StepName

DIGEST = "sha256:" + "0123456789abcdef" * 4


class Terminal(io.StringIO):
    """A terminal that keeps what it is sent."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is one."""
        return True


def step(name: StepName = "build", outcome: Any = "passed", **values: Any) -> StepDocument:
    return StepDocument(**{"name": name, "service": "s3", "outcome": outcome, "started": "", "seconds": 2.0, **values})


def entry(action: Any = "publish", **values: Any) -> EntryDocument:
    named = {"service": "s3", "kind": "image", "name": "registry.example/s3:1", "reason": "not in the registry"}
    return EntryDocument(**{**named, "action": action, **values})


def document(*entries: EntryDocument, **values: Any) -> RecordDocument:
    services = (ServiceDocument(name="s3", selected=True, version="1.2.3", reason="in the tag"),)
    named = {"path": "release", "version": "1.2.3", "services": services, "exit": 0, "timings": {"total": 4.2}}
    return RecordDocument(**{**named, "entries": entries, **values})


def shown(terminal: Terminal) -> list[str]:
    """The lines, without what moves the cursor."""
    text = re.sub(r"\r|\x1b\[[0-9]*[A-Z]", "", terminal.getvalue())
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def outlet(terminal: Terminal, **values: Any) -> TerminalOutlet:
    return TerminalOutlet(terminal, {"TERM": "xterm", "NO_COLOR": "1"}, **values)


def test_steps(terminal: Terminal) -> None:
    """A step that took a moment, or failed, is told with its time; one that passed at once is not."""
    out = outlet(terminal)
    for one in (step(), step("plan", seconds=0.01), step("chart", "failed", seconds=0.0, reason="why")):
        out.begun(one)
        out.ended(one)
    out.close()
    lines = [line for line in shown(terminal) if "s3" in line]
    assert lines == ["✓ build            s3 2.0 s", "✗ chart            s3 0.0 s"]


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (step(), "build            s3 2.0 s"),
        (step(service=None, outcome="skipped", reason="all is there"), "build            2.0 s - all is there"),
        (step(outcome="failed", reason="it does not compile"), "build            s3 2.0 s"),
        (step(seconds=None), "build            s3"),
    ],
)
def test_step_line(one: StepDocument, line: str) -> None:
    """The line names step, service and time, and why it was left out; why it failed stands in the last line."""
    assert step_line(one) == line


@pytest.mark.parametrize(
    ("one", "worth"),
    [
        (step(seconds=0.05), False),
        (step(seconds=None), False),
        (step(), True),
        (step("plan", "failed", seconds=0.0), True),
    ],
)
def test_worth_a_line(one: StepDocument, worth: bool) -> None:  # noqa: FBT001 - a case of the table
    """What passed at once is not worth a line; what failed always is."""
    assert is_worth_a_line(one) == worth


def test_events(terminal: Terminal) -> None:
    """Warnings and notes are told in their own words, other events with their values; a table's rows are not told."""
    log_file = io.StringIO()
    out = outlet(terminal)
    log = open_log(out, log_file)
    log.warning("warning", service="s3", text="the tree is dirty")
    log.info("note", service="s3", text="a newer base")
    log.info("waiting for a registry", host="registry.example", seconds=3)
    log.info("planned", service="s3", name="x")
    log.debug("request", path="/v2/")
    out.close()
    assert shown(terminal) == [
        "! s3: the tree is dirty",
        "  s3: a newer base",
        "  waiting for a registry host=registry.example seconds=3",
    ]
    assert [json.loads(line)["event"] for line in log_file.getvalue().splitlines()] == [
        "warning",
        "note",
        "waiting for a registry",
        "planned",
        "request",
    ]


def test_event_with_foreign_text() -> None:
    """The line of an event is one line; what cannot be shown is left to whoever prints it."""
    assert event_line({"event": "role assumed", "level": "info", "time": "", "role": "arn"}) == "role assumed role=arn"
    assert event_line({"event": "note", "text": "words", "service": "s3"}) == "s3: words"


def test_what_the_run_is_about(terminal: Terminal) -> None:
    """The first line says which services, version, commit, path and registry."""
    out = outlet(terminal)
    commit = "0123456789abcdef"
    open_log(out, None).info(
        "started", services="s3", version="1.2.3", commit=commit, path="release", registry="registry.example/ack"
    )
    out.close()
    assert shown(terminal) == ["s3 1.2.3 at commit 0123456789ab, release path, to registry.example/ack"]


@pytest.mark.parametrize(
    ("one", "command", "state"),
    [
        (entry(), "plan", State("publish", "good")),
        (entry("skip"), "plan", State("skip", "none")),
        (entry("refuse"), "plan", State("refused", "bad")),
        (entry(written=True), "run", State("published", "good")),
        (entry(), "run", State("not published", "bad")),
        (entry("skip"), "run", State("skip", "none")),
    ],
)
def test_table(one: EntryDocument, command: str, state: State) -> None:
    """The table says of each name what a plan would do with it, or what became of it, and why."""
    [row] = entries_table(document(one, command=command)).rows
    assert row == ("image", "registry.example/s3:1", state, "" if one.written else one.reason)


def test_digest_is_shortened() -> None:
    """The table has the beginning of a digest; the record has the whole."""
    [row] = entries_table(document(entry(digest=DIGEST))).rows
    assert row[3:] == ("sha256:0123456789ab", "not in the registry")


def test_the_end(terminal: Terminal) -> None:
    """A run ends with the table and a verdict in words, with the time it took."""
    out = outlet(terminal)
    out.summarise(document(entry(written=True)))
    out.released(document(entry(written=True)))
    lines = shown(terminal)
    assert lines[1].split() == ["KIND", "NAME", "RESULT", "WHY"]
    assert lines[-1].startswith("✓ s3 1.2.3 is released. 1 tag written")
    assert lines[-1].endswith("(4.2 s)")


def test_a_failure(terminal: Terminal) -> None:
    """A failed run ends with what every failed run ends with: the line that has cause and remedy."""
    out = outlet(terminal)
    error = ErrorDocument(code="build-failed", cause="it does not compile", remedy="Repair it.", exit=6, step="build")
    out.summarise(document(error=error, errors=(error,), exit=6))
    for line in error_lines(error):
        out.write(f"{line}\n")
    assert shown(terminal)[-1] == "ERROR: it does not compile. Repair it. exit=6 code=build-failed step=build"
    assert any(line.startswith("✗ s3 1.2.3 was not released") for line in shown(terminal))


def test_a_terminal_that_is_gone() -> None:
    """Nobody who reads is no reason to stop, nor for another exit code."""

    class Gone(Terminal):
        def write(self, _: str) -> int:
            """Nothing can be written."""
            raise OSError(5, "Input/output error")

    out = outlet(Gone())
    out.begun(step())
    out.ended(step())
    out.summarise(document(entry(written=True)))
    out.write("the end\n")
    out.close()


def test_quiet(terminal: Terminal) -> None:
    """Quiet leaves warnings, errors and the end."""
    out = outlet(terminal, quiet=True)
    log = open_log(out, None, levels=ATTENTION)
    out.begun(step())
    out.ended(step())
    log.info("note", text="a note")
    log.warning("warning", text="a warning")
    out.close()
    assert shown(terminal) == ["! a warning"]
