"""Tags a merged release: an annotated tag, pushed by itself, which starts the job that releases it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.author.clone import Where, list_remote, open_author_clone
from runner.author.decide import LocalTag, TagTask, after_dry_run, check_merged, judge_tag
from runner.author.numbering import check_next, read_version
from runner.author.outcome import NextStep, Outcome
from runner.author.planned import Planning, charts_to_tag, plan_push, released_services
from runner.author.trial import open_trial
from runner.errors import ChartDisagrees, CommitRefused, TagChanged, UsageInvalid
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.author.clone import AuthorClone
    from runner.author.outcome import Did, Output
    from runner.author.trial import Trial
    from runner.session import Session


@dataclass(frozen=True)
class Tagging:
    """What an author asks for.

    Attributes:
        version: what is tagged, as written; None: what the charts have.
        commit: what is tagged, as git names it.
        where: in which repository.
        planning: how it is checked.
        dry_run: whether nothing is changed.
        confirm: asks the author whether to go on; None where nobody is asked.
        arguments: the command line that does the same without a dry run.
    """

    version: str | None
    commit: str = "HEAD"
    where: Where = field(default_factory=Where)
    planning: Planning = field(default_factory=Planning)
    dry_run: bool = False
    confirm: Callable[[str], bool] | None = None
    arguments: Sequence[str] = ()


def tag_release(wanted: Tagging, session: Session, output: Output) -> Outcome | None:
    """Do step 6 of the release process.

    Returns:
        What was done; None where the plan has something against it, which is recorded.

    Raises:
        ReleaseError: it cannot be done; clone and remote are as they were, unless the error says what is left.
    """
    named = None if wanted.version is None else read_version(wanted.version)
    clone = open_author_clone(session, wanted.where, output)
    commit = clone.local(wanted.commit)
    if commit is None:
        raise UsageInvalid(f"this clone has no commit {wanted.commit}", remedy="Fetch it, or name another --commit.")
    trial = open_trial(clone)
    merged = trial.contains(clone.base_commit, commit)
    check_merged(clone.remote, clone.base, commit, merged=merged)
    trial.check_out(commit)
    version = named or _version_of_charts(trial, wanted.planning)
    if session.record.document.errors:
        return None
    if version is None:
        reasons = "; ".join(f"{row.name}: {row.reason}" for row in session.record.document.services)
        return Outcome("nothing", f"no chart has a version to tag ({reasons})")
    return _tag(version, commit, trial, wanted)


def _version_of_charts(trial: Trial, planning: Planning) -> ReleaseVersion | None:
    """The one version that charts have and no tag; None when there is none.

    Raises:
        ChartDisagrees: they have several, and a tag is of the whole repository.
    """
    selected = charts_to_tag(trial, planning)
    versions = {one.version for one in selected}
    if len(versions) > 1:
        raise ChartDisagrees(
            f"charts have several versions without a tag: {', '.join(sorted(versions))}",
            remedy="Say which one to tag: ack-release tag VERSION.",
            detail=tuple(f"{one.service.name}: {one.version}" for one in selected),
        )
    return ReleaseVersion.parse(versions.pop()) if versions else None


def _tag(version: ReleaseVersion, commit: str, trial: Trial, wanted: Tagging) -> Outcome | None:
    """Do what is left to be done for the tag of the commit that is checked out."""
    clone, ref = trial.clone, f"refs/tags/{version.tag}"

    def outcome(did: Did, words: str, next_step: NextStep | None = None) -> Outcome:
        return Outcome(did, words, str(version), released_services(clone.session), ref, commit, next=next_step)

    task = judge_tag(version, commit, clone.refs.tags.get(version.tag), _local_tag(clone, version))
    if task is TagTask.NOTHING:
        return outcome("nothing", f"{version.tag} is in {clone.remote} already, at {commit}")
    check_next(version, clone.refs.released)
    trial.set_refs({ref: commit})
    clone.output.tell(f"planning {version.tag} as its job would")
    if not plan_push(trial, version.tag, wanted.planning):
        return None
    names = ", ".join(released_services(clone.session))
    words = f"tag {commit} as {version.tag} in {clone.remote}, which releases {names}"
    if wanted.dry_run:
        return outcome("dry-run", f"would {words}", after_dry_run(wanted.arguments))
    if wanted.confirm is not None and not wanted.confirm(f"{words[0].upper()}{words[1:]}?"):
        return outcome("declined", f"{version.tag} is not tagged")
    clone.output.tell(f"pushing {version.tag} to {clone.remote}")
    _carry_out(task, clone, version, commit)
    following = NextStep("see on Prow's page how the job that this tag starts builds and publishes the release")
    return outcome("done", f"tagged {commit} as {version.tag}", following)


def _local_tag(clone: AuthorClone, version: ReleaseVersion) -> LocalTag | None:
    ref = f"refs/tags/{version.tag}"
    commit = clone.local(ref)
    if commit is None:
        return None
    return LocalTag(commit, annotated=clone.git.line("cat-file", "-t", ref) == "tag")


def _carry_out(task: TagTask, clone: AuthorClone, version: ReleaseVersion, commit: str) -> None:
    """Make the tag where it is not there, and push it alone; one that was made here goes again if it cannot be."""
    git, ref = clone.git, f"refs/tags/{version.tag}"
    made = None
    if task is TagTask.CREATE:
        done = git("tag", "--annotate", "--message", version.tag, version.tag, commit, may_fail=True)
        if not done.ok:
            said = done.tail()
            raise CommitRefused(f"git did not tag: {said[-1] if said else 'it does not say why'}", detail=said)
        made = git.line("rev-parse", "--verify", "--quiet", ref)
    try:
        git.push(clone.remote, ref, ref, before=None)
    except BaseException as error:
        if made is not None:
            git("update-ref", "-d", ref, made, may_fail=True)
        if isinstance(error, TagChanged):
            # Somebody was faster: at this commit it is tagged all the same, at another it is taken.
            there = list_remote(git, clone.remote).tags.get(version.tag)
            if judge_tag(version, commit, there, None) is TagTask.NOTHING:
                return
        raise
