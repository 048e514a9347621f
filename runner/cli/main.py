"""The command line: every command in one table, and the start of the program."""

from __future__ import annotations

import importlib
import io
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from runner import __version__
from runner.cli.exit import leave, print_error
from runner.errors import ExitCode, UsageInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY = """Release ACK service controllers: image, chart and stable chart.

\b
A tag vMAJOR.MINOR.PATCH publishes image and chart of that version.
A push to the branch stable moves the chart's tag v<major>-stable.
Every command is safe to repeat: what is published is compared, never
overwritten, and not sent again.
"""


class CommandEntry(NamedTuple):
    """A command: the module that has it, under its own name, and the first sentence of its help."""

    module: str
    help: str


COMMANDS: Mapping[str, CommandEntry] = {
    "audit": CommandEntry("runner.cli.audit", "Compare the tags in git with what the registry has, for all services."),
    "doctor": CommandEntry(
        "runner.cli.doctor", "Say whether a release could run here, and what to do where it could not."
    ),
    "jobs": CommandEntry("runner.cli.jobs", "List, explain, follow, rerun and abort release jobs."),
    "mirror": CommandEntry("runner.cli.mirror", "Copy a release, with all that is attached to it."),
    "plan": CommandEntry("runner.cli.release", "Say what run would do and why; change nothing; exit as run would."),
    "prepare": CommandEntry("runner.cli.author", "Prepare a release: its artifacts, checked, on a branch for review."),
    "prowjobs": CommandEntry("runner.cli.prowjobs", "Prow's job configuration, made from jobs.yaml."),
    "rollback": CommandEntry("runner.cli.author", "Move the stable chart of a service back to an earlier release."),
    "run": CommandEntry("runner.cli.release", "Release what Prow's environment names: the whole pipeline."),
    "schema": CommandEntry("runner.cli.schema", "Print the JSON Schema of jobs.yaml."),
    "stable": CommandEntry("runner.cli.stable", "What the stable charts of a service are and were."),
    "tag": CommandEntry("runner.cli.author", "Tag a merged release, which starts its job."),
    "verify": CommandEntry(
        "runner.cli.verify", "Check one release: image, platforms, programs, chart, commits, digests."
    ),
}


def load(name: str) -> click.Command:
    """Load a command, and with it all that it needs before its first log line."""
    command = getattr(importlib.import_module(COMMANDS[name].module), name)
    if not isinstance(command, click.Command):
        raise TypeError(f"{COMMANDS[name].module}.{name} is no command")
    return command


class Commands(click.Group):
    """Loads the command that is called, and no other: what lists them needs their names and a sentence of each."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called by its name, as click does, then load it."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if name is None else load(name), rest


@click.group(
    cls=Commands,
    commands={name: click.Command(name, help=entry.help) for name, entry in COMMANDS.items()},
    help=SUMMARY,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ack-release")
def cli() -> None:
    """Release ACK service controllers."""


def start() -> NoReturn:
    """Do what the command line says and end the process; a mistake in it is reported like any other error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that is no text in this locale must not keep the run from telling it.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli(standalone_mode=False)
    except click.ClickException as mistake:
        code = _refuse(mistake)
    except click.Abort:
        code = ExitCode.ENDED
    leave(code)


def _refuse(mistake: click.ClickException) -> int:
    none = isinstance(mistake, click.exceptions.NoArgsIsHelpError)
    said = "no command was given" if none else mistake.format_message().rstrip(".")
    context = getattr(mistake, "ctx", None)
    command = context.command_path if context else "ack-release"
    error = UsageInvalid(said, remedy=f"{command} --help shows what it takes.")
    print_error(error)
    if {"plan", "--json"} <= set(sys.argv[1:]):
        # Whoever reads the plan as JSON reads why there is none as JSON, too.
        from runner.cli.release import print_refused_plan  # noqa: PLC0415 - only here

        print_refused_plan(error)
    elif "--json" in sys.argv[1:]:
        from runner.cli.inspecting import print_refused  # noqa: PLC0415 - as above

        print_refused(error)
    return error.exit_code
