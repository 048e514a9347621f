"""What is left to do for a branch, a tag or stable, given what is there; and what its author does next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from runner.author.outcome import NextStep
from runner.errors import BranchTaken, NotARelease, StableBackwards, StableDiverged, VersionTaken

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runner.versions import ReleaseVersion


def release_branch(version: ReleaseVersion) -> str:
    """The name of the branch on which a release is prepared."""
    return f"release-{version.tag}"


def commit_message(version: ReleaseVersion) -> str:
    """The message of the commit that holds a release's artifacts."""
    return f"release artifacts for release {version.tag}"


class BranchTask(Enum):
    """What is left to do for the branch of a release."""

    COMMIT = "commit the artifacts, then push the branch"
    PUSH = "push the branch that is there"
    NOTHING = "nothing: the branch is pushed, with these artifacts"


@dataclass(frozen=True)
class Branch:
    """The branch of a release where it is already: its commit, and which of the paths that matter differ there."""

    commit: str
    differing: Collection[str]


def judge_branch(name: str, remote: str, there: Branch | None, local: Branch | None) -> BranchTask:
    """Decide what is left to do for the branch of a release.

    Args:
        name: its short name.
        remote: where it is pushed to.
        there: the branch at the remote; None when it is not there.
        local: the branch in the author's clone; None when it is not there.

    Raises:
        BranchTaken: it holds something else, at the remote or in the clone.
    """
    if there is not None:
        _check_same(f"{name} is already on {remote}", there, f"git push --delete {remote} {name}")
        return BranchTask.NOTHING
    if local is not None:
        _check_same(f"the branch {name} is already in this clone", local, f"git branch --delete --force {name}")
        return BranchTask.PUSH
    return BranchTask.COMMIT


def _check_same(what: str, branch: Branch, delete: str) -> None:
    if branch.differing:
        example = min(branch.differing)
        more = f" and {len(branch.differing) - 1} more" if len(branch.differing) > 1 else ""
        raise BranchTaken(
            f"{what}, at {branch.commit}, with other content: {example}{more}",
            remedy=f"Merge or close what is there, delete that branch ({delete}), then run the command again.",
            detail=tuple(sorted(branch.differing)),
        )


class TagTask(Enum):
    """What is left to do for the tag of a release."""

    CREATE = "make the tag, then push it"
    PUSH = "push the tag that is there"
    NOTHING = "nothing: the tag is there, at this commit"


@dataclass(frozen=True)
class LocalTag:
    """A tag in the author's clone: the commit that it peels to, and whether it is annotated."""

    commit: str
    annotated: bool


def taken(version: ReleaseVersion, there: str, commit: str) -> VersionTaken:
    """The error of a version whose tag is at another commit, in the words in which a pull request's check has it."""
    return VersionTaken(f"{version.tag} is already tagged at {there}, but HEAD is {commit}")


def judge_tag(version: ReleaseVersion, commit: str, there: str | None, local: LocalTag | None) -> TagTask:
    """Decide what is left to do for the tag of a release; a tag never moves.

    Args:
        version: the release's.
        commit: what is to be tagged.
        there: the commit that the remote's tag is at; None when it has no such tag.
        local: the tag in the author's clone; None when it is not there.

    Raises:
        VersionTaken: the tag is at another commit, at the remote or in the clone, or in the clone and not annotated.
    """
    if there is not None:
        if there != commit:
            raise taken(version, there, commit)
        return TagTask.NOTHING
    if local is None:
        return TagTask.CREATE
    delete = (
        f"If it is not meant, delete it in this clone (git tag --delete {version.tag}), then run the command again."
    )
    if local.commit != commit:
        error = taken(version, local.commit, commit)
        raise VersionTaken(f"{error.cause}, and only in this clone", remedy=delete)
    if not local.annotated:
        raise VersionTaken(f"{version.tag} is already in this clone, and not as an annotated tag", remedy=delete)
    return TagTask.PUSH


class StableTask(Enum):
    """What is left to do for the branch stable."""

    BEGIN = "make the branch stable"
    FORWARD = "move the branch stable forwards"
    NOTHING = "nothing: stable holds this release"


@dataclass(frozen=True)
class Stable:
    """The branch stable where it is there, beside a release.

    Attributes:
        commit: what it is at.
        ahead: the release contains that commit.
        behind: that commit contains the release.
        same_files: both have the same files.
    """

    commit: str
    ahead: bool
    behind: bool
    same_files: bool


def judge_stable(version: ReleaseVersion, commit: str, remote: str, stable: Stable | None) -> StableTask:
    """Decide how the branch stable comes to a release; it is only ever moved forwards, without force.

    Args:
        version: the release's.
        commit: the commit that its tag is at.
        remote: where the branch is.
        stable: the branch; None when it is not there.

    Raises:
        StableBackwards: the branch is at something newer.
        StableDiverged: the branch has commits that the release does not have.
    """
    if stable is None:
        return StableTask.BEGIN
    if stable.behind and stable.same_files:
        return StableTask.NOTHING
    if stable.ahead:
        return StableTask.FORWARD
    if stable.behind:
        raise StableBackwards(f"stable is at {stable.commit}, which contains {version.tag} already")
    raise StableDiverged(
        f"stable is at {stable.commit}, which {version.tag}, at {commit}, does not contain",
        remedy=f"Keep those commits by a merge that takes the release's files (git fetch --tags {remote} && git switch"
        f" --detach {version.tag} && git merge --strategy=ours {remote}/stable && git push {remote}"
        " HEAD:refs/heads/stable), or delete the branch if nobody needs them.",
    )


def check_merged(remote: str, branch: str, commit: str, *, merged: bool) -> None:
    """Check that what is to be tagged was merged.

    Raises:
        NotARelease: the remote's branch does not contain it.
    """
    if not merged:
        raise NotARelease(
            f"HEAD is {commit}, which the branch {branch} of {remote} does not contain",
            remedy=f"Merge the pull request, then check its merge out (git switch {branch} && git pull) and tag that.",
        )


def after_prepare(version: ReleaseVersion, base: str, *, pull_request: str | None, page: str | None) -> NextStep:
    """What follows a branch that is pushed: review and merge, then the tag.

    Args:
        version: the release's.
        base: the branch that the pull request is merged into.
        pull_request: its address; None where it is still to be opened.
        page: where that is done; None where it is not known.
    """
    if pull_request:
        review = f"have {pull_request} reviewed and merged"
    else:
        review = f"open a pull request into {base}{f' at {page}' if page else ''}, have it reviewed and merged"
    return NextStep(f"{review}, then pull {base} and tag it", ("ack-release", "tag", version.tag))


def to_push(remote: str, branch: str) -> NextStep:
    """What follows a branch that was only committed."""
    return NextStep("push the branch", ("git", "push", remote, f"refs/heads/{branch}:refs/heads/{branch}"))


def after_dry_run(arguments: Sequence[str]) -> NextStep:
    """What follows a dry run: the same without it."""
    return NextStep("nothing was changed; to do it", ("ack-release", *arguments))
