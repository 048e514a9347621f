"""``prepare`` and ``tag``: what the author of a release does, on their own machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from runner.author.clone import Where
from runner.author.in_registry import return_in_registry
from runner.author.outcome import Output
from runner.author.planned import Planning
from runner.author.prepare import Preparation, prepare_release
from runner.author.rollback import Rollback, roll_back
from runner.author.services import read_config
from runner.author.stable import StableMove, move_stable
from runner.author.tag import Tagging, tag_release
from runner.cli.completion import releases
from runner.cli.completion import services as complete_services
from runner.cli.inspecting import for_programs, inspecting
from runner.cli.options import option
from runner.cli.reading import address_of, pace_for
from runner.errors import ExitCode, UsageInvalid, worst
from runner.report.console import error_lines
from runner.versions import plain_version, release_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runner.author.outcome import Did, Outcome
    from runner.cli.inspecting import Inspection

AGAIN = "Run the same command again: it goes on from what is done."
LEFT = " Look for {ref}: if it is in this clone and was not pushed, that command compares and pushes it."
"""What to do when a signal ends a command: git, which would take back what is not pushed, cannot be started then."""

BEGINNINGS: Mapping[Did, str] = {
    "done": "Done",
    "nothing": "Nothing to do",
    "declined": "Nothing done",
    "dry-run": "Dry run",
}
"""What the line that ends a command begins with."""

GIT = """
git works here as you configured it: your name, signing key, credentials and hooks count. It never asks at the
terminal, and never pushes by force.
"""

PREPARE_EXAMPLES = """
\b
Examples:
  ack-release prepare s3 sns v1.3.0                artifacts, branch, commit, push, pull request
  ack-release prepare s3 v1.3.0 --dry-run -v       the same shown whole; nothing is changed
  ack-release prepare --stable s3 v1.3.0           point the branch stable at the release

\b
Exit codes: as those of run, for the same reasons; and
  2  the clone is not clean, or git, a hook or the remote refuses
  4  the version is not the next one, or other files changed
  5  the branch is there with other content, or the version is tagged
  6  the program that writes the artifacts failed
  7  the remote or the registry failed
"""

TAG_EXAMPLES = """
\b
Examples:
  ack-release tag v1.3.0                           check, ask, tag the merged commit, push the tag
  ack-release tag v1.3.0 --dry-run                 check only
  ack-release tag --from-chart --yes               for automation: what the charts say, if it is not tagged

\b
Exit codes: as those of run, for the same reasons; and
  0  tagged, or there was nothing to tag
  3  the commit is not merged
  4  the version is not the next one
  5  the version is tagged at another commit
  7  the remote or the registry failed
"""


def common(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of both commands."""
    options = (
        option("config"),
        option("registry"),
        click.option("--remote", metavar="NAME", help="The canonical repository. [default: upstream, else origin]"),
        click.option("--base", metavar="BRANCH", help="Releases are made from it. [default: the remote's own]"),
        click.option("--repo", metavar="OWNER/NAME", help="Which one it is. [default: from its address]"),
        click.option("--offline", is_flag=True, help="Leave the registry alone: nothing counts as published."),
        click.option("--dry-run", is_flag=True, help="Do all but commit, tag and push; nothing is changed."),
    )
    for add in reversed(options):
        command = add(command)
    return command


@click.command(epilog=GIT + PREPARE_EXAMPLES)
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...", shell_complete=complete_services)
@click.argument("version")
@click.option("--stable", is_flag=True, help="Point the branch stable at this release instead.")
@click.option("--push-remote", metavar="NAME", help="Where the branch goes. [default: as git push, else origin]")
@click.option("--no-push", is_flag=True, help="Commit on the branch, but do not push it.")
@click.option("--no-pull-request", is_flag=True, help="Open none, even where gh could.")
@common
@inspecting
def prepare(inspection: Inspection, **given: Any) -> int:  # noqa: ANN401 - click's values
    """Prepare a release: its artifacts, checked, on a branch for review.

    The artifacts of each SERVICE are written for VERSION in a copy of the clone, and checked as the job of the tag
    would check them. Only then are they committed to the branch release-VERSION, which is pushed and checked out.
    """
    names, version, planning = given["services"], given["version"], _planning(given)
    if given["stable"]:
        for name in ("push_remote", "no_push", "no_pull_request"):
            if given[name]:
                raise UsageInvalid(f"--stable and --{name.replace('_', '-')} exclude each other")
        move = StableMove(names, version, _where(given), planning, given["dry_run"], _arguments())
        return _finish(inspection, lambda output: move_stable(move, inspection.session, output), AGAIN)
    wanted = Preparation(
        services=names,
        version=version,
        where=_where(given),
        planning=planning,
        push_remote=given["push_remote"],
        dry_run=given["dry_run"],
        push=not given["no_push"],
        propose=not given["no_pull_request"],
        whole_diff=inspection.is_verbose,
        arguments=_arguments(),
    )
    remedy = AGAIN + LEFT.format(ref=f"the branch release-{release_tag(plain_version(version))}")
    return _finish(inspection, lambda output: prepare_release(wanted, inspection.session, output), remedy)


@click.command(epilog=GIT + TAG_EXAMPLES)
@click.argument("version", required=False)
@click.option("--from-chart", is_flag=True, help="Tag the version that the charts have, if it has no tag.")
@click.option("--commit", metavar="COMMIT", default="HEAD", help="What is tagged. [default: HEAD]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@common
@inspecting
def tag(inspection: Inspection, **given: Any) -> int:  # noqa: ANN401 - click's values
    """Tag a merged release, which starts its job.

    The tag is annotated and pushed by itself. What its job would refuse is refused before.
    """
    if (given["version"] is None) != given["from_chart"]:
        raise UsageInvalid(
            "give either a VERSION or --from-chart",
            remedy="ack-release tag v1.3.0, or for automation ack-release tag --from-chart --yes.",
        )
    asks = not (given["yes"] or given["dry_run"])
    if asks and not sys.stdin.isatty():
        raise UsageInvalid(
            "this is no terminal, so nobody can be asked whether to tag",
            remedy="Pass --yes, or --dry-run to only check.",
        )
    wanted = Tagging(
        version=given["version"],
        commit=given["commit"],
        where=_where(given),
        planning=_planning(given),
        dry_run=given["dry_run"],
        confirm=inspection.screen.ask if asks else None,
        arguments=_arguments(),
    )
    remedy = AGAIN + LEFT.format(ref="the release's tag")
    return _finish(inspection, lambda output: tag_release(wanted, inspection.session, output), remedy)


ROLLBACK_EXAMPLES = """
\b
Examples:
  ack-release rollback s3                          back to what stable was before
  ack-release rollback s3 v1.2.3 --reason "1.3.0 loses tags"
  ack-release rollback s3 v1.2.3 --dry-run         say what would be done
  ack-release rollback s3 --registry-only          in the registry alone, for emergencies

\b
Exit codes: as those of run, for the same reasons; and
  2  it is no move backwards, or git, a hook or the remote refuses
  3  there is no branch stable, or no such tag
  7  the remote or the registry failed
"""


@click.command(epilog=GIT + ROLLBACK_EXAMPLES)
@click.argument("service", shell_complete=complete_services)
@click.argument("version", required=False, shell_complete=releases)
@click.option("--reason", metavar="TEXT", help="Why; it becomes part of the commit's message.")
@click.option("--registry-only", is_flag=True, help="Write the registry's tags and no commit; audits will tell.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@common
@inspecting
def rollback(inspection: Inspection, **given: Any) -> int:  # noqa: ANN401 - click's values
    """Move the stable chart of a service back to an earlier release.

    A commit on the branch stable takes the files of that release and says that it moves backwards; its job then moves
    the chart. So git stays what says what stable is.
    """
    if given["offline"]:
        raise UsageInvalid("--offline cannot be used here: the registry says what stable was", remedy="Leave it out.")
    if given["registry_only"] and given["reason"] is not None:
        raise UsageInvalid("--registry-only and --reason exclude each other: there is no commit to say it in")
    asks = not (given["yes"] or given["dry_run"])
    if asks and not sys.stdin.isatty():
        raise UsageInvalid(
            "this is no terminal, so nobody can be asked whether to move stable back",
            remedy="Pass --yes, or --dry-run to only check.",
        )
    jobs = read_config(given["config"] and given["config"].absolute())
    address = address_of(given["registry"], jobs)
    wanted = Rollback(
        service=given["service"],
        version=given["version"],
        address=address,
        reason=given["reason"],
        where=_where(given),
        planning=_planning(given),
        dry_run=given["dry_run"],
        confirm=inspection.screen.ask if asks else None,
        arguments=_arguments(),
    )
    pace = pace_for(inspection, address, jobs)
    back = return_in_registry if given["registry_only"] else roll_back
    return _finish(inspection, lambda output: back(wanted, inspection.session, output, pace), AGAIN)


def _planning(given: dict[str, Any]) -> Planning:
    config: Path | None = given["config"]
    return Planning(config and config.absolute(), given["registry"], given["offline"])


def _where(given: dict[str, Any]) -> Where:
    return Where(given["remote"], given["base"], given["repo"])


def _arguments() -> tuple[str, ...]:
    """The command line without what makes it a dry run."""
    return tuple(argument for argument in sys.argv[1:] if argument != "--dry-run")


def _finish(inspection: Inspection, work: Callable[[Output], Outcome | None], remedy: str) -> int:
    """Do the work, say what came of it, and return the exit code; ``remedy`` is for when a signal ends it."""
    screen = inspection.screen
    inspection.remedy = remedy
    show = _ignore if screen.as_json else screen.log_line
    outcome = work(Output(show, screen.note, lambda text: screen.note(text, "warning")))
    document = inspection.session.record.document
    if outcome is None:
        for error in document.errors:
            for line in error_lines(error):
                screen.complain(line)
        code = worst(error.exit for error in document.errors)
        screen.error_json(for_programs(next(error for error in document.errors if error.exit == code)))
        return code
    if screen.as_json:
        screen.json(outcome.document())
        return ExitCode.DONE
    screen.line(f"{BEGINNINGS[outcome.did]}: {outcome.words}.", "good" if outcome.did == "done" else "none")
    for line in outcome.next.lines() if outcome.next else ():
        screen.log_line(line)
    return ExitCode.DONE


def _ignore(_: str) -> None:
    """Show nothing."""
