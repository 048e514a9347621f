"""``audit``: all services at once, git's tags against the registry."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.completion import services as complete_services
from runner.cli.inspecting import Inspection, inspecting
from runner.cli.options import option
from runner.cli.reading import EXIT_CODES, address_of, jobs_of, pace_for
from runner.config.load import service_named
from runner.errors import UsageInvalid
from runner.published.audit.fleet import audit_document, audit_services
from runner.report.files import write_whole
from runner.report.words import in_words
from runner.runtime.storage import storage_error
from runner.runtime.workspace import child_environment
from runner.session import open_registry
from runner.source.remote import list_remote, read_base
from runner.terminal.table import Column, State, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.config.load import Config
    from runner.oci.messages import Exchange
    from runner.report.findings import AuditDocument, FindingDocument
    from runner.source.remote import RemoteRefs

EXAMPLES = """
\b
Examples:
  ack-release audit                          all services, against their tags on GitHub
  ack-release audit --service s3 --deep      one service, and everything that is published of it
  ack-release audit --html audit.html        the same as a page
  ack-release audit --json | jq .findings    the same for programs
"""

ASKED = {"/tags/": "tags", "/manifests/": "manifests", "/blobs/": "blobs", "/token": "tokens"}
"""What a request to a registry asks for, by what its path has."""


@click.command(epilog=EXAMPLES + EXIT_CODES)
@option("config")
@click.option("--registry", metavar="HOST/NAMESPACE", help="Look here. [default: jobs.yaml's]")
@click.option(
    "--service",
    "services",
    metavar="NAME",
    multiple=True,
    help="Only this service; repeatable.",
    shell_complete=complete_services,
)
@click.option(
    "--git-base",
    metavar="URL",
    help="What the repositories are below. [default: prow.audit.git_base of jobs.yaml, else GitHub and prow.org]",
)
@click.option("--deep", is_flag=True, help="Read everything that is published, older versions too.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page for people to this file.")
@inspecting
def audit(
    inspection: Inspection,
    *,
    config: Path | None,
    registry: str | None,
    services: tuple[str, ...],
    git_base: str | None,
    deep: bool,
    html: Path | None,
) -> None:
    """Compare the tags in git with what the registry has, for all services.

    Nothing is written to git or the registry, and no credentials are needed where both can be read without. In a Prow
    job, audit.html and audit.json go to its artifacts.
    """
    jobs = jobs_of(config)
    address = address_of(registry, jobs)
    base = _base(git_base, jobs)
    chosen = [service_named(jobs, name) for name in services] or list(jobs.services.values())
    session = inspection.session
    requests: Counter[str] = Counter()
    environment = child_environment(inspection.environment, session.folder)

    def list_refs(repository: str) -> RemoteRefs:
        return list_remote(f"{base}/{repository}", inspection.run, environment, session.folder)

    began, clock = datetime.now(UTC), time.monotonic()
    found = audit_services(
        chosen,
        address,
        list_refs=list_refs,
        registry=open_registry(session, observe=_counting(requests)),
        pace=pace_for(inspection, address, jobs),
        deep=deep,
    )
    document = audit_document(
        found, address=address, base=base, began=began, seconds=time.monotonic() - clock, requests=requests
    )
    _write(document, html, inspection)
    _show(document, inspection)
    if found.error is not None:
        raise found.error


def _base(given: str | None, jobs: Config) -> str:
    if given is None and jobs.prow is None:
        raise UsageInvalid(f"{jobs.path} does not say whose repositories they are", remedy="Pass --git-base URL.")
    configured = jobs.prow.audit.git_base if jobs.prow and jobs.prow.audit else None
    try:
        return read_base(given or configured or f"https://github.com/{jobs.prow.org if jobs.prow else ''}")
    except ValueError as error:
        raise UsageInvalid(f"--git-base: {error}") from error


def _counting(requests: Counter[str]) -> Callable[[Exchange], None]:
    def count(exchange: Exchange) -> None:
        requests[next((what for part, what in ASKED.items() if part in exchange.path), "other")] += 1

    return count


def _write(document: AuditDocument, html: Path | None, inspection: Inspection) -> None:
    """Write the page where it was asked for and, in a Prow job, page and document where its artifacts go."""
    artifacts = inspection.environment.get("ARTIFACTS")
    wanted = [html] if html is not None else []
    wanted += [Path(artifacts, name) for name in ("audit.html", "audit.json")] if artifacts else []
    for file in wanted:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, _json(document) if file.suffix == ".json" else _page(document))
        except OSError as error:
            raise storage_error(error, file.parent) or UsageInvalid(
                f"{file} cannot be written: {error.strerror}"
            ) from error


def _page(document: AuditDocument) -> str:
    from runner.report.fleet import render_fleet  # noqa: PLC0415 - only where a page is wanted

    return render_fleet(document)


def _json(document: AuditDocument) -> str:
    return json.dumps(document.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False) + "\n"


def _show(document: AuditDocument, inspection: Inspection) -> None:
    screen = inspection.screen
    if screen.as_json:
        screen.json(document.model_dump(mode="json", by_alias=True))
        return
    if document.findings:
        screen.table(findings_table(document.findings))
    for one in document.unread:
        screen.line(f"{one.service}: {one.cause}", "warning")
    for note in document.notes:
        screen.line(note, "warning")
    screen.line(document.verdict, "bad" if document.findings else "warning" if document.unread else "good")
    asked = ", ".join(f"{count} for {what}" for what, count in sorted(document.requests.items()))
    screen.note(
        f"{document.tags} tags listed and {document.read} names read in {in_words(document.seconds)}; requests: {asked}"
    )


def findings_table(findings: tuple[FindingDocument, ...]) -> Table:
    """Findings, a row for each."""
    return Table(
        (Column("service"), Column("version"), Column("finding"), Column("found", "wrap"), Column("to do", "wrap")),
        tuple(
            (
                one.service,
                one.version or "",
                State(one.kind, "bad"),
                one.found or ", ".join(one.names),
                f"{one.who}: {one.remedy}",
            )
            for one in findings
        ),
    )
