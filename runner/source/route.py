"""Which path a push takes: a tag releases, the branch stable moves the stable chart, all else is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import (
    HistoryMissing,
    NoReleaseMerged,
    NotARelease,
    StableIsATag,
    TagMoved,
    UsageInvalid,
    VersionTaken,
)
from runner.versions import NUMBER_TOO_LARGE, ReleaseVersion, highest_release, is_too_large, release_tag

if TYPE_CHECKING:
    from collections.abc import Container

    from runner.source.clone import Head
    from runner.source.event import Event

STABLE = "stable"


@dataclass(frozen=True)
class ReleasePath:
    """A tag vMAJOR.MINOR.PATCH: image and chart of that version; ``version`` is without ``v``."""

    version: str

    @property
    def tag(self) -> str:
        """The tag's name, with ``v``."""
        return release_tag(self.version)


@dataclass(frozen=True)
class StablePath:
    """The branch stable: chart only; ``version`` is the highest release merged into it, without ``v``."""

    major: int
    version: str


@dataclass(frozen=True)
class PresubmitPath:
    """HEAD as it would be released if it were tagged: each service in the version that its own chart has."""


Route = ReleasePath | StablePath | PresubmitPath
FROM_CHART = "from-chart"
CANNOT_BE_RELEASED = f"cannot be released: {NUMBER_TOO_LARGE}"


def read_as_tag(text: str) -> ReleasePath | PresubmitPath:
    """Read what HEAD is to be planned as: a version, with or without ``v``, or ``from-chart``.

    Raises:
        UsageInvalid: it is neither.
    """
    if text == FROM_CHART:
        return PresubmitPath()
    version = ReleaseVersion.of_chart(text)
    if version is None:
        neither = f"is neither a version MAJOR.MINOR.PATCH nor {FROM_CHART}"
        raise UsageInvalid(
            f"--as-tag {text} {CANNOT_BE_RELEASED if is_too_large(text) else neither}",
            remedy=f"Give the version that is to be released, such as v1.2.3, or {FROM_CHART}.",
        )
    return ReleasePath(str(version))


def presubmit_route(proposed: ReleasePath | PresubmitPath, event: Event, head: Head) -> Route:
    """Decide which path a change takes once it is merged: one of stable moves stable, as the push of its merge does.

    Raises:
        NoReleaseMerged: the change is of stable, and stable holds no release.
        HistoryMissing: the change is of stable, and the clone lacks the tags or the history to decide.
    """
    if isinstance(proposed, PresubmitPath) and event.base_ref == STABLE:
        return _stable_path(head)
    return proposed


def check_presubmit(
    route: ReleasePath | PresubmitPath, event: Event, head: Head, contained: Container[str], tag: str | None
) -> None:
    """Check that HEAD is what is said to be proposed, and that a version that is given is not taken.

    Args:
        route: what HEAD is planned as.
        event: what Prow says of the change.
        head: what is checked out.
        contained: those of the event's commits that HEAD is or contains.
        tag: the commit that the given version's tag is at; None when there is no such tag.

    Raises:
        NotARelease: HEAD does not contain the base or a pull request.
        HistoryMissing: the clone lacks the history that says what is released already.
        VersionTaken: the tag is there, and not at HEAD.
    """
    parts = [(f"the base {event.base_ref} was at", event.base_sha)] if event.base_sha else []
    parts += [(f"pull request {pull.number} is at", pull.sha) for pull in event.pulls]
    for words, commit in parts:
        if commit not in contained:
            raise NotARelease(
                f"{words} {commit}, which HEAD, at {head.commit}, does not contain",
                remedy="Check the clone that Prow makes for the pull request; by hand, unset JOB_SPEC and PULL_*_SHA.",
            )
    if isinstance(route, PresubmitPath):
        if head.shallow:
            raise HistoryMissing("the clone is shallow, so it cannot be determined which versions are already released")
    elif tag is not None and tag != head.commit:
        raise VersionTaken(f"{route.tag} is already tagged at {tag}, but HEAD is {head.commit}")


def decide_route(event: Event, head: Head) -> ReleasePath | StablePath:
    """Decide from the ref's name and from what git knows of it.

    Prow says of a push neither that it was of a tag nor that it was of a branch, and its clone has a local branch
    named like the ref for both (pkg/pod-utils/clone): only ``refs/tags/<ref>`` tells.

    Raises:
        NotARelease: the ref is no release, or HEAD is not the commit that was pushed to stable.
        TagMoved: the tag, or what was pushed, is not the commit at HEAD.
        StableIsATag: stable is a tag.
        HistoryMissing: the clone lacks the tags or the history to decide.
        NoReleaseMerged: stable holds no release.
    """
    version = ReleaseVersion.of_tag(event.base_ref)
    if version is not None:
        _check_tag(event, head)
        return ReleasePath(str(version))
    if event.base_ref == STABLE:
        _check_branch(event, head)
        return _stable_path(head)
    if event.base_ref.startswith("v") and is_too_large(event.base_ref):
        raise NotARelease(
            f"the ref {event.base_ref} {CANNOT_BE_RELEASED}",
            remedy=f"Delete {event.base_ref}, and tag the commit with a version of smaller numbers.",
        )
    raise NotARelease(
        f"the ref {event.base_ref} is neither a tag vMAJOR.MINOR.PATCH nor the branch {STABLE}",
        remedy=(
            "Nothing to repair here: only tags vMAJOR.MINOR.PATCH (no pre-release, no leading zeros) and the branch"
            f" {STABLE} are released; limit the job's branches to these."
        ),
    )


def _check_tag(event: Event, head: Head) -> None:
    ref, commit, tag = event.base_ref, head.commit, head.tag_commit
    if tag is None and head.base_sha_is_tag:
        if not head.has_tags:
            raise HistoryMissing(f"the tag {ref} was pushed, and the clone has no tags")
        raise TagMoved(f"the tag {ref} was pushed as {event.base_sha}, but no longer exists")
    if tag is None:
        what = "only a branch" if head.branch_commit else "and no branch"
        raise NotARelease(
            f"there is no tag {ref} in this clone, {what} of that name (HEAD is {commit})",
            remedy=(
                f"Push {ref} as a tag, and give branches other names; if it is a tag, remove skip_fetch_head and"
                " sparse_checkout_files from the job, so that tags are cloned."
            ),
        )
    if tag != commit:
        raise TagMoved(f"the tag {ref} is at {tag}, and HEAD is {commit}")
    if event.base_sha is not None and head.base_sha_commit != commit:
        raise TagMoved(f"{_pushed(event, head)}, and the tag {ref} and HEAD are at {commit}")


def _check_branch(event: Event, head: Head) -> None:
    commit = head.commit
    if head.base_sha_is_tag or head.tag_commit == commit:
        raise StableIsATag(f"the ref {STABLE} is a tag at {head.tag_commit or head.base_sha_commit}")
    remedy = f"Check out the branch {STABLE} at the commit that was pushed, then run again."
    if event.base_sha is not None and head.base_sha_commit != commit:
        raise NotARelease(f"{_pushed(event, head)}, and HEAD is {commit}", remedy=remedy)
    if event.base_sha is None and head.branch_commit != commit:
        where = f"at {head.branch_commit}" if head.branch_commit else "not in this clone"
        raise NotARelease(f"HEAD is {commit}, and the branch {STABLE} is {where}", remedy=remedy)


def _pushed(event: Event, head: Head) -> str:
    pushed, commit = event.base_sha, head.base_sha_commit
    if commit is None:
        return f"{pushed} was pushed to {event.base_ref} but is not a commit of this clone"
    return f"{commit} was pushed to {event.base_ref}" + (f" (as {pushed})" if commit != pushed else "")


def _stable_path(head: Head) -> StablePath:
    unknown = f"so the release that {STABLE} stands for cannot be found"
    if head.shallow:
        raise HistoryMissing(f"the clone is shallow, {unknown}")
    if not head.has_tags:
        raise HistoryMissing(f"the clone has no tags, {unknown}")
    version = highest_release(head.merged_tags)
    if version is None:
        raise NoReleaseMerged(f"no tag vMAJOR.MINOR.PATCH is merged into {STABLE} at {head.commit}")
    return StablePath(version.major, str(version))
