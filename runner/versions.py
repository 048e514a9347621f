"""Release versions, stable channels and the tags made of them: the only grammar of these. Pure."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from semver import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LARGEST_NUMBER: Final = 2**64 - 1
"""The largest number in a version: Helm reads each as an unsigned 64-bit one (Masterminds/semver, ParseUint)."""

NUMBER_TOO_LARGE: Final = f"a number in it is above {LARGEST_NUMBER}, the largest that Helm reads in a version"

_DIGITS_AT_MOST: Final = len(str(LARGEST_NUMBER))
_NUMBER: Final = r"(0|[1-9]\d*)"
_NUMBERS: Final = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"

RELEASE_TAGS: Final = f"^v{_NUMBERS}$"
"""The regular expression of the tags that start a release job, as Prow reads it (Go's RE2).

It does not limit numbers, so that whoever pushes a tag with one that is too large reads why it is not released.
"""

KUBERNETES_VERSIONS: Final = rf"^v?{_NUMBER}\.{_NUMBER}(?:\.{_NUMBER})?$"
"""The regular expression of versions of Kubernetes, as people write them, for a JSON Schema."""

# ASCII: to Python, \d is a digit of any script, to RE2 one of ten. Everything here is matched as a whole text: Python's
# $ matches before a final line end, too, and RE2's does not.
_RELEASE: Final = re.compile(_NUMBERS, re.ASCII)
_CHANNEL: Final = re.compile(rf"v?{_NUMBER}-stable", re.ASCII)
_KUBERNETES: Final = re.compile(rf"v?{_NUMBER}\.{_NUMBER}(?:\.{_NUMBER})?", re.ASCII)
_LABELS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_READ_BY_HELM: Final = re.compile(rf"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-{_LABELS})?(?:\+{_LABELS})?", re.ASCII)

SemanticVersion: TypeAlias = Version
"""A version of Semantic Versioning 2.0.0, ordered as it says: what is published may be more than a release."""


@dataclass(frozen=True, order=True)
class ReleaseVersion:
    """The version of a release, MAJOR.MINOR.PATCH; ordered by its numbers. ValueError for one that Helm cannot read."""

    major: int
    minor: int
    patch: int

    def __post_init__(self) -> None:
        if not all(0 <= number <= LARGEST_NUMBER for number in (self.major, self.minor, self.patch)):
            raise ValueError(f"{self} is not MAJOR.MINOR.PATCH with numbers up to {LARGEST_NUMBER}")

    @classmethod
    def parse(cls, text: str) -> ReleaseVersion:
        """Read MAJOR.MINOR.PATCH without ``v``; ValueError when it is not one, or a number is too large."""
        match = _RELEASE.fullmatch(text)
        if match is None or not _are_readable(match.groups()):
            raise ValueError(f"{text!r} is not MAJOR.MINOR.PATCH with numbers up to {LARGEST_NUMBER}")
        return cls(*map(int, match.groups()))

    @classmethod
    def of_tag(cls, tag: str) -> ReleaseVersion | None:
        """Return what a tag releases; None when it is not vMAJOR.MINOR.PATCH, or a number is too large."""
        return cls.of_chart(tag) if tag.startswith("v") else None

    @classmethod
    def of_chart(cls, text: str) -> ReleaseVersion | None:
        """Return the version that a chart states, with ``v`` or without; None when it is not that of a release."""
        try:
            return cls.parse(plain_version(text))
        except ValueError:
            return None

    @property
    def tag(self) -> str:
        """The git tag that releases it."""
        return release_tag(str(self))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


_CONDITION: Final = re.compile(rf"(?:(<=|>=|<|>|=)[ ]*)?v?({_NUMBERS})", re.ASCII)
_BETWEEN_CONDITIONS: Final = re.compile(r"(?<=\d)[ ,]+(?=.)")
_COMPARISONS: Final[Mapping[str, Callable[[ReleaseVersion, ReleaseVersion], bool]]] = {
    "": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class VersionRange:
    """Versions of releases that fulfil every one of these conditions: an operator, and what it compares with."""

    conditions: tuple[tuple[str, ReleaseVersion], ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read ``1.2.3``, ``<=1.10.0``, ``>=1.0.0 <2.0.0`` and the like; each number may follow a ``v``.

        Raises:
            ValueError: it is no such text, or no version fulfils it.
        """
        conditions: list[tuple[str, ReleaseVersion]] = []
        for part in _BETWEEN_CONDITIONS.split(text):
            match = _CONDITION.fullmatch(part)
            if match is None:
                conditions.clear()
                break
            conditions.append((match[1] or "", ReleaseVersion.parse(match[2])))
        if not conditions:
            raise ValueError(
                f"{text!r} is neither a version such as 1.2.3 nor a range such as <=1.10.0 or >=1.0.0 <2.0.0"
            )
        found = cls(tuple(conditions))
        if found._is_empty:
            raise ValueError(f"no version is {text}")
        return found

    def contains(self, version: ReleaseVersion) -> bool:
        """Whether a version fulfils all conditions."""
        return all(_COMPARISONS[name](version, bound) for name, bound in self.conditions)

    @property
    def _is_empty(self) -> bool:
        # Where any version fulfils all, one of these does: the lowest, a bound, or the one directly above it.
        bounds = [bound for _, bound in self.conditions]
        above = [replace(bound, patch=bound.patch + 1) for bound in bounds if bound.patch < LARGEST_NUMBER]
        return not any(self.contains(version) for version in (ReleaseVersion(0, 0, 0), *bounds, *above))

    def __str__(self) -> str:
        return " ".join(f"{name}{bound}" for name, bound in self.conditions)


@dataclass(frozen=True, order=True)
class StableChannel:
    """The channel that a major's stable charts are published in. ValueError when no version has this major."""

    major: int

    def __post_init__(self) -> None:
        if not 0 <= self.major <= LARGEST_NUMBER:
            raise ValueError(f"{self.major} is not a major version")

    @classmethod
    def of_chart(cls, text: str) -> StableChannel | None:
        """Return the channel that a chart's version names, ``v1-stable`` or ``1-stable``; None when it names none."""
        match = _CHANNEL.fullmatch(text)
        return cls(int(match[1])) if match is not None and _are_readable(match.groups()) else None

    def __str__(self) -> str:
        return f"v{self.major}-stable"


_TIME: Final = "%Y%m%dT%H%M%SZ"
_COMMIT_LENGTH: Final = 7
# 1 comes first, so that the first characters of all places make a real suffix: messages show it as an example.
DIGITS: Final = "1234567890"
_HEXADECIMAL: Final = "abcdef" + DIGITS

HISTORY_SUFFIX: Final[tuple[str, ...]] = (
    "-",
    *(DIGITS if character.isdigit() else character for character in datetime(2026, 1, 2, tzinfo=UTC).strftime(_TIME)),
    "-",
    *[_HEXADECIMAL] * _COMMIT_LENGTH,
)
"""What a history tag has behind its stable tag: which characters may stand at each place."""

_SUFFIX: Final = re.compile("".join(f"[{re.escape(characters)}]" for characters in HISTORY_SUFFIX))


@dataclass(frozen=True, order=True)
class HistoryTag:
    """The tag that keeps what a stable tag was moved to: ``<stable tag>-<UTC yyyymmddThhmmssZ>-<commit, 7>``.

    Tags of one stable tag are ordered by time. ValueError when the text would not be such a tag.

    Attributes:
        stable: the stable tag.
        moved: when it was moved: UTC, whole seconds.
        commit: the first characters of the id of the chart's commit.
    """

    stable: str
    moved: datetime
    commit: str

    def __post_init__(self) -> None:
        is_utc = self.moved.utcoffset() == timedelta(0)
        if not self.stable or not is_utc or self.moved.microsecond or not _SUFFIX.fullmatch(self._suffix):
            raise ValueError(f"{self.stable!r}, {self.moved} and {self.commit!r} make no history tag")

    @classmethod
    def of_move(cls, stable: str, moved: datetime, revision: str) -> HistoryTag:
        """Return the tag of a move at this moment to the chart of a commit; ``revision`` is the id of that."""
        return cls(stable, moved.astimezone(UTC).replace(microsecond=0), revision[:_COMMIT_LENGTH])

    @classmethod
    def of_tag(cls, tag: str) -> HistoryTag | None:
        """Return what a tag says as a history tag; None when it is none."""
        stable, suffix = tag[: -len(HISTORY_SUFFIX)], tag[-len(HISTORY_SUFFIX) :]
        if not stable or not _SUFFIX.fullmatch(suffix):
            return None
        time, _, commit = suffix[1:].rpartition("-")
        try:
            return cls(stable, datetime.strptime(time, _TIME).replace(tzinfo=UTC), commit)
        except ValueError:
            return None

    @property
    def _suffix(self) -> str:
        return f"-{self.moved.strftime(_TIME)}-{self.commit}"

    def __str__(self) -> str:
        return f"{self.stable}{self._suffix}"


def plain_version(text: str) -> str:
    """Return a version without its one leading ``v``, if it has one."""
    return text.removeprefix("v")


def release_tag(version: str) -> str:
    """Return the git tag that releases a version, which is given without ``v``."""
    return f"v{version}"


def highest_release(tags: Iterable[str]) -> ReleaseVersion | None:
    """Return the highest version among those that tags release; None when none of them releases any."""
    return max((version for tag in tags if (version := ReleaseVersion.of_tag(tag)) is not None), default=None)


def is_too_large(text: str) -> bool:
    """Whether a number that Helm cannot read is all that keeps a text, with ``v`` or without, from being a version."""
    match = _RELEASE.fullmatch(plain_version(text))
    return match is not None and not _are_readable(match.groups())


def semantic_version(text: str) -> SemanticVersion:
    """Read any version of Semantic Versioning 2.0.0, with ``v`` or without.

    Raises:
        ValueError: it is none, or has a number that Helm cannot read.
    """
    version = Version.parse(plain_version(text))
    if max(version.major, version.minor, version.patch) > LARGEST_NUMBER:
        raise ValueError(f"{text!r}: {NUMBER_TOO_LARGE}")
    return version


def is_read_by_helm(text: str) -> bool:
    """Whether Helm takes a text for a version, and so asks for the chart under that very tag.

    Fewer numbers than three, as in ``v1-stable``, and leading zeros will do (Masterminds/semver, NewVersion).
    """
    match = _READ_BY_HELM.fullmatch(text)
    return match is not None and _are_readable(number.lstrip("0") for number in match.groups("0"))


def kubernetes_version(text: str) -> str:
    """Return a version of Kubernetes, with ``v`` or without, with its patch or without, as MAJOR.MINOR.PATCH.

    Raises:
        ValueError: it is none, or has a number that Helm cannot read.
    """
    match = _KUBERNETES.fullmatch(text)
    if match is None or not _are_readable(match.groups("0")):
        raise ValueError(f"{text!r} is not a version of Kubernetes (as 1.36 or 1.36.2, in quotes)")
    return ".".join(match.groups("0"))


def _are_readable(numbers: Iterable[str]) -> bool:
    # Python refuses to convert texts of some thousand digits, so their length comes first.
    return all(len(number) <= _DIGITS_AT_MOST and int(number or "0") <= LARGEST_NUMBER for number in numbers)
