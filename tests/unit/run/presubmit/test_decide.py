"""What a change would release once it is merged and tagged: decided from the chart, its tag and the history."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import parse_config
from runner.errors import ChartDisagrees, ChartMissing, ReleaseError, VersionTaken
from runner.run.presubmit.decide import Chart, Judged, Tag, judge_change, read_version, tag_of, version_there
from runner.run.selection import LeftOut, Selected
from runner.versions import LARGEST_NUMBER, ReleaseVersion

[SERVICE] = parse_config(b"registry: registry.example/ack\nservices: {s3: {}}\n", Path("jobs.yaml")).services.values()
COMMIT = "1" * 40

numbers = st.integers(0, 10**6)
plain = st.tuples(numbers, numbers, numbers).map(lambda parts: ".".join(map(str, parts)))
releases = st.tuples(st.sampled_from(["", "v"]), plain).map("".join)
others = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,4}(-[a-z0-9.]{1,6})?", fullmatch=True),
    st.from_regex(r"v?[0-9]-stable", fullmatch=True),
)
tags = st.builds(
    Tag,
    commit=st.just(COMMIT),
    merged=st.booleans(),
    same_chart=st.booleans(),
    chart_version=st.none() | st.just("") | plain,
)


def judge(version: str, tag: Tag | None = None, *, touched: bool = True, released: tuple[str, ...] = ()) -> Judged:
    return judge_change(Chart(SERVICE, version, touched), tag, map(ReleaseVersion.parse, released))


def tagged(version: str, *, merged: bool = True, same_chart: bool = False) -> Tag:
    """The tag of a release of a chart of this version."""
    return Tag(COMMIT, merged=merged, same_chart=same_chart, chart_version=version)


@given(releases)
def test_a_version_without_a_tag_is_released(version: str) -> None:
    """A version that no tag has is what the change releases, with or without v, and the reason names the tag."""
    one = judge(version)
    assert isinstance(one.row, Selected)
    assert one.row.version == version.removeprefix("v")
    assert f"v{one.row.version}" in one.row.reason
    assert one.warnings == ()


@given(releases | others, st.none() | tags, st.booleans())
def test_a_version_is_released_once_or_never(version: str, tag: Tag | None, touched: bool) -> None:  # noqa: FBT001 - drawn
    """Only a version MAJOR.MINOR.PATCH without a tag is released; every other outcome says why."""
    refusal = VersionTaken if tag_of(version) else ChartDisagrees
    try:
        one = judge(version, tag, touched=touched)
    except refusal:
        return
    assert isinstance(one.row, Selected) == (tag_of(version) is not None and tag is None)
    assert one.row.reason


@given(releases, tags)
def test_a_change_that_leaves_the_chart_alone_is_never_refused(version: str, tag: Tag) -> None:
    """Whatever the tag of its version holds, a chart that the change does not touch is not what it fails for."""
    one = judge(version, tag, touched=False)
    assert isinstance(one.row, LeftOut)


@given(releases, st.lists(plain, max_size=4))
def test_a_version_below_a_released_one_is_warned_of(version: str, released: list[str]) -> None:
    """A new version is warned of exactly when a higher one is in the history."""
    one = judge(version, released=tuple(released))
    mine, *others = ([int(number) for number in one.removeprefix("v").split(".")] for one in (version, *released))
    lower = [other for other in others if other > mine]
    assert isinstance(one.row, Selected)
    assert bool(one.warnings) == bool(lower)


@pytest.mark.parametrize("version", ["v0-stable", "1-stable", "v12-stable"])
def test_a_chart_of_stable_releases_nothing(version: str) -> None:
    """The version that charts on the branch stable have is no release, and the reason says so."""
    row = judge(version).row
    assert isinstance(row, LeftOut)
    assert "stable" in row.reason


@pytest.mark.parametrize("version", ["1.2.3-rc.1", "v0.0.0-non-release-version", "1.2.3+build"])
def test_a_pre_release_releases_nothing(version: str) -> None:
    """A version that is more than three numbers is no release, and the reason says what is one."""
    row = judge(version).row
    assert isinstance(row, LeftOut)
    assert "MAJOR.MINOR.PATCH" in row.reason


@pytest.mark.parametrize("version", ["1.2", "v1", "1.2.3.4", "01.2.3", "latest", "vv1.2.3", "stable", "v01-stable"])
def test_a_version_that_nothing_has_is_refused(version: str) -> None:
    """A version that neither a release nor stable has is refused with the file and what it should be."""
    with pytest.raises(ChartDisagrees, match=r"helm/Chart\.yaml: version is .*MAJOR\.MINOR\.PATCH"):
        judge(version)


@pytest.mark.parametrize("version", ["111111111111111111111.0.0", f"v1.2.{LARGEST_NUMBER + 1}", f"{'9' * 5000}.0.0"])
def test_a_version_with_too_large_a_number(version: str) -> None:
    """A version with a number that Helm cannot read is refused with the file and the limit."""
    with pytest.raises(
        ChartDisagrees, match=r"helm/Chart\.yaml: version is .*: a number in it is above 1844"
    ) as caught:
        judge(version)
    assert "Chart.yaml" in caught.value.remedy
    assert tag_of(version) is None


@pytest.mark.parametrize("version", [f"v{LARGEST_NUMBER + 1}-stable", f"{LARGEST_NUMBER + 1}.0.0-rc.1", "1.2.\u0663"])
def test_what_helm_cannot_read_is_refused(version: str) -> None:
    """What would be a channel, a pre-release or a version, but for a number that Helm cannot read, is refused."""
    with pytest.raises(ChartDisagrees, match=r"it should be MAJOR\.MINOR\.PATCH"):
        judge(version)


def test_a_released_chart_is_not_released_again() -> None:
    """A chart that is that of its version's tag releases nothing, without a warning."""
    one = judge("v1.2.3", tagged("1.2.3", same_chart=True))
    assert (isinstance(one.row, Selected), one.row.reason, one.warnings) == (
        False,
        "v1.2.3 is already tagged, with this chart",
        (),
    )


def test_a_chart_of_another_branch_is_not_released_again() -> None:
    """A chart that was released from another branch releases nothing, although HEAD does not contain the tag."""
    one = judge("v1.2.3", tagged("1.2.3", merged=False, same_chart=True))
    assert (isinstance(one.row, Selected), one.warnings) == (False, ())


def test_a_chart_that_changes_under_a_released_version_is_warned_of() -> None:
    """A change of a chart whose version stays gets a warning that it reaches nobody, with the file to change."""
    [warning] = judge("v1.2.3", tagged("1.2.3")).warnings
    assert "v1.2.3" in warning
    assert "not released until version in helm/Chart.yaml is raised" in warning


def test_a_chart_that_cannot_be_read_at_its_tag_counts_as_released() -> None:
    """In a clone without blobs the chart at the tag may be unknown: that is a release, not a refusal."""
    one = judge("v1.2.3", Tag(COMMIT, merged=True, same_chart=False, chart_version=None))
    assert isinstance(one.row, LeftOut)


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        pytest.param(tagged("1.2.3", merged=False), "HEAD does not contain", id="on another branch"),
        pytest.param(tagged("1.2.2"), "has 1.2.2", id="where the chart had another version"),
        pytest.param(tagged(""), "is not there", id="where there was no chart"),
    ],
)
def test_a_version_that_another_tag_took_is_refused(tag: Tag, says: str) -> None:
    """A change to a version whose tag released something else is refused, saying where the tag is."""
    with pytest.raises(VersionTaken) as caught:
        judge("v1.2.3", tag)
    assert says in caught.value.cause
    assert COMMIT in caught.value.cause
    [warning] = judge("v1.2.3", tag, touched=False).warnings
    assert says in warning


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        pytest.param(None, ChartMissing, "the commit has no helm/Chart.yaml", id="no file"),
        pytest.param(b"a: [\n", ChartMissing, r"helm/Chart\.yaml:\d+ cannot be read", id="no YAML"),
        pytest.param(b"name: s3-chart\n", ChartDisagrees, "version is missing", id="no version"),
        pytest.param(b"version:\n", ChartDisagrees, "version is missing", id="an empty version"),
    ],
)
def test_a_chart_without_a_version_is_refused(body: bytes | None, error: type[ReleaseError], says: str) -> None:
    """A Chart.yaml of which no version can be read is refused with file and, where it has one, line."""
    with pytest.raises(error, match=says):
        read_version(SERVICE, body)
    assert version_there(SERVICE, body) is None


def test_a_version_is_read_as_written() -> None:
    """A version keeps its v where the chart at HEAD is judged, and loses it where a tag's chart is compared."""
    body = b"version: v1.2.3\n"
    assert (read_version(SERVICE, body), version_there(SERVICE, body)) == ("v1.2.3", "1.2.3")
