"""``run`` and ``plan``: the release of what Prow's environment names."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.appearance import with_appearance
from runner.cli.options import options_of
from runner.cli.session import run_session
from runner.config.settings import Options, artifacts_folder
from runner.report.record import Record, plan_view, summary
from runner.run.pipeline import release

if TYPE_CHECKING:
    from runner.cli.appearance import Appearance
    from runner.errors import ReleaseError
    from runner.report.console import Log, Outlet
    from runner.report.record import RecordDocument

# A line that holds only a backspace keeps click from filling the paragraph that follows.
EXIT_CODES = """
\b
Exit codes:
  0  done, or nothing to do
  1  a bug in the runner
  2  usage, configuration or environment wrong
  3  not a release: the ref matches no route, or tag and commit disagree
  4  invalid release: chart, values, tag or naming disagree, or stable names
     an image that is not there
  5  conflict: published before with other content, or stable would move
     backwards
  6  build failed
  7  registry or AWS failed after retries; a rerun is all that is needed
  8  credentials missing, expired or refused
  9  ended by a signal or the deadline; a rerun completes the release
"""

RUN_EXAMPLES = """
\b
Examples:
  ack-release run                                  as Prow starts it
  ack-release run --registry 127.0.0.1:5000/test   the same, as a staging release
  ack-release run --to-layout out                  build everything, publish nothing
"""

PLAN_EXAMPLES = """
\b
Examples:
  ack-release plan                                 what run would do, and why
  ack-release plan --json | jq .entries            the same for programs
  ack-release plan --as-tag from-chart             check a pull request before it is merged
  ack-release plan --as-tag v1.3.0                 what a tag v1.3.0 on HEAD would do
"""


@click.command(epilog=RUN_EXAMPLES + EXIT_CODES)
@options_of("run")
@with_appearance
def run(*, appearance: Appearance, **given: Any) -> int:
    """Release what Prow's environment names: the whole pipeline."""
    options = Options(**given)
    return run_session(
        "run",
        lambda session: release(options, session, only_plan=False),
        environment=os.environ,
        out=appearance.outlet(sys.stdout, os.environ),
        artifacts=Path(artifacts_folder(options, os.environ).value),
        conclude=say_released,
        levels=appearance.levels,
    )


@click.command(epilog=PLAN_EXAMPLES + EXIT_CODES)
@options_of("plan")
@with_appearance
def plan(*, appearance: Appearance, **given: Any) -> int:
    """Say what run would do and why; change nothing; exit as run would."""
    options = Options(**given)
    return run_session(
        "plan",
        lambda session: release(options, session, only_plan=True),
        environment=os.environ,
        out=appearance.outlet(sys.stderr if options.as_json else sys.stdout, os.environ),
        artifacts=Path(artifacts_folder(options, os.environ).value),
        conclude=say_planned_quietly if appearance.is_quiet(os.environ) else say_planned,
        show=print_plan if options.as_json else None,
        levels=appearance.levels,
    )


def say_released(document: RecordDocument, out: Outlet, log: Log) -> None:
    """End a run that went well with the line that Deck highlights, even where QUIET leaves out the log."""
    out.released(document)
    log.debug("released", summary=summary(document))


def say_planned(document: RecordDocument, _: Outlet, log: Log) -> None:
    """End a plan that went well with what it found."""
    log.info("plan done", summary=summary(document))


def say_planned_quietly(document: RecordDocument, out: Outlet, log: Log) -> None:
    """End a plan that went well with what it found, although the log is not shown."""
    out.planned(document)
    say_planned(document, out, log)


def print_plan(document: RecordDocument) -> None:
    """Print a plan for programs."""
    print(json.dumps(plan_view(document), indent=2, ensure_ascii=False), flush=True)  # noqa: T201 - the product


def print_refused_plan(error: ReleaseError) -> None:
    """Print for programs why there is no plan."""
    record = Record(lambda _: None)
    record.fail(error)
    click.echo(json.dumps(plan_view(record.close()), indent=2))
