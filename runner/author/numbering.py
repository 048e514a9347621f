"""Which versions may come next: one patch, one minor or one major after the newest release. Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from runner.errors import UsageInvalid, VersionNotNext
from runner.source.route import CANNOT_BE_RELEASED
from runner.versions import ReleaseVersion, is_too_large

if TYPE_CHECKING:
    from collections.abc import Iterable

BEFORE_THE_FIRST = ReleaseVersion(0, 0, 0)
"""What the first release of a repository comes after."""


def next_versions(released: Iterable[ReleaseVersion]) -> tuple[ReleaseVersion, ...]:
    """Return the versions that may be released next, lowest first: the next patch, minor and major.

    One of them is left out where its number would be larger than Helm reads.

    Args:
        released: the versions that have a tag; without any, the first one comes after 0.0.0.
    """
    newest = max(released, default=BEFORE_THE_FIRST)
    numbers = (
        (newest.major, newest.minor, newest.patch + 1),
        (newest.major, newest.minor + 1, 0),
        (newest.major + 1, 0, 0),
    )
    versions: list[ReleaseVersion] = []
    for one in numbers:
        with suppress(ValueError):
            versions.append(ReleaseVersion(*one))
    return tuple(versions)


def check_next(version: ReleaseVersion, released: Iterable[ReleaseVersion]) -> None:
    """Check that a version without a tag may be released next.

    Raises:
        VersionNotNext: it may not; the cause names those that may.
    """
    there = tuple(released)
    allowed = next_versions(there)
    if version in allowed:
        return
    after = f"the newest release tag is {max(there).tag}" if there else "no release is tagged yet"
    choice = " or ".join(one.tag for one in allowed) or "no further version"
    raise VersionNotNext(f"{version.tag} cannot come next: {after}, so the next one is {choice}")


def read_version(text: str) -> ReleaseVersion:
    """Read the version that an author names, with or without ``v``.

    Raises:
        UsageInvalid: it is not MAJOR.MINOR.PATCH, or Helm cannot read it.
    """
    version = ReleaseVersion.of_chart(text)
    if version is None:
        problem = CANNOT_BE_RELEASED if is_too_large(text) else "is not a version MAJOR.MINOR.PATCH"
        raise UsageInvalid(f"{text} {problem}", remedy="Give the version that is to be released, such as v1.2.3.")
    return version
