"""Which versions may come next, and how an author names one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.author.numbering import check_next, next_versions, read_version
from runner.errors import UsageInvalid, VersionNotNext
from runner.versions import LARGEST_NUMBER, ReleaseVersion

NUMBERS = st.integers(0, 50) | st.integers(LARGEST_NUMBER - 2, LARGEST_NUMBER)
VERSIONS = st.builds(ReleaseVersion, NUMBERS, NUMBERS, NUMBERS)


def version(text: str) -> ReleaseVersion:
    return ReleaseVersion.parse(text)


@pytest.mark.parametrize(
    ("released", "expected"),
    [
        ((), "0.0.1 0.1.0 1.0.0"),
        (("1.2.3",), "1.2.4 1.3.0 2.0.0"),
        (("1.10.0", "1.9.9", "0.3.0"), "1.10.1 1.11.0 2.0.0"),
        ((f"1.2.{LARGEST_NUMBER}",), "1.3.0 2.0.0"),
        ((f"{LARGEST_NUMBER}.{LARGEST_NUMBER}.{LARGEST_NUMBER}",), ""),
    ],
)
def test_next_versions(released: tuple[str, ...], expected: str) -> None:
    """The next patch, minor and major come after the highest version, as far as Helm can read their numbers."""
    assert " ".join(map(str, next_versions(map(version, released)))) == expected


@given(st.lists(VERSIONS, max_size=6))
def test_what_is_next_comes_after_all(released: list[ReleaseVersion]) -> None:
    """Each version that may come next is higher than every released one, and raises one number by one."""
    for one in next_versions(released):
        newest = max(released, default=ReleaseVersion(0, 0, 0))
        assert one > newest
        assert max(one.major - newest.major, one.minor - newest.minor, one.patch - newest.patch) == 1
        check_next(one, released)


@given(st.lists(VERSIONS, max_size=6), VERSIONS)
def test_check_next(released: list[ReleaseVersion], wanted: ReleaseVersion) -> None:
    """A version passes exactly if it is one of the next ones; the refusal names all of those."""
    allowed = next_versions(released)
    if wanted in allowed:
        check_next(wanted, released)
        return
    with pytest.raises(VersionNotNext) as refused:
        check_next(wanted, released)
    assert refused.value.cause.startswith(f"{wanted.tag} cannot come next")
    assert all(one.tag in refused.value.cause for one in allowed)


def test_refusal_in_words() -> None:
    """The refusal says what is released and what would do, also where nothing is, or nothing would."""
    with pytest.raises(
        VersionNotNext, match=r"newest release tag is v1\.2\.3, so the next one is v1\.2\.4 or v1\.3\.0"
    ):
        check_next(version("1.2.5"), [version("1.2.3")])
    with pytest.raises(VersionNotNext, match=r"no release is tagged yet, so the next one is v0\.0\.1 or"):
        check_next(version("0.0.2"), [])
    last = ReleaseVersion(LARGEST_NUMBER, LARGEST_NUMBER, LARGEST_NUMBER)
    with pytest.raises(VersionNotNext, match="the next one is no further version"):
        check_next(version("1.0.0"), [last])


@pytest.mark.parametrize("text", ["v1.3.0", "1.3.0"])
def test_named_version(text: str) -> None:
    """An author may name a version with v or without."""
    assert read_version(text) == ReleaseVersion(1, 3, 0)


@pytest.mark.parametrize("text", ["", "v1.3", "1.3.0-rc.1", "v01.3.0", "v1.3.0 ", "release", "V1.3.0", "vv1.3.0"])
def test_no_version(text: str) -> None:
    """Anything else is refused as a mistake of the command line."""
    with pytest.raises(UsageInvalid, match=r"is not a version MAJOR\.MINOR\.PATCH"):
        read_version(text)


def test_version_too_large() -> None:
    """A number that Helm cannot read is refused with that reason."""
    with pytest.raises(UsageInvalid, match="largest that Helm reads"):
        read_version(f"v1.0.{LARGEST_NUMBER + 1}")
