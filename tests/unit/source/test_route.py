from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.errors import (
    ExitCode,
    HistoryMissing,
    NoReleaseMerged,
    NotARelease,
    ReleaseError,
    StableIsATag,
    TagMoved,
    UsageInvalid,
    VersionTaken,
)
from runner.source.clone import Head
from runner.source.event import Pull, read_event
from runner.source.route import (
    PresubmitPath,
    ReleasePath,
    Route,
    StablePath,
    check_presubmit,
    decide_route,
    presubmit_route,
    read_as_tag,
)
from runner.versions import LARGEST_NUMBER, RELEASE_TAGS, ReleaseVersion, highest_release
from tests.support.refs import OTHERS, READABLE, TOO_LARGE, starts_job

COMMIT = "1" * 40
OTHER = "2" * 40
TAG_OBJECT = "3" * 40

TAGGED = Head(
    commit=COMMIT,
    commit_time=datetime(2026, 1, 5, 10, tzinfo=UTC),
    tag_commit=COMMIT,
    branch_commit=COMMIT,
    base_sha_commit=COMMIT,
    base_sha_is_tag=False,
    shallow=False,
    has_tags=True,
    merged_tags=("v1.2.2", "v1.2.3"),
    trailers=(),
    changed=(),
)
ON_STABLE = replace(TAGGED, tag_commit=None)

numbers = st.integers(0, 10**12)
versions = st.tuples(numbers, numbers, numbers)
refs = st.one_of(
    st.sampled_from([*READABLE, *TOO_LARGE, *OTHERS]),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=20),
    st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,4}(-[a-z0-9.]{1,6})?", fullmatch=True),
    st.sampled_from(["stable", "unstable", "Stable", "stable-2", "stable/v1", "refs/heads/stable", "v1.2.3"]),
)
large_numbers = st.integers(0, 10**25)
started_tags = st.one_of(
    st.sampled_from([*READABLE, *TOO_LARGE]),
    st.from_regex(re.compile(RELEASE_TAGS.replace("$", r"\Z"), re.ASCII)),
    st.builds("v{}.{}.{}".format, large_numbers, large_numbers, large_numbers),
)
"""Tags that the expression of the jobs accepts."""


def decide(ref: str, head: Head, sha: str | None = COMMIT) -> Route:
    environment = {"REPO_OWNER": "octo", "REPO_NAME": "widget", "PULL_BASE_REF": ref, "PULL_BASE_SHA": sha or ""}
    return decide_route(replace(read_event({**environment, "PULL_BASE_REF": "x"}), base_ref=ref), head)


def dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


@pytest.mark.parametrize(
    ("ref", "head", "sha", "route"),
    [
        pytest.param("v1.2.3", TAGGED, COMMIT, ReleasePath("1.2.3"), id="lightweight tag"),
        pytest.param(
            "v1.2.3", replace(TAGGED, base_sha_is_tag=True), TAG_OBJECT, ReleasePath("1.2.3"), id="annotated tag"
        ),
        pytest.param(
            "v1.2.3", replace(TAGGED, base_sha_commit=None), None, ReleasePath("1.2.3"), id="tag, no commit given"
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, branch_commit=OTHER),
            COMMIT,
            ReleasePath("1.2.3"),
            id="a branch of that name elsewhere",
        ),
        pytest.param("v1.2.3", replace(TAGGED, branch_commit=None), COMMIT, ReleasePath("1.2.3"), id="no such branch"),
        pytest.param(
            "v1.2.3", replace(TAGGED, shallow=True), COMMIT, ReleasePath("1.2.3"), id="shallow does not matter"
        ),
        pytest.param("v0.0.0", TAGGED, COMMIT, ReleasePath("0.0.0"), id="zeros"),
        pytest.param("v10.20.30", TAGGED, COMMIT, ReleasePath("10.20.30"), id="two digits"),
        pytest.param("stable", ON_STABLE, COMMIT, StablePath(1, "1.2.3"), id="stable"),
        pytest.param(
            "stable",
            replace(ON_STABLE, base_sha_commit=None),
            None,
            StablePath(1, "1.2.3"),
            id="stable, no commit given",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, tag_commit=OTHER),
            COMMIT,
            StablePath(1, "1.2.3"),
            id="a stale tag stable elsewhere",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, branch_commit=None),
            COMMIT,
            StablePath(1, "1.2.3"),
            id="HEAD is what was pushed",
        ),
    ],
)
def test_a_release_takes_its_path(ref: str, head: Head, sha: str | None, route: Route) -> None:
    """A release tag at COMMIT takes the release path, and the branch stable the stable path."""
    assert decide(ref, head, sha) == route


@pytest.mark.parametrize(
    ("ref", "head", "sha", "error", "words"),
    [
        pytest.param(
            "v1.2.3",
            replace(TAGGED, tag_commit=None),
            COMMIT,
            NotARelease,
            ("branch", "v1.2.3", COMMIT),
            id="branch v1.2.3",
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, tag_commit=None, has_tags=False, merged_tags=()),
            COMMIT,
            NotARelease,
            ("branch", "v1.2.3"),
            id="branch v1.2.3 in a clone without tags",
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, tag_commit=None, branch_commit=None),
            COMMIT,
            NotARelease,
            ("no tag", "no branch"),
            id="neither tag nor branch",
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, tag_commit=None, base_sha_is_tag=True, has_tags=False, merged_tags=()),
            TAG_OBJECT,
            HistoryMissing,
            ("v1.2.3", "no tags"),
            id="annotated tag, tags not cloned",
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, tag_commit=None, base_sha_is_tag=True),
            TAG_OBJECT,
            TagMoved,
            ("no longer exists", TAG_OBJECT),
            id="annotated tag, deleted since",
        ),
        pytest.param("v1.2.3", replace(TAGGED, tag_commit=OTHER), COMMIT, TagMoved, (COMMIT, OTHER), id="tag moved"),
        pytest.param(
            "v1.2.3", replace(TAGGED, base_sha_commit=OTHER), OTHER, TagMoved, (COMMIT, OTHER), id="pushed elsewhere"
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, base_sha_commit=OTHER, base_sha_is_tag=True),
            TAG_OBJECT,
            TagMoved,
            (COMMIT, OTHER, TAG_OBJECT),
            id="annotated tag pushed elsewhere",
        ),
        pytest.param(
            "v1.2.3",
            replace(TAGGED, base_sha_commit=None),
            OTHER,
            TagMoved,
            (OTHER, COMMIT),
            id="pushed commit unknown",
        ),
        pytest.param(
            "stable",
            replace(TAGGED, base_sha_is_tag=True),
            TAG_OBJECT,
            StableIsATag,
            ("stable", COMMIT),
            id="tag stable",
        ),
        pytest.param("stable", TAGGED, COMMIT, StableIsATag, ("stable", COMMIT), id="lightweight tag stable"),
        pytest.param(
            "stable",
            replace(ON_STABLE, base_sha_is_tag=True, has_tags=False, merged_tags=()),
            TAG_OBJECT,
            StableIsATag,
            ("stable", COMMIT),
            id="tag stable, tags not cloned",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, base_sha_commit=OTHER),
            OTHER,
            NotARelease,
            (COMMIT, OTHER),
            id="stable moved on",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, base_sha_commit=None),
            OTHER,
            NotARelease,
            (COMMIT, OTHER),
            id="not the pushed clone",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, base_sha_commit=None, branch_commit=OTHER),
            None,
            NotARelease,
            (COMMIT, OTHER),
            id="another branch is checked out",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, base_sha_commit=None, branch_commit=None),
            None,
            NotARelease,
            (COMMIT, "not in this clone"),
            id="there is no branch stable",
        ),
        pytest.param("stable", replace(ON_STABLE, shallow=True), COMMIT, HistoryMissing, ("shallow",), id="shallow"),
        pytest.param(
            "stable",
            replace(ON_STABLE, has_tags=False, merged_tags=()),
            COMMIT,
            HistoryMissing,
            ("no tags",),
            id="no tags",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, merged_tags=()),
            COMMIT,
            NoReleaseMerged,
            ("v", COMMIT),
            id="tags, but none merged",
        ),
        pytest.param(
            "stable",
            replace(ON_STABLE, merged_tags=("v1.2.3-rc.1", "1.2.3", "v1.2", "release-1", "stable", "v01.2.3")),
            COMMIT,
            NoReleaseMerged,
            (COMMIT,),
            id="only other tags merged",
        ),
        *(
            pytest.param(ref, replace(TAGGED), COMMIT, NotARelease, (ref, "vMAJOR.MINOR.PATCH", "stable"), id=ref)
            for ref in (
                *(
                    "unstable",
                    "stable-2",
                    "Stable",
                    "stable/v1",
                    "v1-stable",
                    "heads/stable",
                    "refs/heads/stable",
                    "main",
                ),
                *("v1", "v1.2", "v1.2.3.4", "1.2.3", "V1.2.3", "v1.2.3-rc.1", "v1.2.3+build", "v01.2.3", "v1.02.3"),
                *("v1.2.03", "release/v1.2.3", "refs/tags/v1.2.3", "v1.2.x", "vv1.2.3", "v1.2.3-", "v1.2.\u0663"),
            )
        ),
    ],
)
def test_everything_else_is_refused(
    ref: str, head: Head, sha: str | None, error: type[ReleaseError], words: tuple[str, ...]
) -> None:
    """Each push that is no release has its own error with exit code 3, and a cause that names what was found."""
    with pytest.raises(error) as caught:
        decide(ref, head, sha)
    assert caught.value.exit_code == ExitCode.NOT_A_RELEASE
    assert [word for word in words if word not in caught.value.cause] == []
    assert caught.value.remedy


def test_the_remedy_for_another_ref_says_which_are_released() -> None:
    """Whoever pushed another ref reads which refs are released."""
    with pytest.raises(NotARelease) as caught:
        decide("v1.2.3-rc.1", TAGGED)
    assert "vMAJOR.MINOR.PATCH" in caught.value.remedy
    assert "stable" in caught.value.remedy


@given(refs)
def test_no_other_name_is_released(ref: str) -> None:
    """Only vMAJOR.MINOR.PATCH, its numbers as Helm reads them, and exactly stable take a path, however spelled."""
    parts = ref.removeprefix("v").split(".")
    plain = all(
        part and set(part) <= set(string.digits) and part == str(int(part)) and int(part) <= LARGEST_NUMBER
        for part in parts
    )
    release = ref.startswith("v") and len(parts) == 3 and plain
    assume(ref != "stable")
    if release:
        assert decide(ref, TAGGED) == ReleasePath(ref[1:])
    else:
        with pytest.raises(NotARelease):
            decide(ref, TAGGED)


@given(started_tags)
def test_started_jobs_that_release_nothing(ref: str) -> None:
    """Whatever tag a job is started for, what the program does not release it refuses with exit 3 and a remedy."""
    assert starts_job(ref)
    if ReleaseVersion.of_tag(ref) is not None:
        assert decide(ref, TAGGED) == ReleasePath(ref.removeprefix("v"))
        return
    with pytest.raises(NotARelease) as caught:
        decide(ref, TAGGED)
    assert caught.value.exit_code == ExitCode.NOT_A_RELEASE
    assert str(LARGEST_NUMBER) in caught.value.cause
    assert ref in caught.value.remedy


@given(refs)
def test_released_refs_start_jobs(ref: str) -> None:
    """Whatever ref the program would release, the job is started for it."""
    try:
        decide(ref, TAGGED if ref != "stable" else ON_STABLE)
    except ReleaseError:
        return
    assert starts_job(ref)


@pytest.mark.parametrize("ref", TOO_LARGE, ids=lambda ref: ref[:40])
def test_a_tag_with_too_large_a_number(ref: str) -> None:
    """A tag with a number that Helm cannot read is exit 3: the cause says the limit, the remedy what to do."""
    with pytest.raises(NotARelease) as caught:
        decide(ref, TAGGED)
    assert caught.value.cause == (
        f"the ref {ref} cannot be released: a number in it is above 18446744073709551615, the largest that Helm reads"
        " in a version"
    )
    assert caught.value.remedy == f"Delete {ref}, and tag the commit with a version of smaller numbers."


@pytest.mark.parametrize(
    "ref", [f"{LARGEST_NUMBER + 1}.0.0", f"vv{LARGEST_NUMBER + 1}.0.0", "v111111111111111111111-stable"]
)
def test_a_ref_that_is_no_tag_of_a_version(ref: str) -> None:
    """A ref that would be no release with smaller numbers either is not blamed on its numbers."""
    with pytest.raises(NotARelease, match=r"neither a tag vMAJOR\.MINOR\.PATCH"):
        decide(ref, TAGGED)


@given(st.lists(st.sampled_from(TOO_LARGE), min_size=1, max_size=4), st.none() | versions)
def test_merged_tags_with_too_large_a_number(tags: list[str], version: tuple[int, int, int] | None) -> None:
    """On stable a merged tag with too large a number is no release: it is neither the highest nor in the way."""
    if version is None:
        with pytest.raises(NoReleaseMerged):
            decide("stable", replace(ON_STABLE, merged_tags=tuple(tags)))
        return
    merged = (f"v{dotted(version)}", *tags)
    assert decide("stable", replace(ON_STABLE, merged_tags=merged)) == StablePath(version[0], dotted(version))


@given(versions)
def test_a_paths_tag(version: tuple[int, int, int]) -> None:
    """The tag of a release path is the ref that leads to it."""
    route = decide(f"v{dotted(version)}", TAGGED)
    assert isinstance(route, ReleasePath)
    assert (route.version, route.tag) == (dotted(version), f"v{dotted(version)}")


@given(st.lists(versions, min_size=1, max_size=8), st.lists(refs, max_size=8), st.data())
def test_the_highest_release_wins(found: list[tuple[int, int, int]], others: list[str], data: st.DataObject) -> None:
    """In whatever order and among whatever other tags, the highest version is found by its numbers."""
    assume(all(ReleaseVersion.of_tag(other) is None for other in others))
    pre_releases = [f"v{dotted((major + 1, minor, patch))}-rc.1" for major, minor, patch in found]
    tags = data.draw(st.permutations([f"v{dotted(version)}" for version in found] + others + pre_releases))
    assert highest_release(tags) == ReleaseVersion(*max(found))
    route = decide("stable", replace(ON_STABLE, merged_tags=tuple(tags)))
    assert route == StablePath(max(found)[0], dotted(max(found)))


@given(
    ref=st.sampled_from(["v1.2.3", "stable"]),
    pushed=st.sampled_from([None, COMMIT, OTHER]),
    head=st.builds(
        replace,
        st.just(TAGGED),
        tag_commit=st.sampled_from([None, COMMIT, OTHER]),
        branch_commit=st.sampled_from([None, COMMIT, OTHER]),
        base_sha_is_tag=st.booleans(),
        has_tags=st.booleans(),
    ),
)
def test_nothing_but_the_pushed_commit_is_released(ref: str, pushed: str | None, head: Head) -> None:
    """Whatever tag, branch and pushed commit are, a path is taken only if HEAD is shown to be what was pushed."""
    head = replace(head, base_sha_commit=pushed, base_sha_is_tag=head.base_sha_is_tag and pushed is not None)
    try:
        route = decide(ref, head, pushed)
    except ReleaseError as error:
        assert error.exit_code == ExitCode.NOT_A_RELEASE  # noqa: PT017 - either outcome is right, each within its bounds
        return
    assert pushed in {None, COMMIT}
    if isinstance(route, ReleasePath):
        assert head.tag_commit == COMMIT
    else:
        assert head.tag_commit != COMMIT
        assert not head.base_sha_is_tag
        assert COMMIT in {head.branch_commit, pushed}


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("from-chart", PresubmitPath()),
        ("1.2.3", ReleasePath("1.2.3")),
        ("v1.2.3", ReleasePath("1.2.3")),
        ("v0.0.0", ReleasePath("0.0.0")),
    ],
)
def test_what_head_is_planned_as(text: str, route: Route) -> None:
    """A version, with or without v, is the release of its tag; from-chart leaves it to the charts."""
    assert read_as_tag(text) == route


@pytest.mark.parametrize("text", ["", "v", "1.2", "vv1.2.3", "1.2.3-rc.1", "01.2.3", "stable", "from-charts", "V1.2.3"])
def test_head_is_planned_as_nothing_else(text: str) -> None:
    """All else is refused as a mistake on the command line, with what may stand there."""
    with pytest.raises(UsageInvalid, match=r"--as-tag .* neither") as caught:
        read_as_tag(text)
    assert "from-chart" in caught.value.remedy


def proposed(text: str, base: str, head: Head = ON_STABLE) -> Route:
    """Decide the path of a change of this branch."""
    event = read_event({"REPO_OWNER": "octo", "REPO_NAME": "widget", "PULL_BASE_REF": base}, presubmit=True)
    return presubmit_route(read_as_tag(text), event, head)


def test_a_change_of_stable_is_a_move_of_stable() -> None:
    """By each chart's version, a change of the branch stable is judged as the push that its merge is."""
    assert proposed("from-chart", "stable") == StablePath(1, "1.2.3")
    with pytest.raises(NoReleaseMerged):
        proposed("from-chart", "stable", replace(ON_STABLE, merged_tags=()))
    with pytest.raises(HistoryMissing):
        proposed("from-chart", "stable", replace(ON_STABLE, shallow=True))


@pytest.mark.parametrize("base", ["main", "unstable", "stable-2", "refs/heads/stable", "Stable"])
def test_a_change_of_another_branch_is_left_to_the_charts(base: str) -> None:
    """A change of any other branch is judged by the version in each chart."""
    assert proposed("from-chart", base) == PresubmitPath()


def test_a_given_version_is_released_from_stable_too() -> None:
    """A version that is given is planned as its release, whatever branch the change is of."""
    assert proposed("v1.3.0", "stable") == ReleasePath("1.3.0")


def judge_change(
    route: ReleasePath | PresubmitPath, *contained: str, head: Head = ON_STABLE, tag: str | None = None
) -> None:
    """Check the pull request OTHER against the base COMMIT, of which these commits are in the clone's COMMIT."""
    event = read_event(
        {"REPO_OWNER": "octo", "REPO_NAME": "widget", "PULL_BASE_REF": "main", "PULL_BASE_SHA": COMMIT}, presubmit=True
    )
    check_presubmit(route, replace(event, pulls=(Pull("17", OTHER),)), head, contained, tag)


@pytest.mark.parametrize("route", [PresubmitPath(), ReleasePath("1.3.0")], ids=["from-chart", "version"])
def test_a_proposal_contains_what_it_proposes(route: ReleasePath | PresubmitPath) -> None:
    """COMMIT must contain the base and every pull request; a refusal names what is not in it."""
    judge_change(route, COMMIT, OTHER)
    with pytest.raises(NotARelease, match=f"pull request 17 is at {OTHER}"):
        judge_change(route, COMMIT)
    with pytest.raises(NotARelease, match=f"the base main was at {COMMIT}"):
        judge_change(route, OTHER)


def test_a_shallow_clone_does_not_say_what_is_released() -> None:
    """The history is needed to read versions from charts, and not for a version that is given."""
    shallow = replace(ON_STABLE, shallow=True)
    judge_change(ReleasePath("1.3.0"), COMMIT, OTHER, head=shallow)
    with pytest.raises(HistoryMissing):
        judge_change(PresubmitPath(), COMMIT, OTHER, head=shallow)


def test_a_version_whose_tag_is_elsewhere_is_refused() -> None:
    """A version whose tag is at COMMIT may be planned; one whose tag is at another commit is a conflict."""
    judge_change(ReleasePath("1.2.3"), COMMIT, OTHER, tag=COMMIT)
    with pytest.raises(VersionTaken, match=f"v1.2.3 is already tagged at {OTHER}") as caught:
        judge_change(ReleasePath("1.2.3"), COMMIT, OTHER, tag=OTHER)
    assert caught.value.exit_code == ExitCode.CONFLICT
