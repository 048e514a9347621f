"""The grammar of release versions, stable channels and history tags."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import runner
from runner.versions import (
    HISTORY_SUFFIX,
    LARGEST_NUMBER,
    NUMBER_TOO_LARGE,
    HistoryTag,
    ReleaseVersion,
    StableChannel,
    VersionRange,
    highest_release,
    is_read_by_helm,
    is_too_large,
    kubernetes_version,
    plain_version,
    release_tag,
    semantic_version,
)
from testbed.paths import ROOT
from tests.support.refs import OTHERS, READABLE, TOO_LARGE, starts_job

numbers = st.integers(0, LARGEST_NUMBER) | st.integers(0, 12)
versions = st.builds(ReleaseVersion, numbers, numbers, numbers)
channels = st.builds(StableChannel, numbers)
moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds
    lambda moment: moment.replace(microsecond=0)
)
stable_tags = st.one_of(
    channels.map(str), channels.map("s3-{}".format), st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,30}", fullmatch=True)
)
commits = st.text("0123456789abcdef", min_size=7, max_size=7)
history_tags = st.builds(HistoryTag, stable_tags, moments, commits)

digits = st.text("0123456789\u0663\uff11", max_size=4) | st.integers(0, 10**25).map(str)
near_versions = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "v", "v", "v", "vv", "V"]),
    st.lists(digits, min_size=2, max_size=4).map(".".join) | digits.map("{}-stable".format),
    st.sampled_from(["", "", "", "\n", "-rc.1", " "]),
)
VERY_LONG = f"v{'1' * 5000}.0.0"
"""More digits than Python turns into a number."""


def shown(value: object) -> str:
    """The beginning of a parameter, in characters that any terminal has."""
    return ascii(value)[:40]


refs = st.one_of(st.sampled_from([*READABLE, *TOO_LARGE, *OTHERS, "stable"]), near_versions, st.text(max_size=12))


# --- release versions ------------------------------------------------------------------------------------------------


@given(versions)
def test_release_versions_text(version: ReleaseVersion) -> None:
    """A release version reads back from its text, from its tag, and from a chart that has either."""
    assert ReleaseVersion.parse(str(version)) == version
    assert ReleaseVersion.of_tag(version.tag) == version
    assert ReleaseVersion.of_chart(str(version)) == version
    assert ReleaseVersion.of_chart(version.tag) == version
    assert (str(version), version.tag) == (plain_version(version.tag), release_tag(str(version)))


@given(near_versions)
def test_texts_release_version(text: str) -> None:
    """A text that is read as a release version is written as it was, so that one version has one text."""
    version = ReleaseVersion.of_chart(text)
    if version is not None:
        assert text in {str(version), version.tag}
        assert ReleaseVersion.of_tag(text) == (version if text.startswith("v") else None)


def test_release_version_in_words() -> None:
    """A version is three numbers, its tag the same with v."""
    version = ReleaseVersion.parse("1.20.3")
    assert (version.major, version.minor, version.patch) == (1, 20, 3)
    assert (str(version), version.tag) == ("1.20.3", "v1.20.3")


@pytest.mark.parametrize("tag", READABLE)
def test_tags_of_releases(tag: str) -> None:
    """A tag of three numbers that Helm can read releases that version."""
    version = ReleaseVersion.of_tag(tag)
    assert version is not None
    assert version.tag == tag
    assert not is_too_large(tag)


@pytest.mark.parametrize("tag", [*TOO_LARGE, *OTHERS, "stable", VERY_LONG], ids=shown)
def test_tags_of_no_release(tag: str) -> None:
    """A tag with leading zeros, other digits, another number of numbers, a line's end or too large a number is none."""
    assert ReleaseVersion.of_tag(tag) is None
    # A chart may leave out the v.
    assert ReleaseVersion.of_chart(tag) == (ReleaseVersion(1, 2, 3) if tag == "1.2.3" else None)


@pytest.mark.parametrize("text", [*(tag[1:] for tag in TOO_LARGE), "v1.2.3", "1.2", "01.2.3", "1.2.3\n", ""], ids=shown)
def test_parse_takes_no_other_text(text: str) -> None:
    """Parsing takes three numbers that Helm can read, without v, and nothing else."""
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text))} is not MAJOR.* up to 18446744073709551615$"):
        ReleaseVersion.parse(text)


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (0, LARGEST_NUMBER + 1, 0), (0, 0, 10**30)])
def test_release_version_of_bad_numbers(numbers: tuple[int, int, int]) -> None:
    """A version cannot be made of a number that none can have."""
    with pytest.raises(ValueError, match="is not MAJOR"):
        ReleaseVersion(*numbers)


@given(versions, versions)
def test_order_of_release_versions(one: ReleaseVersion, other: ReleaseVersion) -> None:
    """Versions are ordered by their numbers, as Semantic Versioning orders them, and never by their text."""
    of_one, of_other = ((each.major, each.minor, each.patch) for each in (one, other))
    assert (one < other, one == other) == (of_one < of_other, of_one == of_other)
    assert (one < other) == (semantic_version(str(one)) < semantic_version(str(other)))


@given(st.lists(versions, max_size=6), st.lists(st.sampled_from([*TOO_LARGE, *OTHERS, "stable"]), max_size=4))
def test_highest_release(found: list[ReleaseVersion], others: list[str]) -> None:
    """The highest release is found among any other tags; tags with too large a number are no releases."""
    assert highest_release([*others, *(version.tag for version in found)]) == max(found, default=None)


# --- numbers that are too large --------------------------------------------------------------------------------------


def test_largest_number() -> None:
    """The largest number is that of 64 bits, and the words for what is beyond say it."""
    assert LARGEST_NUMBER == 0xFFFF_FFFF_FFFF_FFFF
    assert str(LARGEST_NUMBER) in NUMBER_TOO_LARGE


@pytest.mark.parametrize("tag", [*TOO_LARGE, VERY_LONG], ids=shown)
def test_too_large_numbers(tag: str) -> None:
    """A version is said to be too large where a number is, with v or without, however long it is."""
    assert is_too_large(tag)
    assert is_too_large(tag.removeprefix("v"))
    with pytest.raises(ValueError, match="Exceeds the limit" if tag == VERY_LONG else NUMBER_TOO_LARGE):
        semantic_version(tag)


@given(st.lists(st.integers(0, 10**25), min_size=3, max_size=3))
@example([0, 0, LARGEST_NUMBER])
@example([LARGEST_NUMBER + 1, 0, 0])
def test_versions_are_read_or_too_large(numbers: list[int]) -> None:
    """Three numbers are a release version, or one of them is too large; never both, and never neither."""
    text = ".".join(map(str, numbers))
    assert (ReleaseVersion.of_chart(text) is None) == is_too_large(text) == (max(numbers) > LARGEST_NUMBER)


@pytest.mark.parametrize("text", OTHERS, ids=shown)
def test_other_texts_are_not_too_large(text: str) -> None:
    """What is no version for another reason is not blamed on its numbers."""
    assert not is_too_large(text)


# --- what starts a job -----------------------------------------------------------------------------------------------


@given(refs)
def test_released_tags_start_jobs(ref: str) -> None:
    """Whatever a ref is called: a tag that is a release starts the job."""
    if ReleaseVersion.of_tag(ref) is not None:
        assert starts_job(ref)


@given(refs)
def test_started_jobs_have_a_reason(ref: str) -> None:
    """Whatever a ref is called: a job that starts releases a version, moves stable, or has too large a number."""
    if starts_job(ref):
        assert (ReleaseVersion.of_tag(ref) is not None, ref == "stable", is_too_large(ref)).count(True) == 1


@pytest.mark.parametrize(
    ("ref", "starts"),
    [*((ref, True) for ref in (*READABLE, *TOO_LARGE, "stable")), *((ref, False) for ref in OTHERS)],
    ids=shown,
)
def test_refs_that_start_jobs(ref: str, *, starts: bool) -> None:
    """A job is started by releases, by versions with too large a number, which it refuses in words, and by stable."""
    assert starts_job(ref) == starts


# --- stable channels -------------------------------------------------------------------------------------------------


@given(channels)
def test_channels_text(channel: StableChannel) -> None:
    """A channel reads back from its text, with v and without."""
    assert StableChannel.of_chart(str(channel)) == channel
    assert StableChannel.of_chart(plain_version(str(channel))) == channel


def test_channel_in_words() -> None:
    """The channel of a major is called as charts on the branch stable write it."""
    assert (str(StableChannel(0)), str(StableChannel(12))) == ("v0-stable", "v12-stable")


@pytest.mark.parametrize(
    "text",
    [
        *("stable", "v-stable", "v01-stable", "vv1-stable", "v1-stable-2", "v1.2-stable", "V1-stable", "v1-Stable"),
        *("v1-stable\n", "v\u0663-stable", f"v{LARGEST_NUMBER + 1}-stable", f"{'1' * 5000}-stable", ""),
    ],
    ids=shown,
)
def test_texts_of_no_channel(text: str) -> None:
    """A text with leading zeros, other digits, too large a number or anything more names no channel."""
    assert StableChannel.of_chart(text) is None


@pytest.mark.parametrize("major", [-1, LARGEST_NUMBER + 1])
def test_channel_of_bad_major(major: int) -> None:
    """A number that no version begins with has no channel."""
    with pytest.raises(ValueError, match=f"{major} is not a major version"):
        StableChannel(major)


# --- history tags ----------------------------------------------------------------------------------------------------


@given(history_tags)
def test_history_tags_text(tag: HistoryTag) -> None:
    """A history tag reads back from its text, whatever its stable tag is called."""
    assert HistoryTag.of_tag(str(tag)) == tag
    assert str(tag).startswith(f"{tag.stable}-")
    assert len(str(tag)) == len(tag.stable) + len(HISTORY_SUFFIX)


def test_history_tag_in_words() -> None:
    """A history tag is the stable tag, the time of the move in UTC, and seven characters of the commit."""
    moved = datetime(2026, 11, 24, 13, 30, 15, 999999, tzinfo=timezone(timedelta(hours=1)))
    tag = HistoryTag.of_move("s3-v1-stable", moved, "0123456789abcdef0123456789abcdef01234567")
    assert str(tag) == "s3-v1-stable-20261124T123015Z-0123456"
    assert tag == HistoryTag("s3-v1-stable", datetime(2026, 11, 24, 12, 30, 15, tzinfo=UTC), "0123456")


@given(history_tags)
def test_history_suffixs_shape(tag: HistoryTag) -> None:
    """What stands behind the stable tag has at each place one of the characters that the shape says."""
    suffix = str(tag)[len(tag.stable) :]
    assert len(suffix) == len(HISTORY_SUFFIX)
    assert all(character in place for character, place in zip(suffix, HISTORY_SUFFIX, strict=True))


def test_shape_has_an_example() -> None:
    """The first characters of the shape make a history tag, so that a message that shows them shows a real one."""
    assert HistoryTag.of_tag("stable" + "".join(place[0] for place in HISTORY_SUFFIX)) is not None


@given(stable_tags, st.lists(st.tuples(moments, commits), max_size=5))
def test_order_of_history_tags(stable: str, moves: list[tuple[datetime, str]]) -> None:
    """The history of a stable tag is ordered by time, and its text like its values."""
    tags = [HistoryTag(stable, *move) for move in moves]
    assert [(tag.moved, tag.commit) for tag in sorted(tags)] == sorted(moves)
    assert [str(tag) for tag in sorted(tags)] == sorted(map(str, tags))


@pytest.mark.parametrize(
    "tag",
    [
        *("", "v1-stable", "-20260101T000000Z-0000000", "v1-stable-latest", "s20260101T000000Z-0000000"),
        *(
            "s-20260101T000000Z-00000000",
            "s-20260101T000000Z-000000",
            "s-20260101T000000Z",
            "s-2026101T000000Z-0000000",
        ),
        *("s-20260101T000000Z-xyz0000", "s-20260101T000000Z-ABCDEF0", "s-20260101t000000z-0000000"),
        *("s-20260101T000000-0000000", "s-20260101T000000Z-0000000\n", "s-20260101T000000Z-000000\n"),
        *("s-2026010\u0661T000000Z-0000000", "s-20260101T000000Z-000000\u0661", "s-20260101T00000\u0660Z-0000000"),
        *("s-20261301T000000Z-0000000", "s-20260230T000000Z-0000000", "s-20260101T240000Z-0000000"),
        *("s-20260101T006000Z-0000000", "s-20260101T000061Z-0000000", "s-00000101T000000Z-0000000"),
    ],
    ids=shown,
)
def test_tags_of_no_history(tag: str) -> None:
    """A tag without stable tag, with another shape, or with digits that are no time is no history."""
    assert HistoryTag.of_tag(tag) is None


@pytest.mark.parametrize(
    ("stable", "moved", "commit"),
    [
        pytest.param("", datetime(2026, 1, 1, tzinfo=UTC), "0000000", id="no stable tag"),
        pytest.param("v1-stable", datetime(2026, 1, 1), "0000000", id="no time zone"),  # noqa: DTZ001 - on purpose
        pytest.param("v1-stable", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), "0000000", id="not UTC"),
        pytest.param("v1-stable", datetime(2026, 1, 1, microsecond=1, tzinfo=UTC), "0000000", id="within a second"),
        pytest.param("v1-stable", datetime(2026, 1, 1, tzinfo=UTC), "000000", id="short commit"),
        pytest.param("v1-stable", datetime(2026, 1, 1, tzinfo=UTC), "HEAD000", id="no commit"),
        pytest.param("v1-stable", datetime(2026, 1, 1, tzinfo=UTC), "000000\n", id="a line's end"),
    ],
)
def test_history_tag_of_bad_values(stable: str, moved: datetime, commit: str) -> None:
    """A history tag cannot be made of values that would not be read back from it."""
    with pytest.raises(ValueError, match="make no history tag"):
        HistoryTag(stable, moved, commit)


# --- all three -------------------------------------------------------------------------------------------------------


@given(
    st.one_of(st.one_of(versions, channels, history_tags).map(str), versions.map(lambda one: one.tag), near_versions)
)
def test_grammars_are_disjoint(text: str) -> None:
    """No text is a release version and a channel, a release and a history, or a channel and a history."""
    read = (ReleaseVersion.of_chart(text), StableChannel.of_chart(text), HistoryTag.of_tag(text))
    assert sum(one is not None for one in read) <= 1


@given(st.text(max_size=40) | near_versions | history_tags.map(str))
def test_any_text_is_read(text: str) -> None:
    """Whatever the text, each grammar answers without an error."""
    assert ReleaseVersion.of_tag(text) is None or text.startswith("v")
    assert StableChannel.of_chart(text) is None or text.endswith("-stable")
    assert HistoryTag.of_tag(text) is None or len(text) > len(HISTORY_SUFFIX)
    assert not is_too_large(text) or ReleaseVersion.of_chart(text) is None
    assert not is_read_by_helm(text) or text.isascii()


@pytest.mark.parametrize(("text", "plain"), [("v1.2.3", "1.2.3"), ("1.2.3", "1.2.3"), ("vv1", "v1"), ("", "")])
def test_plain_version(text: str, plain: str) -> None:
    """One leading v goes, no more."""
    assert plain_version(text) == plain


# --- versions of others ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1.2.3", "v1.2.3", "1.2.3-rc.1", "v1.2.3-rc.1+build", f"1.2.3-{'9' * 5000}"])
def test_semantic_versions(text: str) -> None:
    """Any version of Semantic Versioning is read, with v or without."""
    assert str(semantic_version(text)) == plain_version(text)


@pytest.mark.parametrize("text", ["", "1.2", "01.2.3", "vv1.2.3", "latest", "1.2.\u0663", "1.2.3\n", "1.2.3-01"])
def test_texts_of_no_semantic_version(text: str) -> None:
    """What Semantic Versioning does not call a version is refused."""
    with pytest.raises(ValueError, match="is not valid SemVer"):
        semantic_version(text)


def test_order_of_semantic_versions() -> None:
    """A pre-release comes before its release, however large its number is."""
    texts = ["1.2.3-rc.9", "1.2.3-rc.10", f"1.2.3-rc.{'9' * 5000}", "1.2.3", "1.10.0"]
    assert [str(version) for version in sorted(map(semantic_version, reversed(texts)))] == texts


@pytest.mark.parametrize(
    "text",
    [
        *("1.2.3", "v1.2.3", "1", "v1", "1.2", "v1-stable", "1-stable", "1.2-rc.1", "1.2.3-rc.1+b.c", "01.02.03"),
        *(f"{LARGEST_NUMBER}.0.0", f"{'0' * 30}1.2.3", "00"),
    ],
)
def test_what_helm_reads(text: str) -> None:
    """Helm reads a version that is cut short or has leading zeros."""
    assert is_read_by_helm(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "v",
            "latest",
            "s3-v1.2.3",
            "3s-v1.2.3",
            "1.2.3.4",
            "1.2_x",
            "vv1",
            "1.2.3-",
            "1..2",
            "1.2.\u0663",
            "1\n",
        ),
        *(f"{LARGEST_NUMBER + 1}", f"1.2.{LARGEST_NUMBER + 1}", f"v{LARGEST_NUMBER + 1}-stable"),
    ],
    ids=shown,
)
def test_what_helm_does_not_read(text: str) -> None:
    """Helm reads no other text, and no number above the largest."""
    assert not is_read_by_helm(text)


# --- ranges -----------------------------------------------------------------------------------------------------------

OPERATORS = {"": "==", "=": "==", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
small = st.builds(ReleaseVersion, *[st.integers(0, 3)] * 3)
conditions = st.lists(st.tuples(st.sampled_from(sorted(OPERATORS)), small), min_size=1, max_size=3)


@given(conditions, small, st.sampled_from([" ", ", ", ",", "  "]), st.sampled_from(["", "v"]))
def test_range(wanted: list[tuple[str, ReleaseVersion]], version: ReleaseVersion, between: str, v: str) -> None:
    """A version is in a range exactly where it fulfils each condition; a range without any version is refused."""
    text = between.join(f"{operator}{v}{bound}" for operator, bound in wanted)

    def fulfils(one: ReleaseVersion) -> bool:
        def key(of: ReleaseVersion) -> tuple[int, int, int]:
            return of.major, of.minor, of.patch

        return all(eval(f"{key(one)} {OPERATORS[operator]} {key(bound)}") for operator, bound in wanted)  # noqa: S307

    everything = [ReleaseVersion(a, b, c) for a in range(5) for b in range(5) for c in range(6)]
    try:
        found = VersionRange.parse(text)
    except ValueError:
        assert not any(map(fulfils, everything))
        return
    assert found.contains(version) == fulfils(version)
    assert any(map(fulfils, everything))
    assert VersionRange.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "all",
            "1",
            "1.2",
            "1.x",
            "1.2.3-rc.1",
            "1.2.3+x",
            "01.2.3",
            "==1.2.3",
            "^1.2.3",
            "~1.2.3",
            "!=1.2.3",
        ),
        *("<=", "1.2.3 -", "1.2.32.0.0", ">=1.0.0<2.0.0", "1.2.3||1.2.4", ">1.0.0 <1.0.1", "<0.0.0", "1.2.3 1.2.4"),
        *(" 1.2.3", "1.2.3\n", "\u0661.2.3", "18446744073709551616.0.0"),
    ],
    ids=shown,
)
def test_what_is_no_range(text: str) -> None:
    """What is no version and no range of versions, or holds no version, is refused."""
    with pytest.raises(ValueError, match=r"neither a version|no version is|MAJOR\.MINOR\.PATCH"):
        VersionRange.parse(text)


def test_largest_version_in_a_range() -> None:
    """The largest version that Helm reads can be a bound like any other."""
    largest = ReleaseVersion(LARGEST_NUMBER, LARGEST_NUMBER, LARGEST_NUMBER)
    assert VersionRange.parse(f"<={largest}").contains(largest)
    with pytest.raises(ValueError, match="no version is"):
        VersionRange.parse(f">{largest}")


# --- nobody else -----------------------------------------------------------------------------------------------------

MODULES = sorted(module.name for module in pkgutil.walk_packages(runner.__path__, "runner."))
VERSIONS = {
    "1.2.3": "a.b.c",
    "v1.2.3": "va.b.c",
    "1-stable": "a-stable",
    "v1-stable": "va-stable",
    "v1-stable-20260101T000000Z-0123abc": "va-stable-aaaaaaaaTaaaaaaZ-aaaaaaa",
}
"""Versions and tags, with the same with letters for digits: an expression that takes both is of something else."""


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.36", "1.36.0"), ("v1.36.2", "1.36.2"), ("1.0", "1.0.0"), (f"1.{LARGEST_NUMBER}", f"1.{LARGEST_NUMBER}.0")],
)
def test_version_of_kubernetes(text: str, version: str) -> None:
    """A patch that is left out is the first."""
    assert kubernetes_version(text) == version
    assert kubernetes_version(version) == version


@pytest.mark.parametrize(
    "text", ["", "1", "1.36.2.1", "01.2", "1.36-eks", "latest", "1.3\u0663", f"1.{2**64}", "1.36\n"]
)
def test_no_version_of_kubernetes(text: str) -> None:
    """A text that is none, or that Helm cannot read, is refused."""
    with pytest.raises(ValueError, match="is not a version of Kubernetes"):
        kubernetes_version(text)


GRAMMARS_OF_OTHERS = {"runner.builders.gomodule": "of Go's own versions", "runner.chart.helm": "of Helm's own version"}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "runner.versions"])
def test_one_grammar(name: str) -> None:
    """No other module has a regular expression of versions, writes a v before one, or imports semver."""
    module = importlib.import_module(name)
    nodes = list(ast.walk(ast.parse((ROOT / str(module.__file__)).read_text(encoding="utf-8"))))
    expressions = [value.pattern for value in vars(module).values() if isinstance(value, re.Pattern)]
    expressions += [expression for node in nodes for expression in _expressions(node)]
    of_versions = [expression for expression in expressions if _takes_versions(expression)]
    assert bool(of_versions) == (name in GRAMMARS_OF_OTHERS), of_versions
    assert [ast.unparse(node) for node in nodes if _writes_a_tag(node) or _imports_semver(node)] == []


def _takes_versions(expression: str | bytes) -> bool:
    if isinstance(expression, bytes):
        return False
    read = re.compile(expression)
    return any(read.fullmatch(version) and not read.fullmatch(words) for version, words in VERSIONS.items())


def _expressions(node: ast.AST) -> list[str]:
    """What is handed to a function of re as it stands."""
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("re."):
        return []
    return [one.value for one in node.args[:1] if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _writes_a_tag(node: ast.AST) -> bool:
    """Whether an f-string has a v that is not the end of a word directly before a value."""
    if not isinstance(node, ast.JoinedStr):
        return False
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    return re.search(r"(?<![a-zA-Z0-9])v\0", text) is not None


def _imports_semver(node: ast.AST) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return any(name.partition(".")[0] == "semver" for name in names)
