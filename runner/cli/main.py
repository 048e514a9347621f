"""The command line: parse, call, exit."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runner import __version__
from runner.builders.table import BUILDERS
from runner.config.settings import Options, config_file
from runner.errors import ExitCode, UsageInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)

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
  7  registry failed after retries; a rerun is all that is needed
  8  credentials missing, expired or refused
  9  ended by a signal or the deadline; a rerun completes the release
"""

SUMMARY = """Release ACK service controllers: image, chart and stable chart.

\b
A tag vMAJOR.MINOR.PATCH publishes image and chart of that version.
A push to the branch stable moves the chart's tag v<major>-stable.
Every command is safe to repeat: what is published is compared, never
overwritten, and not sent again.
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

SCHEMA_EXAMPLES = """
\b
Examples:
  ack-release schema > jobs.schema.json            for an editor that checks jobs.yaml
"""


PROWJOBS_EXAMPLES = """
\b
Examples:
  ack-release prowjobs generate                    write prowjobs/ from config/jobs.yaml
  ack-release prowjobs check                       is it what config/jobs.yaml gives?

\b
Exit codes:
  0  done, or up to date
  2  the folder is not up to date or cannot be used, or jobs.yaml is wrong
"""


@click.group(help=SUMMARY, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ack-release")
def cli() -> None:
    """Release ACK service controllers."""


def road_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that ``run`` and ``plan`` share."""
    for option in reversed(
        (
            click.option("--config", type=FILE, help="jobs.yaml. [default: the image's own, else config/jobs.yaml]"),
            click.option("--workspace", type=FOLDER, help="Folder that holds the checkouts. [default: from JOB_SPEC]"),
            click.option("--registry", metavar="HOST/NAMESPACE", help="Publish here: a staging release."),
            click.option("--artifacts", type=FOLDER, help="Folder for the reports. [default: $ARTIFACTS, ./artifacts]"),
            click.option("--builder", type=click.Choice(BUILDERS), help="How the image is built."),
            click.option("--base-image", metavar="REF|oci:DIR|scratch", help="What the image is built on."),
            click.option(
                "--to-layout",
                type=FOLDER,
                help="Publish nothing: write an OCI layout folder, replacing its index.",
            ),
            click.option("--service", "services", multiple=True, metavar="NAME", help="Only this one; repeatable."),
        )
    ):
        command = option(command)
    return command


@cli.command(epilog=RUN_EXAMPLES + EXIT_CODES)
@road_options
def run(**given: Any) -> None:
    """Release what Prow's environment names: the whole road."""
    from runner.cli.session import launch  # noqa: PLC0415 - --help and schema need none of it

    _leave(launch(Options(**given), os.environ, sys.stdout))


@cli.command(epilog=PLAN_EXAMPLES + EXIT_CODES)
@road_options
@click.option(
    "--as-tag",
    metavar="VERSION|from-chart",
    help="Plan HEAD as if it were tagged, also in a presubmit; from-chart: by each chart's version, or as what it would"
    " make of stable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout; the log goes to stderr.")
def plan(*, as_json: bool, **given: Any) -> None:
    """Say what run would do and why; change nothing; exit as run would."""
    from runner.cli.session import launch  # noqa: PLC0415 - --help and schema need none of it
    from runner.report.record import plan_view  # noqa: PLC0415 - as above

    def show(document: Any) -> None:
        print(json.dumps(plan_view(document), indent=2, ensure_ascii=False), flush=True)  # noqa: T201 - the product

    options = Options(**given)
    if as_json:
        _leave(launch(options, os.environ, sys.stderr, only_plan=True, show=show))
    _leave(launch(options, os.environ, sys.stdout, only_plan=True))


@cli.command(epilog=SCHEMA_EXAMPLES)
def schema() -> None:
    """Print the JSON Schema of jobs.yaml."""
    from runner.config.load import json_schema  # noqa: PLC0415 - the other commands load it when they need it

    click.echo(json.dumps(json_schema(), indent=2))


@cli.group(epilog=PROWJOBS_EXAMPLES)
def prowjobs() -> None:
    """Prow's job configuration, made from jobs.yaml."""


def prowjobs_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that ``prowjobs generate`` and ``prowjobs check`` share."""
    config = click.option("--config", type=FILE, help="jobs.yaml. [default: the image's own, else config/jobs.yaml]")
    folder = click.option("--folder", type=FOLDER, default=Path("prowjobs"), help="[default: prowjobs]")
    return config(folder(command))


@prowjobs.command(epilog=PROWJOBS_EXAMPLES)
@prowjobs_options
def generate(config: Path | None, folder: Path) -> None:
    """Write prowjobs/ from jobs.yaml.

    Of what is in the folder, only generated files are changed or removed.
    """
    from runner.prow.generate.command import generate as command  # noqa: PLC0415 - a run needs none of it

    _leave(command(Path(config_file(Options(config=config)).value), folder, sys.stdout, sys.stderr))


@prowjobs.command(epilog=PROWJOBS_EXAMPLES)
@prowjobs_options
def check(config: Path | None, folder: Path) -> None:
    """Say whether prowjobs/ is up to date.

    It exits 2 when a file differs, is missing or is left over, and shows the difference.
    """
    from runner.prow.generate.command import check as command  # noqa: PLC0415 - a run needs none of it

    _leave(command(Path(config_file(Options(config=config)).value), folder, sys.stdout, sys.stderr))


def start() -> None:
    """Parse the command line and do what it says; a mistake in it is told like any other error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that is no text in this locale must not keep the run from telling it.
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(standalone_mode=False)
    except click.ClickException as mistake:
        _leave(_refuse(mistake))
    except click.exceptions.Exit as ended:
        _leave(ended.exit_code)
    except click.Abort:
        _leave(ExitCode.ENDED)


def _refuse(mistake: click.ClickException) -> int:
    none = isinstance(mistake, click.exceptions.NoArgsIsHelpError)
    said = "no command was given" if none else mistake.format_message().rstrip(".")
    context = getattr(mistake, "ctx", None)
    command = context.command_path if context else "ack-release"
    remedy = f"{command} --help shows what it takes."
    error = UsageInvalid(said, remedy=remedy)
    click.echo(f"ERROR: {error.cause}. {error.remedy} exit={error.exit_code} code={error.code}", err=True)
    if {"plan", "--json"} <= set(sys.argv[1:]):
        # Whoever reads the plan as JSON reads why there is none as JSON, too.
        from runner.report.record import Record, plan_view  # noqa: PLC0415 - only here

        record = Record(lambda _: None)
        record.fail(error)
        click.echo(json.dumps(plan_view(record.close()), indent=2))
    return error.exit_code


def _leave(code: int) -> NoReturn:
    # Worker threads of an ended run may still be waiting on a socket, and a reader may have stopped to read: leaving
    # waits for neither. Everything that is printed is flushed where it is printed.
    os._exit(code)
