"""Logging, set up in one place: one line per event for the person at the Prow page, the same as JSON for programs.

Stdout carries ``key=value`` lines under 10,000 bytes, the limit up to which Prow's build-log lens searches a line.
The word ``ERROR:`` begins the one line per failed service that the lens highlights, and stands in no other line.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any, TextIO, cast

import structlog

from runner.foreign.shown import spelled_out
from runner.report.record import summary
from runner.report.words import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from runner.report.record import ErrorDocument, RecordDocument, StepDocument

LINE_BYTES = 9_900
REMEDY_BYTES = 3_000
"""Of an error's line, the most that its remedy takes, and the most that its step does."""
HIGHLIGHTED = re.compile(r"ERROR:|RELEASED:")
ATTENTION = frozenset({"warning", "error"})
EVERY_LEVEL = ATTENTION | {"info", "debug"}

Log = structlog.typing.FilteringBoundLogger


class Outlet:
    """Where a person reads, line by line: a stream that may go away. What it does not take is lost, nothing else is.

    Nobody may read stdout any more, or its disk may be full; a release is not stopped for that.

    Args:
        stream: where it goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write and flush, as long as the stream takes it."""
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None

    def close(self) -> None:
        """Take nothing more: what was written last stays the last line."""
        with self._lock:
            self._stream = None

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def begun(self, step: StepDocument) -> None:
        """Told of each step that begins: lines tell how it ended."""

    def ended(self, step: StepDocument) -> None:
        """Told of each step that came to its end: the log has a line for it."""

    def summarise(self, document: RecordDocument) -> None:
        """Told how the run came out, before its last lines: these say it."""

    def render(self, _: object, __: str, event: MutableMapping[str, Any]) -> str:
        """The line of an event; structlog's last processor."""
        return _line(event)

    def planned(self, document: RecordDocument) -> None:
        """Write the last line of a plan that went well, where the log, which has it too, is not shown."""
        self.write(f"{summary(document)}\n")

    def released(self, document: RecordDocument) -> None:
        """Write the last line of a run that went well."""
        self.write(f"{released_line(document)}\n")


class JsonLines:
    """A processor that appends each event to a file as one JSON object, and passes it on.

    Args:
        file: opened for appending text; None to write nothing.
    """

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._lock = threading.Lock()

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Write the event."""
        with self._lock:
            if self._file is not None:
                try:
                    self._file.write(json.dumps(event, default=str) + "\n")
                    self._file.flush()
                except OSError:
                    # A full disk must not stop a release; stdout goes on.
                    self._file = None
        return event


def _only(levels: frozenset[str]) -> structlog.typing.Processor:
    def keep(_: object, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if level not in levels:
            raise structlog.DropEvent
        return event

    return keep


def _line(event: MutableMapping[str, Any]) -> str:
    stamp = str(event.pop("time"))[11:19]
    words = [stamp, *(f"{key}={_value(value)}" for key, value in event.items() if value is not None)]
    return cut(HIGHLIGHTED.sub(lambda match: match[0].lower(), " ".join(words)))


def _value(value: object) -> str:
    text = _one_line(str(value))
    return text if text and not re.search(r"""[\s"'=]""", text) else f'"{text}"'


def _one_line(text: str) -> str:
    return spelled_out(text.replace("\\", "\\\\").replace('"', '\\"'))


def cut(line: str, limit: int = LINE_BYTES) -> str:
    """Shorten a line to what Prow's build-log lens still searches, and say so at its end."""
    encoded = line.encode()
    if len(encoded) <= limit:
        return line
    return encoded[:limit].decode(errors="ignore") + f"… ({len(encoded) - limit} more bytes)"


def open_log(
    stdout: Outlet, json_file: TextIO | None, *, quiet: bool = False, levels: frozenset[str] | None = None
) -> Log:
    """Return the log of a run.

    Args:
        stdout: where the person reads.
        json_file: where programs read, if anywhere.
        quiet: whether stdout leaves out what is no warning and no error.
        levels: the levels that stdout shows, where that is not what ``quiet`` says.
    """
    processors: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.add_log_level,
        structlog.processors.EventRenamer("event"),
        _ordered,
        JsonLines(json_file),
        _only(levels if levels is not None else ATTENTION if quiet else ATTENTION | {"info"}),
        stdout.render,
    ]
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", stdout)),
        processors=processors,
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return log


def _ordered(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {key: event[key] for key in ("time", "level", "event", "step", "service") if key in event}
    return {**first, **{key: value for key, value in event.items() if key not in first}}


def error_lines(error: ErrorDocument) -> Iterator[str]:
    """The lines that end a failed run: what a tool said, then the one highlighted line with cause and remedy."""
    for line in error.detail if error.detail != (error.cause,) else ():
        yield cut("  | " + _plain(line))
    of = f" service={error.service}" if error.service else ""
    at = f" step={_value(error.step)}" if error.step else ""
    remedy = cut(_plain(error.remedy), REMEDY_BYTES)
    end = f" {remedy} exit={error.exit} code={error.code}{cut(at, REMEDY_BYTES)}{of}"
    yield f"{cut(f'ERROR: {sentence(_plain(error.cause))}', LINE_BYTES - len(end.encode()))}{end}"


def released_line(document: RecordDocument) -> str:
    """The line that ends a run that went well: what was done, and what holds what now, by digest."""
    names = " ".join(f"{entry.name}@{entry.digest}" for entry in document.entries if entry.digest)
    services = ",".join(service.name for service in document.services if service.selected) or "nothing"
    return cut(f"RELEASED: {services} {document.version or ''} ({document.path}, {summary(document)}) {names}".rstrip())


def _plain(text: str) -> str:
    words = " ".join(spelled_out(text, kept="\n\t").split())
    return HIGHLIGHTED.sub(lambda match: match[0].lower(), words)
