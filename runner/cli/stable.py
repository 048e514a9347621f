"""``stable history``: what the stable names of a service hold and have held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner import __version__
from runner.cli.completion import services
from runner.cli.inspecting import Inspection, inspecting
from runner.cli.options import option
from runner.cli.reading import address_of, jobs_of, pace_for, short_ids
from runner.config.load import service_named
from runner.published.moves import read_histories
from runner.report.findings import HistoryDocument, MoveDocument, StableNameDocument
from runner.session import open_registry
from runner.terminal.table import Column, State, Table

if TYPE_CHECKING:
    from pathlib import Path

    from runner.published.moves import History

MOST = 20
"""How many moves of a name are read where nothing else is said."""

EXAMPLES = """
\b
Examples:
  ack-release stable history s3             what stable was, newest first
  ack-release stable history s3 --limit 3   the newest three moves of each name
"""


@click.group(epilog=EXAMPLES)
def stable() -> None:
    """What the stable charts of a service are and were."""


@stable.command(epilog=EXAMPLES)
@click.argument("service", shell_complete=services)
@option("config")
@click.option("--registry", metavar="HOST/NAMESPACE", help="Look here. [default: jobs.yaml's]")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=MOST, help=f"How many moves of each name. [default: {MOST}]"
)
@inspecting
def history(inspection: Inspection, *, service: str, config: Path | None, registry: str | None, limit: int) -> None:
    """List the moves of stable: when, to which commit and version, and which one it holds now."""
    jobs = jobs_of(config)
    address = address_of(registry, jobs)
    found = read_histories(
        service_named(jobs, service),
        address,
        open_registry(inspection.session),
        pace=pace_for(inspection, address, jobs),
        most=limit,
    )
    if inspection.screen.as_json:
        document = HistoryDocument(
            runner=__version__, service=service, registry=str(address), stable=tuple(map(_document, found))
        )
        inspection.screen.json(document.model_dump(mode="json", by_alias=True))
        return
    for one in found:
        inspection.screen.line(str(one.name))
        inspection.screen.table(moves_table(one))
        if one.is_outside:
            inspection.screen.line(f"it holds {short_ids(str(one.digest))}, which no move of stable wrote", "warning")
        if one.earlier:
            inspection.screen.note(f"{one.earlier} earlier moves; --limit shows more")
    if not found:
        inspection.screen.line(f"{service} has no stable chart at {address}")


def moves_table(found: History) -> Table:
    """The moves of a name, a row for each."""
    return Table(
        (Column("moved"), Column("version"), Column("commit"), Column("digest", "cut"), Column("")),
        tuple(
            (
                f"{move.moved:%Y-%m-%d %H:%M:%S}Z",
                move.version,
                short_ids(move.commit),
                short_ids(move.digest or "gone"),
                State("current", "good") if move.is_current else "",
            )
            for move in found.moves
        ),
    )


def _document(found: History) -> StableNameDocument:
    return StableNameDocument(
        name=str(found.name),
        digest=found.digest,
        outside=found.is_outside,
        earlier=found.earlier,
        moves=tuple(
            MoveDocument(
                tag=move.tag,
                time=f"{move.moved:%Y-%m-%dT%H:%M:%SZ}",
                commit=move.commit,
                version=move.version or None,
                digest=move.digest,
                current=move.is_current,
            )
            for move in found.moves
        ),
    )
