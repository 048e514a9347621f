"""Commands that people read: their common options, and their supervision.

They write no reports and no log: what was asked for goes to stdout, an error to stderr. What they do is handed an
``Inspection``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from runner.errors import ExitCode, RunEnded
from runner.report.console import EVERY_LEVEL, Outlet, error_lines, open_log
from runner.report.record import Record, error_document
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.supervisor import supervise
from runner.runtime.workspace import open_workspace
from runner.session import Session
from runner.terminal.colour import COLOUR_CHOICES
from runner.terminal.screen import ReaderGone, Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.errors import ReleaseError
    from runner.report.console import Log
    from runner.report.record import ErrorDocument
    from runner.runtime.process import Run
    from runner.terminal.colour import ColourChoice

BUG_REMEDY: Final = "This is a bug in ack-release: report it with these lines."
ENDED_REMEDY: Final = "Call it again; what it asks can be asked at any time."
CHILDREN_SECONDS: Final = 5.0
UNWINDING_SECONDS: Final = 2.0


@dataclass
class Inspection:
    """What a command works with.

    Attributes:
        environment: the process's own.
        lifetime: ends with a signal; whatever waits asks it.
        run: starts programs, which end with the command.
        log: stderr with ``--verbose``, else nowhere.
        screen: where it prints.
        is_verbose: whether more than usual is asked for.
        is_endless: whether only a signal ends it, as following does: then there is nothing to report of it.
        remedy: what to do when a signal ends it.
    """

    environment: Mapping[str, str]
    lifetime: Lifetime
    run: Run
    log: Log
    screen: Screen
    stack: contextlib.ExitStack
    is_verbose: bool = False
    is_endless: bool = False
    remedy: str = ENDED_REMEDY

    @functools.cached_property
    def session(self) -> Session:
        """A session with a work folder of its own, for tools that are opened in one; nothing of it is kept."""
        folder = self.stack.enter_context(open_workspace(self.environment))
        return Session(self.environment, self.lifetime, self.run, Record(lambda _: None), self.log, folder, None)


def inspecting(work: Callable[..., int | None]) -> Callable[..., int]:
    """Make a click callback of what a command does: add the common options, supervise it, report its errors.

    The work is given an ``Inspection`` and the command's own options; it returns the exit code, or None for 0. It may
    raise a ReleaseError, which ends the command with its exit code; anything else is a bug, 1. A signal ends it with 9.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @click.option("--color", type=click.Choice(COLOUR_CHOICES), default="auto", help="[default: auto]")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing beside what was asked for.")
    @click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is asked of servers.")
    @functools.wraps(work)
    def command(*, as_json: bool, color: ColourChoice, quiet: bool, verbose: bool, **given: Any) -> int:  # noqa: ANN401
        screen = Screen(sys.stdout, sys.stderr, os.environ, colour=color, as_json=as_json, quiet=quiet)
        return inspect(lambda inspection: work(inspection, **given), screen, os.environ, verbose=verbose)

    return command


def inspect(
    work: Callable[[Inspection], int | None], screen: Screen, environment: Mapping[str, str], *, verbose: bool = False
) -> int:
    """Do the work under supervision and return the process's exit code; only the main thread may call this, once."""
    lifetime = Lifetime()
    children = Children(lifetime)
    log = open_log(Outlet(sys.stderr), None, levels=EVERY_LEVEL if verbose else frozenset())
    stack, unwound = contextlib.ExitStack(), threading.Event()
    inspection = Inspection(environment, lifetime, children.run, log, screen, stack, is_verbose=verbose)

    def go_on() -> int:
        try:
            with stack:
                return work(inspection) or ExitCode.DONE
        except ReaderGone:
            return ExitCode.DONE
        except RunEnded:
            # Whoever ended it says so: the main thread, in ``end``.
            return ExitCode.ENDED
        except Exception as error:  # noqa: BLE001 - a bug, too, must end with one line and exit code 1
            return report(error, screen)
        finally:
            unwound.set()

    def end(reason: str) -> int:
        lifetime.end(reason)
        children.end_all(CHILDREN_SECONDS)
        unwound.wait(UNWINDING_SECONDS)
        screen.close()
        if not inspection.is_endless:
            report(RunEnded(f"the command was ended by {reason}", remedy=inspection.remedy), screen)
        return ExitCode.ENDED

    return supervise(go_on, lifetime, end)


def report(error: Exception, screen: Screen) -> int:
    """Print an error as every command does, for a program that reads too, and return the exit code."""
    document = error_document(error, None, None)
    if document.exit == ExitCode.BUG:
        document = document.model_copy(update={"remedy": BUG_REMEDY})
    for line in error_lines(document):
        screen.complain(line)
    with contextlib.suppress(ReaderGone):
        screen.error_json(for_programs(document))
    return document.exit


def print_refused(error: ReleaseError) -> None:
    """Print for programs what is wrong with the command line."""
    click.echo(json.dumps({"error": for_programs(error_document(error, None, None))}, indent=2))


def for_programs(error: ErrorDocument) -> Mapping[str, object]:
    """An error in the words of the record, without what only a run has."""
    return error.model_dump(mode="json", exclude={"service", "step"})
