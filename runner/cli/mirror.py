"""``mirror``: a release copied to another registry, or into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.completion import releases, services
from runner.cli.inspecting import inspecting
from runner.cli.options import option
from runner.config.load import load_config, service_named
from runner.config.settings import Options, config_file
from runner.errors import UsageInvalid
from runner.mirror.pipeline import Request
from runner.mirror.pipeline import mirror as copy_release
from runner.mirror.place import parse_place
from runner.run.plan.model import Action
from runner.terminal.table import Column, State, Table
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.cli.inspecting import Inspection
    from runner.run.plan.model import Entry, Plan
    from runner.terminal.screen import Screen
    from runner.terminal.table import Tone

EXAMPLES = """
\b
Examples:
  ack-release mirror s3 v1.2.3 --to registry.example/ack
  ack-release mirror s3 v1.2.3 --to oci:releases     into a layout folder
  ack-release mirror s3 v1.2.3 --to registry.example/ack --stable
  ack-release mirror s3 v1.2.3 --to registry.example/ack --dry-run

\b
Exit codes:
  0  copied, or everything was there
  2  usage or configuration wrong
  5  the release is not whole, or the place holds something else
  7  a registry failed after retries; call it again
  8  credentials missing, expired or refused
  9  ended by a signal; call it again
"""
TONES: Mapping[Action, Tone] = {Action.PUBLISH: "good", Action.SKIP: "none", Action.REFUSE: "bad"}
WORDS: Mapping[Action, str] = {Action.PUBLISH: "copied", Action.SKIP: "skipped", Action.REFUSE: "refused"}
ENDED = "Call it again: what was copied is not sent again."


@click.command(epilog=EXAMPLES)
@click.argument("service", shell_complete=services)
@click.argument("version", shell_complete=releases)
@click.option("--to", "target", required=True, metavar="HOST/NAMESPACE|DIR", help="Where it is copied to.")
@click.option("--stable", is_flag=True, help="Copy the stable chart, too; it must be of this version.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied; write nothing.")
@option("config")
@inspecting
def mirror(
    inspection: Inspection,
    service: str,
    version: str,
    target: str,
    *,
    stable: bool,
    dry_run: bool,
    config: Path | None,
) -> int:
    """Copy a release, with all that is attached to it.

    Image, chart and attachments keep their digests. What is there is skipped; what differs is refused before anything
    is written. The chart's values still name the registry that it was released to: name the copied image when you
    install it.
    """
    inspection.remedy = ENDED
    released = ReleaseVersion.of_chart(version)
    if released is None:
        raise UsageInvalid(f"{version!r} is not the version of a release, vMAJOR.MINOR.PATCH")
    jobs = load_config(Path(config_file(Options(config=config)).value))
    request = Request(service_named(jobs, service), released, jobs.registry, parse_place(target), stable)
    screen = inspection.screen

    def report(event: str, **values: object) -> None:
        inspection.log.info(event, **values)
        if event == "content sent":
            screen.note(f"sent {values['repository']}@{values['digest']} in {values['seconds']} s")

    plan = copy_release(request, inspection.session, report, only_plan=dry_run)
    if screen.as_json:
        screen.json(document(request, plan, dry_run=dry_run))
    else:
        show(screen, plan, dry_run=dry_run)
    if plan.error is not None:
        raise plan.error
    return 0


def show(screen: Screen, plan: Plan, *, dry_run: bool) -> None:
    """Print the plan as a table, and what came of it in words."""
    columns = (Column("KIND"), Column("NAME", "wrap"), Column("RESULT"), Column("WHY", "wrap"))
    rows = tuple(
        (entry.kind, str(entry.target), State(_word(entry, dry_run=dry_run), TONES[entry.action]), entry.reason)
        for entry in plan.entries
    )
    screen.table(Table(columns, rows))
    if plan.error is None:
        screen.line(verdict(plan, dry_run=dry_run), "good")


def verdict(plan: Plan, *, dry_run: bool) -> str:
    """Say in words what was done, or would be. Pure."""
    written = sum(entry.action is Action.PUBLISH for entry in plan.entries)
    there = len(plan.entries) - written
    if not written:
        return f"nothing to copy: all {there} are there"
    done = "would be copied" if dry_run else "copied"
    return f"{written} {done}, {there} there already"


def document(request: Request, plan: Plan, *, dry_run: bool) -> dict[str, object]:
    """What a program reads. Pure."""
    return {
        "service": request.service.name,
        "version": str(request.version),
        "from": str(request.source),
        "to": str(request.target),
        "dry_run": dry_run,
        "entries": [
            {
                "kind": str(entry.kind),
                "target": str(entry.target),
                "action": str(entry.action),
                "reason": entry.reason,
                "digest": entry.digest,
            }
            for entry in plan.entries
        ],
        "error": None if plan.error is None else {"code": plan.error.code, "cause": plan.error.cause},
    }


def _word(entry: Entry, *, dry_run: bool) -> str:
    return "copy" if dry_run and entry.action is Action.PUBLISH else WORDS[entry.action]
