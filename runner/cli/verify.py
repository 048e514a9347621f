"""``verify``: one release, held to what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.completion import releases, services
from runner.cli.inspecting import Inspection, inspecting
from runner.cli.options import FOLDER, option
from runner.cli.reading import EXIT_CODES, address_of, jobs_of, short_ids
from runner.config.load import service_named
from runner.errors import UsageInvalid
from runner.published.verify.checks import check_release
from runner.published.verify.read import read_release
from runner.published.verify.recorded import read_digests
from runner.published.verify.release import Question
from runner.published.verify.report import error_of, verify_document
from runner.run.tools import reads_anonymously
from runner.runtime.workspace import child_environment
from runner.session import open_registry
from runner.source.git import OBJECT_ID, Git
from runner.terminal.table import Column, State, Table, Tone
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config.load import Config
    from runner.report.findings import VerifyDocument

EXAMPLES = """
\b
Examples:
  ack-release verify s3 1.2.3                            as anybody can see it
  ack-release verify s3 v1.2.3 --clone .                 and against the tag's commit
  ack-release verify s3 1.2.3 --record record.json       and against what its run wrote down
  ack-release verify s3 1.2.3 --json | jq .checks        the same for programs
"""

TONES: Mapping[str, Tone] = {"passed": "good", "failed": "bad", "warning": "warning", "note": "none"}


@click.command(epilog=EXAMPLES + EXIT_CODES)
@click.argument("service", shell_complete=services)
@click.argument("version", shell_complete=releases)
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
    jobs = jobs_of(config)
    address = address_of(registry, jobs)
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
            (one.check, State(one.result, TONES[one.result]), short_ids(one.found), short_ids(one.expected))
            for one in document.checks
        ),
    )


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
