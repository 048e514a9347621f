"""The one record of a run: filled as the run goes, saved after each step, and all that reports are rendered from."""

from __future__ import annotations

import re
import threading
import time
import traceback
from bisect import bisect_right
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from runner.errors import ExitCode, ReleaseError, RunEnded, worst
from runner.foreign.shown import clipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

StepName = Literal[
    "event",
    "configuration",
    "checkout",
    "route",
    "select",
    "describe",
    "observe",
    "plan",
    "tools",
    "base image",
    "export",
    "chart",
    "access",
    "build",
    "publish image",
    "publish chart",
    "verify",
]
"""Every step that a run may take, in the order of the pipeline."""

SCHEMA = "ack-release.record.v1"
COMMAND_NAMES = ("run", "plan")
"""The commands whose records the published schema describes."""

PACKAGES = Path(__file__).parents[2]
"""The folder that holds the program: what a traceback says of its files is the same on any machine from here on."""

CAUSE_LIMIT = 400
"""The most characters of a cause in one line; what is longer would push the remedy out of sight."""

TEXT_LIMIT = 20_000
"""The most characters of any text in the record."""

TEXTS_LIMIT, CHARACTERS_LIMIT = 1000, 500_000
"""The most lines of a detail, of warnings and of notes, and the most characters of them together."""

BUG_REMEDY = "This is a bug in the runner: report it with this record and the log. A rerun is safe."


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _within(cls, value: object) -> object:
        """Texts may come from elsewhere; a record that grows with them would fill the disk unread."""
        if isinstance(value, str):
            return clipped(value, TEXT_LIMIT)
        if isinstance(value, tuple | list) and all(isinstance(one, str) for one in value):
            return limited(value)
        return value


class ServiceDocument(_Document):
    """A service of this repository: whether this run releases it, under which scheme of names, and why."""

    name: str
    selected: bool
    version: str | None = Field(None, description="MAJOR.MINOR.PATCH that is released; null when none is.")
    scheme: str | None = None
    reason: str


class EntryDocument(_Document):
    """One name of the plan."""

    service: str
    kind: Literal["image", "chart"]
    name: str = Field(description="HOST/REPOSITORY:TAG")
    action: Literal["publish", "skip", "refuse"]
    reason: str
    digest: str | None = Field(
        None, description="What the name holds or will hold; null until the build determines it."
    )
    written: bool = Field(default=False, description="Whether this run wrote the name, and it holds that.")
    restores: bool = Field(
        default=False, description="Whether the name holds this already, and what is gone of it is to be written again."
    )
    restored: bool = Field(default=False, description="Whether this run wrote what was gone of it, by digest.")
    adopted: bool = Field(
        default=False, description="Whether what is there names no commit, and was taken after a check all the same."
    )


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


class PullDocument(_Document):
    """A pull request, and the commit that is its head."""

    number: str
    commit: str


class JobDocument(_Document):
    """The run of a Prow job that this is."""

    name: str
    build: str | None = None
    page: str | None = Field(None, description="Where Prow's Deck shows it; null where JOB_SPEC does not tell.")


class StepDocument(_Document):
    """One step of the run; ``service`` is null for steps of the whole run."""

    name: StepName
    service: str | None = None
    outcome: Literal["running", "passed", "skipped", "failed"]
    reason: str | None = None
    started: str
    seconds: float | None = None


class RecordDocument(_Document):
    """What ``record.json`` holds; ``plan --json`` prints the same without steps, tools and timings."""

    schema_name: str = Field(SCHEMA, alias="schema")
    runner: str | None = Field(None, description="The version of the program that wrote this.")
    command: str = Field("run", json_schema_extra={"enum": [*COMMAND_NAMES]})
    layout_folder: str | None = Field(None, description="The folder that tags were written to instead of the registry.")
    ref: str | None = None
    as_tag: str | None = Field(
        None, description="What HEAD is planned as: a tag, or from-chart; null if it is planned as what was pushed."
    )
    commit: str | None = None
    job: JobDocument | None = Field(None, description="The Prow job; null outside of Prow.")
    pulls: tuple[PullDocument, ...] = Field(
        (), description="Pull requests that Prow has merged into the commit, which is in no other clone."
    )
    source: str | None = None
    path: Literal["release", "stable"] | None = None
    version: str | None = Field(
        None, description="The version that is released; null if services differ or none is released."
    )
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
    """A step in progress; ``skip`` says that there was nothing to do."""

    def __init__(self) -> None:
        self.skipped: str | None = None

    def skip(self, reason: str) -> None:
        """End the step as skipped, for this reason."""
        self.skipped = reason


class Record:
    """Collects what a run learns and does. Safe to use from several threads.

    Only the end of a step waits for the disk that the record is kept on; the end of the run does not.

    Args:
        save: called with the whole document after each change that others may want to see.
        tell: called with each step that came to its end.
        begun: called with each step that begins.
        translate: gives the error that a step ends with for the one that was raised in it.
        clock: monotonic seconds.
        now: the wall clock.
    """

    def __init__(
        self,
        save: Callable[[RecordDocument], None],
        *,
        tell: Callable[[StepDocument], None] = lambda _: None,
        begun: Callable[[StepDocument], None] = lambda _: None,
        translate: Callable[[BaseException], BaseException] = lambda error: error,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._save = save
        self._tell = tell
        self._tell_begun = begun
        self._translate = translate
        self._clock = clock
        self._now = now
        self._began = clock()
        self._lock = threading.RLock()
        self._saving = threading.Lock()
        self._document = RecordDocument()
        self._begun: list[float] = []
        self._ended: str | None = None
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
        """Add warnings: what needs attention."""
        self._add_texts("warnings", texts)

    def note(self, *texts: str) -> None:
        """Add notes: worth knowing, nothing to do."""
        self._add_texts("notes", texts)

    def tool(self, name: str, version: str) -> None:
        """Remember the version of a program that was used."""
        with self._lock:
            self.update(tools={**self._document.tools, name: version})

    def set_entries(self, service: str, entries: tuple[EntryDocument, ...]) -> None:
        """Replace the plan's entries of one service; other services' stay."""
        with self._lock:
            done: dict[str, dict[str, Any]] = {
                entry.name: {"written": True, "digest": entry.digest} if entry.written else {"restored": True}
                for entry in self._document.entries
                if entry.written or entry.restored
            }
            others = [entry for entry in self._document.entries if entry.service != service]
            mine = [entry.model_copy(update=done.get(entry.name)) for entry in entries]
            self.update(entries=tuple(sorted((*others, *mine), key=lambda entry: entry.service)))

    def written(self, name: str, digest: str | None) -> None:
        """Remember that a name holds what this run wrote, by digest; with None, that it no longer does."""
        with self._lock:
            self._mark(name, {"written": digest is not None} | ({"digest": digest} if digest else {}))

    def restored(self, name: str) -> None:
        """Remember that what was gone of what a name holds is there again."""
        with self._lock:
            self._mark(name, {"restored": True})

    def set_service(self, row: ServiceDocument) -> None:
        """Replace what is said of one service."""
        with self._lock:
            others = [one for one in self._document.services if one.name != row.name]
            self.update(services=tuple(sorted((*others, row), key=lambda one: one.name)))

    def fail(self, error: BaseException, service: str | None = None) -> None:
        """Add an error; repeats are ignored. An error that is not a ReleaseError is a bug in the runner.

        Errors after the run was ended are consequences of that, and are not recorded.
        """
        with self._lock:
            if self._ended is not None or any(error is told for told in self._told):
                return
            self._told.append(error)
            failed = [step for step in self._document.steps if step.service == service and step.outcome == "failed"]
            self._add("errors", error_document(error, service, failed[-1].name if failed else None))

    def end(self, reason: str) -> None:
        """Remember that the run was ended, and where; from now on no step begins, and none comes to its end.

        Args:
            reason: what ended it, in words.
        """
        with self._lock:
            if self._ended is not None or self._closed:
                return
            self._ended = f"the run was ended by {reason} {_place(self._document.steps)}"
            running = [step for step in self._document.steps if step.outcome == "running"]
            service = running[0].service if len(running) == 1 else None
            self._add("errors", error_document(RunEnded(self._ended), service, _step_at_end(self._document.steps)))

    @contextmanager
    def step(self, name: StepName, service: str | None = None) -> Iterator[Step]:
        """Run a step: its outcome, time and reason are recorded, and the record is saved when it ends.

        Raises:
            RunEnded: the run was ended before.
        """
        with self._lock:
            if self._ended is not None:
                raise RunEnded(self._ended)
            place = len(self._document.steps)
            started = self._now().isoformat(timespec="milliseconds")
            begun = StepDocument(name=name, service=service, outcome="running", started=started)
            self._add("steps", begun)
            self._begun.append(self._clock())
        self._tell_begun(begun)
        handle = Step()

        def end(outcome: str, reason: str | None) -> None:
            with self._lock:
                if self._ended is not None or self._closed:
                    return
                step = self._leave(place, outcome, reason)
            self._tell(step)
            self.save()

        try:
            yield handle
        except BaseException as raised:
            error = self._translate(raised)
            end("failed", short_cause(error.cause if isinstance(error, ReleaseError) else repr(error)))
            if error is raised:
                raise
            raise error from raised
        end("skipped" if handle.skipped else "passed", handle.skipped)

    def close(self) -> RecordDocument:
        """Finish the record: decide the exit code, take no further change, and return it."""
        with self._lock:
            if not self._closed:
                self._finish()
                self._closed = True
            return self._document

    def wait_for_save(self) -> None:
        """Wait until a save that is under way has come to its end; once the record is closed none begins."""
        with self._saving:
            pass

    def _leave(self, place: int, outcome: str, reason: str | None) -> StepDocument:
        steps = self._document.steps
        seconds = round(self._clock() - self._begun[place], 3)
        left = steps[place].model_copy(update={"outcome": outcome, "reason": reason, "seconds": seconds})
        self.update(steps=(*steps[:place], left, *steps[place + 1 :]))
        return left

    def _finish(self) -> None:
        for place, step in enumerate(self._document.steps):
            if step.outcome == "running":
                self._leave(place, "failed", self._ended)
        errors = self._document.errors
        code = worst(error.exit for error in errors)
        timings = {"total": round(self._clock() - self._began, 3)}
        for step in self._document.steps:
            timings[step.name] = round(timings.get(step.name, 0.0) + (step.seconds or 0.0), 3)
        self.update(
            exit=int(code), error=next((error for error in errors if error.exit == code), None), timings=timings
        )

    def save(self) -> None:
        """Hand the document to whoever keeps it."""
        with self._saving:
            if not self._closed:
                self._save(self._document)

    def _add_texts(self, field: str, texts: Sequence[str]) -> None:
        with self._lock:
            self.update(**{field: limited((*getattr(self._document, field), *texts))})

    def _mark(self, name: str, change: Mapping[str, object]) -> None:
        entries = self._document.entries
        self.update(entries=tuple(one.model_copy(update=change) if one.name == name else one for one in entries))

    def _add(self, field: str, *values: object) -> None:
        with self._lock:
            self.update(**{field: (*getattr(self._document, field), *values)})


def limited(texts: Sequence[str]) -> tuple[str, ...]:
    """Of some texts as many as are kept, each cut to TEXT_LIMIT; one more says how many are missing."""
    kept = tuple(clipped(text, TEXT_LIMIT) for text in texts[:TEXTS_LIMIT])
    sizes = tuple(accumulate(map(len, kept)))
    number = bisect_right(sizes, CHARACTERS_LIMIT)
    return kept if number == len(texts) else (*kept[:number], f"… ({len(texts) - number} more)")


def _place(steps: Sequence[StepDocument]) -> str:
    """Where a run is, in words: in these steps, between two, or before all."""
    running = [step_in_words(step) for step in steps if step.outcome == "running"]
    if running:
        return f"during {', '.join(running)}"
    return f"after {step_in_words(steps[-1])}" if steps else "before its first step"


def _step_at_end(steps: Sequence[StepDocument]) -> str:
    """The steps at which a run was ended, each named once; where none was going on, between which it was."""
    if running := [step.name for step in steps if step.outcome == "running"]:
        return ", ".join(dict.fromkeys(running))
    return f"after {steps[-1].name}" if steps else "before the first"


def step_in_words(step: StepDocument) -> str:
    """A step, and of which service it is."""
    return step.name if step.service is None else f"{step.name} of {step.service}"


def error_document(error: BaseException, service: str | None, step: str | None) -> ErrorDocument:
    """Put an error into the record's words; of a long cause the whole stands before the detail."""
    if isinstance(error, ReleaseError):
        cause = short_cause(error.cause)
        return ErrorDocument(
            code=error.code,
            cause=cause,
            remedy=error.remedy,
            exit=int(error.exit_code),
            service=service,
            step=step,
            detail=error.detail if cause == error.cause else (*error.cause.splitlines(), *error.detail),
        )
    return ErrorDocument(
        code="bug",
        cause=short_cause(repr(error)),
        remedy=BUG_REMEDY,
        exit=int(ExitCode.BUG),
        service=service,
        step=step,
        detail=tuple("".join(traceback.format_exception(error)).replace(f"{PACKAGES}/", "").splitlines()),
    )


def short_cause(cause: str) -> str:
    """A cause of at most ``CAUSE_LIMIT`` characters, cut between words where there are any."""
    if len(cause) <= CAUSE_LIMIT:
        return cause
    start = cause[: CAUSE_LIMIT - 2]
    words = re.sub(r"\s+\S*$", "", start)
    return f"{words if len(words) > CAUSE_LIMIT // 2 else start} …"


NOT_IN_A_PLAN: dict[str, Any] = {
    **dict.fromkeys(
        ("steps", "tools", "timings", "errors", "source", "runner", "command", "layout_folder", "job"), True
    ),
    "entries": {"__all__": {"written", "restores", "restored", "adopted"}},
}


def plan_view(document: RecordDocument) -> Mapping[str, object]:
    """What ``plan --json`` prints: the record without what only a run has."""
    return document.model_dump(mode="json", by_alias=True, exclude=NOT_IN_A_PLAN)


def summary(document: RecordDocument) -> str:
    """What a run that went well did, in words."""
    written = sum(entry.written for entry in document.entries)
    tags = "1 tag" if written == 1 else f"{written} tags"
    restored = sum(entry.restored for entry in document.entries)
    what_was_gone = f"what was gone of {'1 tag' if restored == 1 else f'{restored} tags'} restored" if restored else ""
    adopted = ", the former job's image adopted" if any(entry.adopted for entry in document.entries) else ""
    if document.command == "plan":
        if document.as_tag is not None and not any(row.selected for row in document.services):
            return "planned, nothing was changed: this change releases nothing"
        counts = {action: sum(entry.action == action for entry in document.entries) for action in ("publish", "skip")}
        return f"planned, nothing was changed: {counts['publish']} to publish, {counts['skip']} to skip{adopted}"
    if document.layout_folder is not None:
        return f"{tags} written to the layout folder {document.layout_folder}, nothing published"
    sent = ", ".join(filter(None, (f"{tags} written" if written else "", what_was_gone)))
    return f"{sent or 'nothing to send'}{adopted}"


def record_schema() -> dict[str, Any]:
    """The JSON Schema of ``record.json``, for programs that read it."""
    schema = RecordDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
