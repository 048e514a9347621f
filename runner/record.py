"""The one record of a run: filled as the run goes, saved after each step, and all that reports are rendered from."""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.errors import ExitCode, ReleaseError, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SCHEMA = "ack-release.record.v1"
BUG_REMEDY = "This is a bug in the runner: report it with this record and the log. A rerun is safe."


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ServiceDocument(_Document):
    """A service of this repository: whether this run releases it, under which scheme of names, and why."""

    name: str
    selected: bool
    scheme: str | None = None
    reason: str


class EntryDocument(_Document):
    """One name of the plan."""

    service: str
    kind: Literal["image", "chart"]
    name: str = Field(description="HOST/REPOSITORY:TAG")
    action: Literal["publish", "skip", "refuse"]
    reason: str
    digest: str | None = Field(None, description="What the name holds or will hold; null until the build tells.")
    written: bool = Field(default=False, description="Whether this run wrote the name, and read it back.")


class SettingDocument(_Document):
    """A value that steers the run, and where it came from."""

    value: str
    origin: str = Field(alias="from")


class ErrorDocument(_Document):
    """What went wrong, and what to do now."""

    code: str
    cause: str
    remedy: str
    exit: int
    service: str | None = None
    step: str | None = None
    detail: tuple[str, ...] = ()


class StepDocument(_Document):
    """One step of the run; ``service`` is null for steps of the whole run."""

    name: str
    service: str | None = None
    outcome: Literal["running", "passed", "skipped", "failed"]
    reason: str | None = None
    started: str
    seconds: float | None = None


class RecordDocument(_Document):
    """What ``record.json`` holds; ``plan --json`` prints the same without steps, tools and timings."""

    schema_name: str = Field(SCHEMA, alias="schema")
    runner: str | None = Field(None, description="The version of the program that wrote this.")
    command: Literal["run", "plan"] = "run"
    layout_folder: str | None = Field(None, description="Where names were written instead of the registry.")
    ref: str | None = None
    commit: str | None = None
    source: str | None = None
    path: Literal["release", "stable"] | None = None
    version: str | None = None
    registry: str | None = None
    staging: bool | None = None
    services: tuple[ServiceDocument, ...] = ()
    entries: tuple[EntryDocument, ...] = ()
    settings: dict[str, SettingDocument] = {}
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    exit: int | None = Field(None, description="The process's exit code; null while the run goes on.")
    error: ErrorDocument | None = Field(None, description="The error that decided the exit code.")
    errors: tuple[ErrorDocument, ...] = Field((), description="All errors, in the order in which they occurred.")
    steps: tuple[StepDocument, ...] = ()
    tools: dict[str, str] = {}
    timings: dict[str, float] = Field({}, description="Seconds: total, and by step.")


class Step:
    """A step that is going on; told when there was nothing to do."""

    def __init__(self) -> None:
        self.skipped: str | None = None

    def skip(self, reason: str) -> None:
        """End the step as skipped, for this reason."""
        self.skipped = reason


class Record:
    """Collects what a run learns and does. Safe to use from several threads.

    Args:
        save: called with the whole document after each change that others may want to see.
        tell: called with each step that came to its end.
        clock: monotonic seconds.
        now: the wall clock.
    """

    def __init__(
        self,
        save: Callable[[RecordDocument], None],
        *,
        tell: Callable[[StepDocument], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._save = save
        self._tell = tell
        self._clock = clock
        self._now = now
        self._began = clock()
        self._lock = threading.RLock()
        self._document = RecordDocument()
        self._closed = False
        self._told: list[BaseException] = []

    @property
    def document(self) -> RecordDocument:
        """The record as it is now."""
        return self._document

    def update(self, **values: object) -> None:
        """Set fields of the document."""
        with self._lock:
            if not self._closed:
                self._document = self._document.model_copy(update=values)

    def warn(self, *texts: str) -> None:
        """Add warnings: what wants a look."""
        self._add("warnings", *texts)

    def note(self, *texts: str) -> None:
        """Add notes: worth knowing, nothing to do."""
        self._add("notes", *texts)

    def tool(self, name: str, version: str) -> None:
        """Remember the version of a program that was used."""
        with self._lock:
            self.update(tools={**self._document.tools, name: version})

    def set_entries(self, service: str, entries: tuple[EntryDocument, ...]) -> None:
        """Replace the plan's entries of one service; other services' stay."""
        with self._lock:
            written = {entry.name for entry in self._document.entries if entry.written}
            others = [entry for entry in self._document.entries if entry.service != service]
            mine = [entry.model_copy(update={"written": entry.name in written}) for entry in entries]
            self.update(entries=tuple(sorted((*others, *mine), key=lambda entry: entry.service)))

    def written(self, name: str) -> None:
        """Remember that this run wrote a name."""
        with self._lock:
            marked = [
                entry.model_copy(update={"written": True}) if entry.name == name else entry
                for entry in self._document.entries
            ]
            self.update(entries=tuple(marked))

    def set_service(self, row: ServiceDocument) -> None:
        """Replace what is said of one service."""
        with self._lock:
            others = [one for one in self._document.services if one.name != row.name]
            self.update(services=tuple(sorted((*others, row), key=lambda one: one.name)))

    def fail(self, error: BaseException, service: str | None = None) -> None:
        """Add an error, once however often it is told; one that is no ReleaseError is a bug in the runner."""
        with self._lock:
            if any(error is told for told in self._told):
                return
            self._told.append(error)
            steps = self._document.steps
            failed = [step.name for step in steps if step.service == service and step.outcome == "failed"]
            running = self.running_step() if service is None else None
            self._add("errors", error_document(error, service, failed[-1] if failed else running))

    def running_step(self) -> str | None:
        """The step that is going on, None between steps."""
        running = [step for step in self._document.steps if step.outcome == "running"]
        return running[-1].name if running else None

    @contextmanager
    def step(self, name: str, service: str | None = None) -> Iterator[Step]:
        """Run a step: its outcome, time and reason are recorded, and the record is saved when it ends."""
        began = self._clock()
        started = self._now().isoformat(timespec="milliseconds")
        with self._lock:
            place = len(self._document.steps)
            row = StepDocument(name=name, service=service, outcome="running", started=started)
            self._add("steps", row)
        handle = Step()

        def end(outcome: str, reason: str | None) -> None:
            with self._lock:
                seconds = round(self._clock() - began, 3)
                ended = row.model_copy(update={"outcome": outcome, "reason": reason, "seconds": seconds})
                steps = self._document.steps
                self.update(steps=(*steps[:place], ended, *steps[place + 1 :]))
                going_on = not self._closed
            if going_on:
                self._tell(ended)
            self.save()

        try:
            yield handle
        except BaseException as error:
            end("failed", error.cause if isinstance(error, ReleaseError) else repr(error))
            raise
        end("skipped" if handle.skipped else "passed", handle.skipped)

    def close(self, *, ended: bool = False) -> RecordDocument:
        """Finish the record: decide the exit code, take no further change, and return it.

        Args:
            ended: whether the run was ended while steps were going on.
        """
        with self._lock:
            if not self._closed:
                self._finish(ended=ended)
                self._closed = True
            return self._document

    def _finish(self, *, ended: bool) -> None:
        errors = self._document.errors
        code = worst(error.exit for error in errors)
        steps = self._document.steps
        if ended:
            steps = tuple(
                step.model_copy(update={"outcome": "failed", "reason": "the run was ended here"})
                if step.outcome == "running"
                else step
                for step in steps
            )
        timings = {"total": round(self._clock() - self._began, 3)}
        for step in steps:
            timings[step.name] = round(timings.get(step.name, 0.0) + (step.seconds or 0.0), 3)
        self.update(
            exit=int(code),
            error=next((error for error in errors if error.exit == code), None),
            steps=steps,
            timings=timings,
        )

    def save(self) -> None:
        """Hand the document to whoever keeps it."""
        with self._lock:
            if not self._closed:
                self._save(self._document)

    def _add(self, field: str, *values: object) -> None:
        with self._lock:
            self.update(**{field: (*getattr(self._document, field), *values)})


def error_document(error: BaseException, service: str | None, step: str | None) -> ErrorDocument:
    """Put an error into the record's words."""
    if isinstance(error, ReleaseError):
        return ErrorDocument(
            code=error.code,
            cause=error.cause,
            remedy=error.remedy,
            exit=int(error.exit_code),
            service=service,
            step=step,
            detail=error.detail,
        )
    return ErrorDocument(
        code="bug",
        cause=repr(error),
        remedy=BUG_REMEDY,
        exit=int(ExitCode.BUG),
        service=service,
        step=step,
        detail=tuple("".join(traceback.format_exception(error)).splitlines()),
    )


NOT_IN_A_PLAN: dict[str, Any] = {
    **dict.fromkeys(("steps", "tools", "timings", "errors", "source", "runner", "command", "layout_folder"), True),
    "entries": {"__all__": {"written"}},
}


def plan_view(document: RecordDocument) -> Mapping[str, object]:
    """What ``plan --json`` prints: the record without what only a run has."""
    return document.model_dump(mode="json", by_alias=True, exclude=NOT_IN_A_PLAN)


def summary(document: RecordDocument) -> str:
    """What a run that went well did, in words."""
    written = sum(entry.written for entry in document.entries)
    names = "1 name" if written == 1 else f"{written} names"
    if document.command == "plan":
        counts = {action: sum(entry.action == action for entry in document.entries) for action in ("publish", "skip")}
        return f"planned, nothing was changed: {counts['publish']} to publish, {counts['skip']} to skip"
    if document.layout_folder is not None:
        return f"{names} written to the layout folder {document.layout_folder}, nothing published"
    return f"{names} written" if written else "nothing to send"


def record_schema() -> dict[str, Any]:
    """The JSON Schema of ``record.json``, for programs that read it."""
    schema = RecordDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
