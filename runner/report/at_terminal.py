"""A run as a person at a terminal sees it: its steps as they go, and in the end what holds what, in a table."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from runner.report.console import Outlet
from runner.report.record import step_in_words
from runner.report.status import status_of
from runner.terminal.progress import Progress
from runner.terminal.screen import ReaderGone, Screen
from runner.terminal.table import Column, State, Table
from runner.terminal.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from runner.report.record import EntryDocument, RecordDocument, StepDocument
    from runner.terminal.colour import ColourChoice
    from runner.terminal.table import Tone

OUTCOMES: Mapping[str, Tone] = {"passed": "good", "failed": "bad", "skipped": "none"}
LEVELS: Mapping[str, Tone] = {"warning": "warning", "error": "bad"}
UNSAID = frozenset({"time", "level", "event", "step", "service", "text"})
"""What a line of its own form has elsewhere, or not at all."""
IN_THE_TABLE = frozenset({"planned", "plan done", "tag written", "tag already there", "content sent", "building"})
"""Events that say what the table says in the end, or a step that goes on."""
COMMIT_LENGTH = 12
DIGEST_LENGTH = len("sha256:") + 12
STEP_WIDTH = 16
AT_ONCE = 0.1
"""Seconds: a step that took less and passed is not worth a line."""
RESULTS: Mapping[str, Tone] = {"publish": "good", "skip": "none", "refuse": "bad"}
VERDICTS: Mapping[str, Tone] = {"good": "good", "quiet": "good", "refused": "stopped", "failed": "bad"}


class TerminalOutlet(Outlet):
    """Shows a run at a terminal.

    Args:
        stream: the terminal.
        environment: the process's own.
        colour: what ``--color`` says.
        quiet: whether only warnings, errors and the end are shown.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        environment: Mapping[str, str],
        *,
        colour: ColourChoice = "auto",
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(stream)
        self._stream_itself = stream
        self._environment = environment
        self._colour: ColourChoice = colour
        self._quiet = quiet
        self._progress = Progress(super().write, stream.encoding or "ascii", environment, colour=colour, clock=clock)

    def write(self, text: str) -> None:
        """Show lines; those that end a run, in the colour of how it came out."""
        for line in text.splitlines():
            tone: Tone = "bad" if line.startswith("ERROR:") else "none"
            self._progress.line(line, tone, sign=False)

    def close(self) -> None:
        """Show nothing more."""
        self._progress.stop()
        super().close()

    def begun(self, step: StepDocument) -> None:
        """Show that a step goes on."""
        if not self._quiet:
            self._progress.begin((step.name, step.service), step_in_words(step))

    def ended(self, step: StepDocument) -> None:
        """Show how a step ended, unless it passed at once."""
        self._progress.end((step.name, step.service))
        if is_worth_a_line(step) and not self._quiet:
            self._progress.line(step_line(step), OUTCOMES[step.outcome])

    def render(self, _: object, __: str, event: MutableMapping[str, Any]) -> str:
        """Show an event, and keep structlog from writing it."""
        name = str(event["event"])
        if name == "started":
            self._progress.line(started_line(event), sign=False)
        elif not (name.startswith("step ") or name in IN_THE_TABLE):
            self._progress.line(event_line(event), LEVELS.get(str(event.get("level")), "none"))
        raise structlog.DropEvent

    def summarise(self, document: RecordDocument) -> None:
        """Show every name in a table, and how the run came out; a terminal that is gone changes nothing of it."""
        self._progress.stop()
        with suppress(ReaderGone):
            self._conclude(document)

    def _conclude(self, document: RecordDocument) -> None:
        screen = Screen(self._stream_itself, self._stream_itself, self._environment, colour=self._colour)
        if document.entries:
            screen.line()
            screen.table(entries_table(document))
            screen.line()
        status = status_of(document)
        total = document.timings.get("total")
        took = "" if total is None else f" ({total:.1f} s)"
        screen.line(f"{status.headline}. {status.meaning}{took}", VERDICTS[status.tone])

    def planned(self, document: RecordDocument) -> None:
        """Say nothing more: the verdict stands below the table."""

    def released(self, document: RecordDocument) -> None:
        """Say nothing more: the verdict stands below the table."""


def is_worth_a_line(step: StepDocument) -> bool:
    """Whether a step is told of: those that pass at once are many. Pure."""
    return step.outcome == "failed" or (step.seconds or 0.0) >= AT_ONCE


def step_line(step: StepDocument) -> str:
    """A step that came to its end: its name, whose it is, how long it took, and why it was left out. Pure."""
    words = [step.name.ljust(STEP_WIDTH), *([step.service] if step.service else [])]
    words += [] if step.seconds is None else [f"{step.seconds:.1f} s"]
    # Why a step failed stands in the last line, with what to do.
    words += [f"- {step.reason}"] if step.reason and step.outcome != "failed" else []
    return " ".join(words)


def started_line(event: Mapping[str, Any]) -> str:
    """What the run is about, once it is known. Pure."""
    version = event.get("version") or event.get("ref")
    where = event.get("registry")
    commit = str(event.get("commit") or "")[:COMMIT_LENGTH]
    return f"{event.get('services') or 'no service'} {version} at commit {commit}, {event.get('path')} path, to {where}"


def event_line(event: Mapping[str, Any]) -> str:
    """Any other event: its text where it has one, else its name and values. Pure."""
    of = f"{event['service']}: " if event.get("service") else ""
    if event.get("text"):
        return plain(f"{of}{event['text']}")
    values = [f"{key}={value}" for key, value in event.items() if key not in UNSAID and value is not None]
    return plain(" ".join((f"{of}{event['event']}", *values)))


def entries_table(document: RecordDocument) -> Table:
    """What becomes of each name, and why. Pure."""
    known = any(entry.digest for entry in document.entries)
    digest = (Column("DIGEST"),) if known else ()
    columns = (Column("KIND"), Column("NAME", "wrap"), Column("RESULT"), *digest, Column("WHY", "wrap"))
    rows = tuple(
        (
            entry.kind,
            entry.name,
            State(_result(entry, document), _tone(entry, document)),
            *(((entry.digest or "")[:DIGEST_LENGTH],) if known else ()),
            # Why it was to be published is no longer true once it is.
            "" if entry.written else entry.reason,
        )
        for entry in document.entries
    )
    return Table(columns, rows)


def _result(entry: EntryDocument, document: RecordDocument) -> str:
    if entry.action == "publish" and document.command != "plan":
        return "published" if entry.written else "not published"
    return {"publish": "publish", "skip": "skip", "refuse": "refused"}[entry.action]


def _tone(entry: EntryDocument, document: RecordDocument) -> Tone:
    if entry.action == "publish" and document.command != "plan" and not entry.written:
        return "bad"
    return RESULTS[entry.action]
