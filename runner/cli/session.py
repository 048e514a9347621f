"""A supervised session of any command: deadline, signals, children, log, record and reports, and the exit code.

What the command does is handed in, and so is how its success is reported; nothing here knows of events, clones or
releases.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runner import __version__
from runner.cli.limits import read_limits
from runner.config.settings import is_quiet
from runner.errors import ExitCode, RunEnded
from runner.report.console import Log, Outlet, error_lines, open_log
from runner.report.files import PROGRESS, write_reports
from runner.report.record import Record, RecordDocument, StepDocument
from runner.report.table import REPORTS
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.storage import reason_of, storage_error
from runner.runtime.supervisor import supervise
from runner.runtime.workspace import open_workspace, remove_folder
from runner.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runner.cli.limits import Limits
    from runner.report.files import Report

    Conclude = Callable[[RecordDocument, Outlet, Log], None]
    """Tells of a success in the last line: given the finished record, what people read, and the log."""

CHILDREN_SHARE, REPORTS_SHARE, UNWINDING_SHARE, REMOVAL_SHARE = 1 / 3, 1 / 3, 1 / 12, 1 / 8
"""The shares of the grace period that an ended run gives its children, reports, workers and its folder's removal."""

TOLD_BY_STARTED = frozenset({"event", "configuration", "checkout", "route", "select"})
"""Steps whose outcome is in the line ``started``, or in the error."""


def say_done(document: RecordDocument, _: Outlet, log: Log) -> None:
    """Log that the command is done: how a success is reported where the command says nothing else."""
    log.info("done", seconds=document.timings["total"])


def run_session(
    command: str,
    work: Callable[[Session], object],
    *,
    environment: Mapping[str, str],
    out: TextIO | Outlet,
    artifacts: Path,
    limits: Limits | None = None,
    conclude: Conclude = say_done,
    show: Callable[[RecordDocument], None] | None = None,
    levels: frozenset[str] | None = None,
) -> int:
    """Do a command's work under supervision and return the process's exit code.

    Of what the work raises, a ReleaseError has its own exit code; anything else is a bug, 1. A signal or the deadline
    ends it with 9. The caller leaves the process without waiting for threads. Only the main thread may call this, and
    only once: signals are answered here.

    Args:
        command: its name in the record.
        work: what it does; failures of parts of it, which stop nothing else, are put into the session's record.
        environment: the process's environment.
        out: where the log goes: a stream, or what shows it in another way than line by line.
        artifacts: the folder for the reports, made where it is not there; one that cannot be written stops nothing.
        limits: how long it may go on; what Prow allows the job where left out.
        conclude: tells of a success.
        show: given the finished record, after everything else.
        levels: the levels of the log that a person sees; what QUIET says when left out.
    """
    limits = limits or read_limits(environment)
    grace = limits.grace
    lifetime = Lifetime(limits.seconds)
    children = Children(lifetime)
    reports, lines, problem = _open_artifacts(artifacts)
    outlet = out if isinstance(out, Outlet) else Outlet(out)
    log = open_log(outlet, lines, quiet=is_quiet(environment), levels=levels)
    if problem:
        log.warning("reports are not written", reason=problem)
    folders: list[Path] = []

    def translate(error: BaseException) -> BaseException:
        return storage_error(error, folders[0] if folders else Path("/")) or error

    def told(step: StepDocument) -> None:
        outlet.ended(step)
        _tell(log, step)

    record = Record(Reports(reports, log).save, tell=told, begun=outlet.begun, translate=translate)
    record.update(command=command, runner=__version__)
    patience = grace * REPORTS_SHARE / 2
    finish = Finish(record, log, outlet, reports, patience=patience, conclude=conclude, show=show)
    unwound = threading.Event()

    def go_on() -> int:
        with ExitStack() as stack:
            stack.callback(unwound.set)
            try:
                folders.append(stack.enter_context(open_workspace(environment)))
                work(Session(environment, lifetime, children.run, record, log, folders[0], reports))
            except RunEnded:
                # Whoever ended the run finishes it: the main thread, in ``end``.
                return int(ExitCode.ENDED)
            except Exception as error:  # noqa: BLE001 - a bug, too, must end with reports and exit code 1
                record.fail(translate(error))
            return finish()

    def end(reason: str) -> int:
        record.end(reason)
        lifetime.end(reason)
        children.end_all(grace * CHILDREN_SHARE)
        # Whoever reads the log, or a disk that hangs, may not keep the process beyond the grace period.
        _within(grace * REPORTS_SHARE, finish)
        # Workers remove what they have half written outside of the work folder.
        unwound.wait(grace * UNWINDING_SHARE)
        _within(grace * REMOVAL_SHARE, lambda: _remove(folders))
        return int(ExitCode.ENDED) if finish.code is None else finish.code

    return supervise(go_on, lifetime, end)


class Reports:
    """Keeps the reports that must exist at any moment up to date; a failed write is logged once and stops nothing.

    Args:
        folder: where to; None to keep nothing.
        log: gets a line for what cannot be written.
    """

    def __init__(self, folder: Path | None, log: Log) -> None:
        self._folder = folder
        self._log = log
        self._kept: tuple[Report, ...] = PROGRESS

    def save(self, document: RecordDocument) -> None:
        """Write what must be there at any moment."""
        if self._folder is None:
            return
        problems = dict(write_reports(self._folder, document, self._kept))
        self._kept = tuple(report for report in self._kept if report.name not in problems)
        for name, reason in problems.items():
            self._log.warning("report is no longer kept", report=name, reason=reason)


class Finish:
    """Closes the record once, writes every report, and prints the last lines.

    Args:
        record: what is reported.
        log: gets a line for each report that is missing.
        out: where the last lines go.
        folder: where the reports go; None for none.
        patience: seconds for which the last lines wait, so that what is said of reports stands before them.
        conclude: tells of a success, unless there is an error to tell of.
        show: given the record at the end.

    ``code`` is the exit code once the record is closed: what is reported then is how the run ended, even where a report
    is still written when the run is ended from outside.
    """

    def __init__(
        self,
        record: Record,
        log: Log,
        out: Outlet,
        folder: Path | None,
        *,
        patience: float,
        conclude: Conclude,
        show: Callable[[RecordDocument], None] | None,
    ) -> None:
        self._record = record
        self._log = log
        self._out = out
        self._folder = folder
        self._patience = patience
        self._conclude = conclude
        self._show = show
        self._lock = threading.Lock()
        self.code: int | None = None

    def __call__(self) -> int:
        """Finish the run; a second call only returns the exit code."""
        with self._lock:
            if self.code is None:
                document = self._record.close()
                self.code = int(ExitCode.BUG if document.exit is None else document.exit)
                # A disk that hangs must not cost the last line, nor a reader that hangs the reports.
                problems: list[tuple[str, str]] = []
                reports = threading.Thread(target=self._report, args=[document, problems], daemon=True)
                reports.start()
                reports.join(self._patience)
                for name, reason in tuple(problems):
                    self._log.warning("report is not written", report=name, reason=reason)
                for part in (self._say_last, self._show or _nothing):
                    # A closed stdout does not change how the run ended.
                    with suppress(OSError, ValueError):
                        part(document)
                reports.join()
            return self.code

    def _report(self, document: RecordDocument, problems: list[tuple[str, str]]) -> None:
        if self._folder is None:
            return
        self._record.wait_for_save()
        problems.extend(write_reports(self._folder, document, REPORTS))

    def _say_last(self, document: RecordDocument) -> None:
        self._out.summarise(document)
        if document.errors:
            self._say_errors(document)
        else:
            self._conclude(document, self._out, self._log)
        # Workers that have not noticed the end yet say nothing after the last line.
        self._out.close()

    def _say_errors(self, document: RecordDocument) -> None:
        for error in document.errors:
            for line in error_lines(error):
                self._out.write(f"{line}\n")
        # The log's file comes after what people read: its disk may hang.
        for error in document.errors:
            self._log.debug("failed", service=error.service, code=error.code, cause=error.cause, remedy=error.remedy)


def _nothing(_: RecordDocument) -> None:
    """Show nothing."""


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        remove_folder(folder)


def _within(seconds: float, work: Callable[[], object]) -> None:
    """Do the work, but go on without it after this time."""
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)


def _tell(log: Log, step: StepDocument) -> None:
    say = log.debug if step.name in TOLD_BY_STARTED else log.info
    say(f"step {step.outcome}", step=step.name, service=step.service, reason=step.reason, seconds=step.seconds)


def _open_artifacts(folder: Path) -> tuple[Path | None, TextIO | None, str | None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder, (folder / "release-log.jsonl").open("w", encoding="utf-8"), None
    except OSError as error:
        return None, None, reason_of(error, folder)
