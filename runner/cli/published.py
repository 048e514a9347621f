"""``verify``, ``audit`` and ``stable history``: what is published, against what it should be."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.aws.kind import registry_kind
from runner.cli.inspecting import Inspection, inspecting
from runner.cli.options import FOLDER, option
from runner.config.load import load_config, service_named
from runner.config.naming import RegistryAddress
from runner.config.settings import Options, config_file, find
from runner.errors import UsageInvalid
from runner.published.audit.fleet import audit_document, audit_services
from runner.published.pace import pace_of
from runner.published.verify.checks import check_release
from runner.published.verify.read import read_release
from runner.published.verify.recorded import read_digests
from runner.published.verify.release import Question
from runner.published.verify.report import error_of, verify_document
from runner.report.files import write_whole
from runner.report.words import in_words
from runner.run.tools import reads_anonymously
from runner.runtime.storage import storage_error
from runner.runtime.workspace import child_environment
from runner.session import has_login, open_registry
from runner.source.git import OBJECT_ID, Git
from runner.source.remote import list_remote, read_base
from runner.terminal.table import Column, State, Table, Tone
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config.load import Config
    from runner.oci.messages import Exchange
    from runner.report.findings import AuditDocument, FindingDocument, VerifyDocument
    from runner.source.remote import RemoteRefs

EXIT_CODES = """
\b
Exit codes:
  0  all is in order
  2  usage or configuration wrong
  5  something is not as it should be
  7  registry or git failed after retries: nothing is known of what it has
  8  credentials missing, expired or refused
"""

AUDIT_EXAMPLES = """
\b
Examples:
  ack-release audit                          all services, against their tags on GitHub
  ack-release audit --service s3 --deep      one service, and everything that is published of it
  ack-release audit --html audit.html        the same as a page
  ack-release audit --json | jq .findings    the same for programs
"""

VERIFY_EXAMPLES = """
\b
Examples:
  ack-release verify s3 1.2.3                            as anybody can see it
  ack-release verify s3 v1.2.3 --clone .                 and against the tag's commit
  ack-release verify s3 1.2.3 --record record.json       and against what its run wrote down
  ack-release verify s3 1.2.3 --json | jq .checks        the same for programs
"""

ASKED = {"/tags/": "tags", "/manifests/": "manifests", "/blobs/": "blobs", "/token": "tokens"}
"""What a request to a registry asks for, by what its path has."""

TONES: Mapping[str, Tone] = {"passed": "good", "failed": "bad", "warning": "warning", "note": "none"}
LONG_ID = re.compile(r"\b(?:sha256:)?([0-9a-f]{40,64})\b")
ID_LENGTH = 12


@click.command(epilog=AUDIT_EXAMPLES + EXIT_CODES)
@option("config")
@click.option("--registry", metavar="HOST/NAMESPACE", help="Look here. [default: jobs.yaml's]")
@click.option("--service", "services", metavar="NAME", multiple=True, help="Only this service; repeatable.")
@click.option(
    "--git-base",
    metavar="URL",
    help="What the repositories are below. [default: https://github.com/ and prow.org of jobs.yaml]",
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
    jobs = _config(config)
    address = _address(registry, jobs)
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
        pace=_pace(inspection, address, jobs),
        deep=deep,
    )
    document = audit_document(
        found, address=address, base=base, began=began, seconds=time.monotonic() - clock, requests=requests
    )
    _write(document, html, inspection)
    _show(document, inspection)
    if found.error is not None:
        raise found.error


@click.command(epilog=VERIFY_EXAMPLES + EXIT_CODES)
@click.argument("service")
@click.argument("version")
@option("config")
@click.option("--registry", metavar="HOST/NAMESPACE", help="Look here. [default: jobs.yaml's]")
@click.option("--commit", metavar="SHA", help="The commit that the release must be of.")
@click.option("--clone", type=FOLDER, help="A clone whose tag says the commit.")
@click.option("--record", metavar="FILE|s3://BUCKET/KEY", help="The record.json of a run: compare digests with it.")
@click.option(
    "--anonymous/--no-anonymous",
    default=None,
    help="Read all names without credentials, too. [default: as verify.anonymous of jobs.yaml]",
)
@inspecting
def verify(
    inspection: Inspection,
    *,
    service: str,
    version: str,
    config: Path | None,
    registry: str | None,
    commit: str | None,
    clone: Path | None,
    record: str | None,
    anonymous: bool | None,
) -> None:
    """Check one release: image, platforms, programs, chart, commits, digests.

    Everything is read from the registry; nothing is written, and neither a clone nor credentials are needed where
    anybody can read it.
    """
    jobs = _config(config)
    address = _address(registry, jobs)
    release = ReleaseVersion.of_chart(version)
    if release is None:
        raise UsageInvalid(f"{version!r} is not a version MAJOR.MINOR.PATCH")
    one = service_named(jobs, service)
    session = inspection.session
    question = Question(
        service=one,
        version=release,
        address=address,
        chart_names=jobs.chart_names,
        platforms=jobs.platforms,
        source=f"/{jobs.prow.org}/{one.repo}" if jobs.prow else f"/{one.repo}",
        commit=_commit(commit, clone, release, inspection),
    )
    recorded = None if record is None else _recorded(record, jobs, inspection)
    client = open_registry(session)
    wanted = reads_anonymously(address.host, jobs) if anonymous is None else anonymous
    found = read_release(
        question, client, recorded=recorded, anonymous=client.without_credentials() if wanted else None
    )
    document = verify_document(found, check_release(found))
    if inspection.screen.as_json:
        inspection.screen.json(document.model_dump(mode="json", by_alias=True))
    else:
        inspection.screen.table(checks_table(document))
        inspection.screen.line(document.verdict, "bad" if document.exit else "good")
    error = error_of(document)
    if error is not None:
        raise error


def checks_table(document: VerifyDocument) -> Table:
    """Checks, a row for each; digests and commits are shown by their first characters, as git shows them."""
    return Table(
        (Column("check"), Column("result"), Column("found", "wrap"), Column("expected", "wrap")),
        tuple(
            (one.check, State(one.result, TONES[one.result]), _short(one.found), _short(one.expected))
            for one in document.checks
        ),
    )


def _short(text: str) -> str:
    return LONG_ID.sub(lambda found: found[0][: found[0].index(found[1]) + ID_LENGTH], text)


def _commit(given: str | None, clone: Path | None, version: ReleaseVersion, inspection: Inspection) -> str | None:
    """The commit of the release's tag: as it is given, or as a clone says; None where neither is there."""
    if given is not None and not OBJECT_ID.fullmatch(given):
        raise UsageInvalid(f"--commit: {given!r} is not the full id of a commit")
    if clone is None or given is not None:
        return given
    folder = clone.resolve()
    environment = child_environment(inspection.environment, inspection.session.folder, [folder])
    [found] = Git(folder, inspection.run, environment).look_up(f"refs/tags/{version.tag}^{{commit}}")
    if found.id is None:
        raise UsageInvalid(f"--clone: {clone} has no tag {version.tag}", remedy="Fetch its tags: git fetch --tags.")
    return found.id


def _recorded(place: str, jobs: Config, inspection: Inspection) -> Mapping[str, str]:
    """The digests that a record has; it may be a file or an object of S3."""
    try:
        return read_digests(_read_record(place, jobs, inspection))
    except ValueError as error:
        raise UsageInvalid(f"--record: {place}: {error}") from error
    except OSError as error:
        raise UsageInvalid(f"--record: {place} cannot be read: {error.strerror}") from error


def _read_record(place: str, jobs: Config, inspection: Inspection) -> bytes:
    if not place.startswith("s3://"):
        return Path(place).read_bytes()
    from runner.aws.boto import Clients  # noqa: PLC0415 - boto3 is loaded only where it is needed
    from runner.aws.calls import Caller  # noqa: PLC0415 - as above
    from runner.aws.identity import region_of  # noqa: PLC0415 - as above
    from runner.aws.objects import ObjectAddress, read_object  # noqa: PLC0415 - as above

    clients = Clients(region_of(jobs.aws, inspection.environment), inspection.environment)
    return read_object(ObjectAddress.parse(place), Caller(inspection.lifetime), clients)


def _config(config: Path | None) -> Config:
    return load_config(Path(config_file(Options(config=config)).value))


def _address(registry: str | None, jobs: Config) -> RegistryAddress:
    return RegistryAddress.parse(find("registry", Options(registry=registry), {}, jobs).value)


def _base(given: str | None, jobs: Config) -> str:
    if given is None and jobs.prow is None:
        raise UsageInvalid(f"{jobs.path} does not say whose repositories they are", remedy="Pass --git-base URL.")
    try:
        return read_base(given or f"https://github.com/{jobs.prow.org if jobs.prow else ''}")
    except ValueError as error:
        raise UsageInvalid(f"--git-base: {error}") from error


def _pace(inspection: Inspection, address: RegistryAddress, jobs: Config) -> Callable[[], object]:
    kind = registry_kind(address.host, jobs)
    return pace_of(kind, has_login=has_login(inspection.session, address.host), lifetime=inspection.lifetime)


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
