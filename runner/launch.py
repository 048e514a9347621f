"""Opens what a run needs, lets it go on under supervision, and ends it with its reports and its exit code."""

from __future__ import annotations

import threading
import traceback
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runner.errors import ExitCode, ReleaseError, RunEnded
from runner.event import read_event
from runner.lifetime import Lifetime
from runner.log import Log, error_lines, open_log, released_line
from runner.means import Surroundings
from runner.process import Children
from runner.record import Record, RecordDocument, StepDocument
from runner.release import release
from runner.report.files import write_progress, write_reports
from runner.settings import Options, artifacts_folder, is_quiet
from runner.supervisor import DEFAULT_GRACE_SECONDS, supervise
from runner.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MARGIN_SECONDS = 15.0
"""How long before Prow's own timeout a run ends itself, so that it ends with reports and exit code 9."""

TOLD_BY_STARTED = frozenset({"event", "configuration", "checkout", "route", "select"})
"""Steps whose outcome is in the line ``started``, or in the error."""


def launch(
    options: Options,
    environment: Mapping[str, str],
    out: TextIO,
    *,
    only_plan: bool = False,
    show: Callable[[RecordDocument], None] | None = None,
) -> int:
    """Run the road and return the process's exit code.

    Args:
        options: what the command line gave.
        environment: the process's environment.
        out: where the log goes.
        only_plan: stop before anything is built or written.
        show: given the finished record, after everything else.
    """
    seconds, grace = _limits(environment)
    lifetime = Lifetime(seconds)
    children = Children(lifetime)
    with ExitStack() as stack:
        folder, problem = _open_artifacts(Path(artifacts_folder(options, environment).value))
        lines = stack.enter_context((folder / "release-log.jsonl").open("w", encoding="utf-8")) if folder else None
        log = open_log(out, lines, quiet=is_quiet(environment))
        if problem:
            log.warning("reports are not written", reason=problem)
        record = Record(
            lambda document: write_progress(folder, document) if folder else None, tell=lambda step: _tell(log, step)
        )
        around = Surroundings(
            environment=environment,
            lifetime=lifetime,
            run=children.run,
            record=record,
            log=log,
            folder=stack.enter_context(open_workspace(environment)),
            artifacts=folder,
        )
        finish = Finish(record, log, out, folder, only_plan=only_plan, show=show)

        def work() -> int:
            try:
                release(options, around, only_plan=only_plan)
            except ReleaseError as error:
                record.fail(error)
            except Exception as error:  # noqa: BLE001 - a bug must end with reports and exit code 1, not a traceback
                finish.bug = traceback.format_exc()
                record.fail(error)
            return finish(ended=False)

        def end(reason: str) -> int:
            at = record.running_step()
            lifetime.end(reason)
            children.end_all(grace / 3)
            record.fail(RunEnded(f"the run was ended by {reason}{f' during {at}' if at else ''}"))
            return finish(ended=True)

        return supervise(work, lifetime, end)


class Finish:
    """Closes the record once, writes every report, and prints the last lines."""

    def __init__(
        self,
        record: Record,
        log: Log,
        out: TextIO,
        folder: Path | None,
        *,
        only_plan: bool,
        show: Callable[[RecordDocument], None] | None,
    ) -> None:
        self._record = record
        self._log = log
        self._out = out
        self._folder = folder
        self._only_plan = only_plan
        self._show = show
        self._lock = threading.Lock()
        self._code: int | None = None
        self.bug: str | None = None

    def __call__(self, *, ended: bool) -> int:
        """Finish the run; a second call only returns the exit code."""
        with self._lock:
            if self._code is None:
                self._code = self._finish(self._record.close(ended=ended))
            return self._code

    def _finish(self, document: RecordDocument) -> int:
        if self._folder is not None:
            with suppress(OSError):
                write_reports(self._folder, document)
                if self.bug:
                    (self._folder / "bug.txt").write_text(self.bug, encoding="utf-8")
        if document.errors:
            for error in document.errors:
                for line in error_lines(error):
                    self._say(line)
        elif self._only_plan:
            self._log.info(
                "planned; nothing was changed", publish=_count(document, "publish"), skip=_count(document, "skip")
            )
        else:
            self._say(released_line(document))
        if self._show is not None:
            self._show(document)
        return document.exit if document.exit is not None else int(ExitCode.BUG)

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


def _tell(log: Log, step: StepDocument) -> None:
    say = log.debug if step.name in TOLD_BY_STARTED else log.info
    say(f"step {step.outcome}", step=step.name, service=step.service, reason=step.reason, seconds=step.seconds)


def _count(document: RecordDocument, action: str) -> int:
    return sum(entry.action == action for entry in document.entries)


def _limits(environment: Mapping[str, str]) -> tuple[float | None, float]:
    """Return the seconds after which the run ends itself, and Prow's grace period in seconds."""
    try:
        event = read_event(environment)
    except ReleaseError:
        return None, DEFAULT_GRACE_SECONDS
    seconds = None if event.timeout is None else max(event.timeout / 2, event.timeout - MARGIN_SECONDS)
    return seconds, event.grace_period or DEFAULT_GRACE_SECONDS


def _open_artifacts(folder: Path) -> tuple[Path | None, str | None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return None, f"{folder}: {error.strerror}"
    return folder, None
