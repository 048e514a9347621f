"""What an audit can find: every kind in one table, with who acts and how. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Repair = Literal["tag", "stable"]
"""The job whose rerun repairs something: that of a release tag, or that of the branch stable."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        code: its stable name.
        sentence: what it means, without a full stop.
        who: who acts.
        remedy: what they do.
        repaired_by: the job whose rerun is all that is needed; None where it takes more.
        former: whether it is a known flaw of what the former job published, which needs nothing done.
    """

    code: str
    sentence: str
    who: Literal["operator", "author", "administrator", "nobody"]
    remedy: str
    repaired_by: Repair | None = None
    former: bool = False


TAG_WITHOUT_IMAGE: Final = Kind(
    "tag-without-image",
    "the tag is in git, and nothing of this version is published",
    "operator",
    "Rerun the release job of this tag.",
    repaired_by="tag",
)
IMAGE_WITHOUT_CHART: Final = Kind(
    "image-without-chart",
    "the image is published, and its chart is not",
    "operator",
    "Rerun the release job of this tag: it finds the image and publishes the chart.",
    repaired_by="tag",
)
NAMES_MISSING: Final = Kind(
    "names-missing",
    "the release is published under some of its names only",
    "operator",
    "Rerun the release job of this tag: it copies what is there to the names that are missing.",
    repaired_by="tag",
)
CHART_WITHOUT_IMAGE: Final = Kind(
    "chart-without-image",
    "a chart is published whose image is missing, so it cannot be installed",
    "operator",
    "Rerun the release job of this tag: it publishes the image again.",
    repaired_by="tag",
)
PUBLISHED_WITHOUT_TAG: Final = Kind(
    "published-without-tag",
    "a version is published that no tag in git releases",
    "author",
    "Push the tag again at the commit that the image names; if it was never meant to be released, remove the names.",
)
REVISION_DIFFERS: Final = Kind(
    "revision-differs",
    "what is published was made from another commit than the one that is tagged",
    "author",
    "Release the next version, and leave both as they are: a release never changes.",
)
TWO_COMMITS: Final = Kind(
    "two-commits",
    "one version is published under two schemes of names from two commits",
    "author",
    "Release the next version; narrow naming in jobs.yaml to the scheme in use.",
)
CHART_OF_ANOTHER_IMAGE: Final = Kind(
    "chart-of-another-image",
    "the chart was released with another image than the one that its name holds now",
    "administrator",
    "Find out who wrote the image's tag; release the next version.",
)
NAMES_DIFFER: Final = Kind(
    "names-differ",
    "names of one artifact hold different content",
    "administrator",
    "Find out who wrote the name that differs; release the next version.",
)
SOMETHING_ELSE: Final = Kind(
    "something-else",
    "a name of an image holds a chart, or a name of a chart an image",
    "administrator",
    "Find out who wrote the name; release the next version.",
)
STABLE_MISSING: Final = Kind(
    "stable-missing",
    "the branch stable is in git, and no stable chart is published",
    "operator",
    "Rerun the job of the branch stable.",
    repaired_by="stable",
)
STABLE_STALE: Final = Kind(
    "stable-stale",
    "the stable chart was made from another commit than the one that the branch stable is at",
    "operator",
    "Rerun the job of the branch stable. If the name belongs to a scheme that is no longer used, remove it.",
    repaired_by="stable",
)
STABLE_MOVED_OUTSIDE: Final = Kind(
    "stable-moved-outside-git",
    "the stable tag holds what no move of the branch stable wrote",
    "operator",
    "Rerun the job of the branch stable, and find out who moved the tag.",
    repaired_by="stable",
)
STABLE_MOVE_UNFINISHED: Final = Kind(
    "stable-move-unfinished",
    "a move of the stable tag was begun and not finished",
    "operator",
    "Rerun the job of the branch stable: it finishes the move. If stable was moved back in the registry alone, let git"
    " say so first (ack-release rollback), or the job undoes it.",
    repaired_by="stable",
)
STABLE_IMAGE_MISSING: Final = Kind(
    "stable-image-missing",
    "the stable chart deploys an image that is missing, so it cannot be installed",
    "operator",
    "Rerun the release job of the image's tag: it publishes the image again.",
    repaired_by="tag",
)
STABLE_WITHOUT_BRANCH: Final = Kind(
    "stable-without-branch",
    "a stable chart is published, and git has no branch stable",
    "author",
    "Push the branch stable again at the commit that the chart names.",
)
FORMER_WITHOUT_COMMIT: Final = Kind(
    "former-without-commit",
    "published by the former job, which wrote down no commit",
    "nobody",
    "Nothing: it is compared by its names only. A rerun of its job with adopt: in jobs.yaml would refuse or take it.",
    former=True,
)
FORMER_ONE_PLATFORM: Final = Kind(
    "former-one-platform",
    "published by the former job, for one platform only",
    "nobody",
    "Nothing: the next release is for all platforms.",
    former=True,
)
FORMER_STABLE: Final = Kind(
    "former-stable",
    "a stable chart of the former job, which kept neither commit nor history",
    "nobody",
    "Nothing: the next push to the branch stable replaces it.",
    former=True,
)

KINDS: Final[Mapping[str, Kind]] = {
    kind.code: kind
    for kind in (
        TAG_WITHOUT_IMAGE,
        IMAGE_WITHOUT_CHART,
        NAMES_MISSING,
        CHART_WITHOUT_IMAGE,
        PUBLISHED_WITHOUT_TAG,
        REVISION_DIFFERS,
        TWO_COMMITS,
        CHART_OF_ANOTHER_IMAGE,
        NAMES_DIFFER,
        SOMETHING_ELSE,
        STABLE_MISSING,
        STABLE_STALE,
        STABLE_MOVED_OUTSIDE,
        STABLE_MOVE_UNFINISHED,
        STABLE_IMAGE_MISSING,
        STABLE_WITHOUT_BRANCH,
        FORMER_WITHOUT_COMMIT,
        FORMER_ONE_PLATFORM,
        FORMER_STABLE,
    )
}
"""Every kind, by its code, in the order in which they are listed."""


@dataclass(frozen=True)
class Finding:
    """Something that an audit found.

    Attributes:
        kind: what it is.
        service: whose.
        version: MAJOR.MINOR.PATCH, or a channel such as ``v1-stable``; empty where it is about no certain one.
        names: the names in the registry that it is about, as ``HOST/REPOSITORY:TAG``.
        found: what was found, in words; what stands in the kind's sentence is not said again.
    """

    kind: Kind
    service: str
    version: str = ""
    names: tuple[str, ...] = ()
    found: str = field(default="", compare=False)
