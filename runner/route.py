"""Which path a push takes: a tag releases, the branch stable moves the stable chart, all else is refused. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semver import Version

from runner.errors import HistoryMissing, NoReleaseMerged, NotARelease, StableIsATag, TagMoved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.checkout import Checkout
    from runner.event import Event

STABLE = "stable"

_NUMBER = "(?:0|[1-9][0-9]*)"
_RELEASE = re.compile(rf"v({_NUMBER}\.{_NUMBER}\.{_NUMBER})")


@dataclass(frozen=True)
class ReleasePath:
    """A tag vMAJOR.MINOR.PATCH: image and chart of that version; ``version`` is without ``v``."""

    version: str


@dataclass(frozen=True)
class StablePath:
    """The branch stable: chart only; ``version`` is the highest release merged into it, without ``v``."""

    major: int
    version: str


Route = ReleasePath | StablePath


def decide_route(event: Event, checkout: Checkout) -> Route:
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
    version = release_version(event.base_ref)
    if version is not None:
        _check_tag(event, checkout)
        return ReleasePath(version)
    if event.base_ref == STABLE:
        _check_branch(event, checkout)
        return _stable_path(checkout)
    raise NotARelease(
        f"the ref {event.base_ref} is neither a tag vMAJOR.MINOR.PATCH nor the branch {STABLE}",
        remedy=(
            "Nothing to repair here: only tags vMAJOR.MINOR.PATCH (no pre-release, no leading zeros) and the branch"
            f" {STABLE} are released; limit the job's branches to these."
        ),
    )


def release_version(ref: str) -> str | None:
    """Return the version of a release tag's name, without ``v``; None when the name is not vMAJOR.MINOR.PATCH."""
    match = _RELEASE.fullmatch(ref)
    return None if match is None else match[1]


def highest_release(tags: Iterable[str]) -> str | None:
    """Return the highest version among the tags vMAJOR.MINOR.PATCH, without ``v``; None when there is none."""
    versions = [version for tag in tags if (version := release_version(tag)) is not None]
    return max(versions, key=Version.parse, default=None)


def _check_tag(event: Event, checkout: Checkout) -> None:
    ref, head, tag = event.base_ref, checkout.commit, checkout.tag_commit
    if tag is None and checkout.base_sha_is_tag:
        if not checkout.has_tags:
            raise HistoryMissing(f"the tag {ref} was pushed, and the clone has no tags")
        raise TagMoved(f"the tag {ref} was pushed as {event.base_sha}, and is gone since")
    if tag is None:
        what = "only a branch" if checkout.branch_commit else "and no branch"
        raise NotARelease(
            f"there is no tag {ref} in this clone, {what} of that name (HEAD is {head})",
            remedy=(
                f"Push {ref} as a tag, and give branches other names; if it is a tag, remove skip_fetch_head and"
                " sparse_checkout_files from the job, so that tags are cloned."
            ),
        )
    if tag != head:
        raise TagMoved(f"the tag {ref} is at {tag}, and HEAD is {head}")
    if event.base_sha is not None and checkout.base_sha_commit != head:
        raise TagMoved(f"{_pushed(event, checkout)}, and the tag {ref} and HEAD are at {head}")


def _check_branch(event: Event, checkout: Checkout) -> None:
    head = checkout.commit
    if checkout.base_sha_is_tag or checkout.tag_commit == head:
        raise StableIsATag(f"the ref {STABLE} is a tag at {checkout.tag_commit or checkout.base_sha_commit}")
    remedy = f"Check out the branch {STABLE} at the commit that was pushed, then run again."
    if event.base_sha is not None and checkout.base_sha_commit != head:
        raise NotARelease(f"{_pushed(event, checkout)}, and HEAD is {head}", remedy=remedy)
    if event.base_sha is None and checkout.branch_commit != head:
        where = f"at {checkout.branch_commit}" if checkout.branch_commit else "not in this clone"
        raise NotARelease(f"HEAD is {head}, and the branch {STABLE} is {where}", remedy=remedy)


def _pushed(event: Event, checkout: Checkout) -> str:
    pushed, commit = event.base_sha, checkout.base_sha_commit
    if commit is None:
        return f"{pushed} was pushed to {event.base_ref} and is no commit of this clone"
    return f"{commit} was pushed to {event.base_ref}" + (f" (as {pushed})" if commit != pushed else "")


def _stable_path(checkout: Checkout) -> StablePath:
    unknown = f"so the release that {STABLE} stands for cannot be found"
    if checkout.shallow:
        raise HistoryMissing(f"the clone is shallow, {unknown}")
    if not checkout.has_tags:
        raise HistoryMissing(f"the clone has no tags, {unknown}")
    version = highest_release(checkout.merged_tags)
    if version is None:
        raise NoReleaseMerged(f"no tag vMAJOR.MINOR.PATCH is merged into {STABLE} at {checkout.commit}")
    return StablePath(Version.parse(version).major, version)
