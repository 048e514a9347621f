"""The plan: every case a row, and two properties over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from runner.annotations import RELEASE_IMAGE, RELEASE_PLATFORMS, RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.errors import AlreadyPublished, StableBackwards
from runner.oci.manifest import CREATED, OCI_INDEX, OCI_MANIFEST, REVISION, SOURCE, Manifest, Platform
from runner.oci.name import Name
from runner.published.observed import ABSENT, Observation, Published
from runner.run.plan.model import Action, Entry, Identity, Kind, Plan
from runner.run.plan.release import plan_release
from runner.run.plan.stable import (
    OLDEST,
    Candidate,
    Position,
    history_names,
    named_commit,
    plan_stable,
    plan_stable_unchanged,
    position_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THIS = Identity("a" * 40, "https://github.com/aws-controllers-k8s/s3-controller")
OTHER = Identity("b" * 40, THIS.source)
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
IMAGE = Name.parse("registry.example/ns/controller:s3-v1.2.3")
IMAGE_TOO = Name.parse("registry.example/ns/s3-controller:1.2.3")
CHART = Name.parse("registry.example/ns/chart:s3-v1.2.3")
CHART_TOO = Name.parse("registry.example/ns/s3-chart:1.2.3")
STAGED = Name.parse("127.0.0.1:5000/staging/controller:s3-v1.2.3")


def artifact(
    identity: Identity | None = THIS, *, index: bool = False, same_files: bool | None = None, **annotations: str
) -> Published:
    """An artifact as the registry holds it; ``identity`` None is what a tool without annotations published."""
    stated = {REVISION: identity.revision, SOURCE: identity.source} if identity else {}
    stated |= {key.replace("_", "."): value for key, value in annotations.items()}
    manifest = Manifest.write(
        OCI_INDEX if index else OCI_MANIFEST, {"schemaVersion": 2, "annotations": dict(sorted(stated.items()))}
    )
    return Published(manifest, (AMD64, ARM64) if index else (), same_files=same_files)


def image(identity: Identity | None = THIS, platforms: str = "linux/amd64,linux/arm64") -> Published:
    """A published image."""
    if identity is None:
        return artifact(None, index=True)
    return annotated({REVISION: identity.revision, SOURCE: identity.source, RELEASE_PLATFORMS: platforms}, OCI_INDEX)


def chart_with_image(digest: str, identity: Identity = THIS) -> Published:
    """A published chart that was released with this image."""
    named = f"registry.example/ns/controller@{digest}"
    return annotated({REVISION: identity.revision, SOURCE: identity.source, RELEASE_IMAGE: named}, OCI_MANIFEST)


def annotated(
    annotations: Mapping[str, str], media_type: str = OCI_MANIFEST, app_version: str | None = None
) -> Published:
    """Anything with these annotations."""
    return Published(Manifest.write(media_type, {"annotations": dict(annotations)}), app_version=app_version)


@dataclass(frozen=True)
class Case:
    """What is there, and what is to happen to images and charts in order."""

    observed: Mapping[Name, Observation]
    actions: Sequence[str]
    says: str = ""
    refused: bool = False


HELD, C = image(), chart_with_image(image().digest)
P, S, R = "publish", "skip", "refuse"

CASES = {
    "nothing is there": Case({}, (P, P, P, P), "not in the registry"),
    "everything is there": Case({IMAGE: HELD, IMAGE_TOO: HELD, CHART: C, CHART_TOO: C}, (S, S, S, S), "this commit"),
    "image without chart": Case({IMAGE: HELD, IMAGE_TOO: HELD}, (S, S, P, P)),
    "chart without image": Case({CHART: C, CHART_TOO: C}, (P, P, S, S), "its image is not"),
    "one image name is missing": Case({IMAGE: HELD, CHART: C, CHART_TOO: C}, (S, P, S, S), f"{IMAGE} holds it"),
    "the primary chart name is missing": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART_TOO: C}, (S, S, P, S), f"{CHART_TOO} holds it"
    ),
    "image of another commit": Case(
        {IMAGE: image(OTHER)}, (R, S, S, S), "published from commit bbbbbbbbbbbb", refused=True
    ),
    "chart of another commit": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: artifact(OTHER)},
        (S, S, R, S),
        "this run is at commit aaaaaaaaaaaa",
        refused=True,
    ),
    "second name of another commit": Case(
        {IMAGE: HELD, IMAGE_TOO: image(OTHER)}, (S, R, S, S), str(IMAGE_TOO), refused=True
    ),
    "same commit of a fork": Case(
        {IMAGE: image(Identity(THIS.revision, "https://github.com/someone/s3-controller"))},
        (R, S, S, S),
        "someone/s3-controller",
        refused=True,
    ),
    "image of the former job": Case({IMAGE: image(None)}, (R, S, S, S), "without a revision", refused=True),
    "chart of the former job with equal files": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: artifact(None, same_files=True)}, (S, S, S, P), "equal files"
    ),
    "chart of the former job with other files": Case(
        {IMAGE: HELD, IMAGE_TOO: HELD, CHART: artifact(None, same_files=False)},
        (S, S, R, S),
        "not this commit's",
        refused=True,
    ),
    "fewer platforms than asked for": Case(
        {IMAGE: image(platforms="linux/amd64"), IMAGE_TOO: image(platforms="linux/amd64"), CHART: C, CHART_TOO: C},
        (S, S, S, S),
        "not for linux/arm64",
    ),
}


def everything(observed: Mapping[Name, Observation]) -> dict[Name, Observation]:
    """Fill in what the case leaves out: absent."""
    return {name: observed.get(name, ABSENT) for name in (IMAGE, IMAGE_TOO, CHART, CHART_TOO)}


def decide(observed: Mapping[Name, Observation]) -> Plan:
    """Plan the release of this commit over what was observed."""
    return plan_release(
        "s3",
        identity=THIS,
        images=(IMAGE, IMAGE_TOO),
        charts=(CHART, CHART_TOO),
        platforms=(AMD64, ARM64),
        observed=everything(observed),
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_case_gets_its_actions_and_says_why(case: Case) -> None:
    """Each state of the registry gives its actions, in the order of the names, with the reason in words."""
    plan = decide(case.observed)
    assert tuple(entry.action.value for entry in plan.entries) == tuple(case.actions)
    assert all(entry.reason for entry in plan.entries)
    said = "\n".join(
        (*(entry.reason for entry in plan.entries), *plan.notes, *(plan.error.detail if plan.error else ()))
    )
    assert case.says in said
    assert (plan.error is not None) is case.refused


def test_refusal_holds_back_the_rest_and_names_every_conflict() -> None:
    """A refused name is a conflict for the whole service: nothing else is published, and each conflict is listed."""
    plan = decide({IMAGE: image(OTHER), CHART: artifact(OTHER)})
    assert isinstance(plan.error, AlreadyPublished)
    assert not plan.publishes
    assert [str(IMAGE) in plan.error.detail[0], str(CHART) in plan.error.detail[1]] == [True, True]
    assert "held back" in plan.entries[1].reason
    assert plan.entries[1].digest is None, "with a digest it would be told as published"


def test_staging_names_are_planned_like_any_other() -> None:
    """A staging registry's names are only names: its own content decides."""
    plan = plan_release("s3", identity=THIS, images=(STAGED,), charts=(), platforms=(AMD64,), observed={STAGED: ABSENT})
    assert [entry.action for entry in plan.entries] == [Action.PUBLISH]


def test_chart_released_with_another_image_is_a_warning() -> None:
    """A chart whose annotation names another image than the one under the image's name is pointed out."""
    plan = decide({IMAGE: HELD, IMAGE_TOO: HELD, CHART: chart_with_image("sha256:" + "0" * 64), CHART_TOO: C})
    assert any("was released with image sha256:0000" in warning for warning in plan.warnings)


def test_names_of_one_release_with_two_digests_are_a_warning() -> None:
    """Two names that should be the same manifest and are not are left alone and pointed out."""
    plan = decide({IMAGE: HELD, IMAGE_TOO: image(platforms="linux/amd64"), CHART: C, CHART_TOO: C})
    assert any("names of one release differ" in warning for warning in plan.warnings)
    assert not plan.publishes


observations = st.sampled_from([ABSENT, HELD, image(OTHER), image(None), image(platforms="linux/amd64")])
chart_observations = st.sampled_from(
    [ABSENT, C, artifact(OTHER), artifact(None, same_files=True), artifact(None, same_files=False)]
)
states = st.fixed_dictionaries(
    {IMAGE: observations, IMAGE_TOO: observations, CHART: chart_observations, CHART_TOO: chart_observations}
)


def apply(plan: Plan, observed: Mapping[Name, Observation]) -> dict[Name, Observation]:
    """What the registry holds once the plan is carried out."""
    fresh = {Kind.IMAGE: HELD, Kind.CHART: C}
    after = dict(observed)
    for entry in plan.entries:
        if entry.action is Action.PUBLISH:
            after[entry.name] = observed[entry.copy_of] if entry.copy_of else fresh[entry.kind]
    return after


@given(states)
def test_a_plan_that_is_carried_out_is_followed_by_a_plan_of_skips(observed: dict[Name, Observation]) -> None:
    """Whatever is there: after a plan without refusal is carried out, nothing is left to publish or refuse."""
    plan = decide(observed)
    if plan.error is None:
        again = decide(apply(plan, observed))
        assert [entry.action for entry in again.entries] == [Action.SKIP] * 4


@given(states)
def test_no_plan_ever_changes_a_release_name_that_exists(observed: dict[Name, Observation]) -> None:
    """Whatever is there: a name that holds something is never published to."""
    for entry in decide(observed).entries:
        if observed[entry.name] is not ABSENT:
            assert entry.action is not Action.PUBLISH


@given(states)
def test_a_copy_is_made_only_of_what_is_this_commits(observed: dict[Name, Observation]) -> None:
    """Whatever is there: what a name is copied from holds this very commit's artifact."""
    for entry in decide(observed).entries:
        if entry.copy_of is not None:
            held = observed[entry.copy_of]
            assert isinstance(held, Published)
            assert THIS.differs_from(held) is None


# --- stable ----------------------------------------------------------------------------------------------------------

STABLE = Name.parse("registry.example/ns/chart:s3-v1-stable")
STABLE_TOO = Name.parse("registry.example/ns/s3-chart:v1-stable")
NOW = datetime(2026, 11, 24, 12, 30, 15, tzinfo=UTC)
NEWEST = "s3-v1-stable-20261124T123015Z-aaaaaaa"


def position(image_version: str, resolved: str | None = None, minutes: int = 0) -> Position:
    """A position; minutes after an arbitrary time."""
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return Position(Version.parse(image_version), Version.parse(resolved or image_version), when)


def stable_chart(at: Position, revision: str = "c" * 40) -> Published:
    """A stable chart that this program published."""
    return annotated(
        {
            REVISION: revision,
            SOURCE: THIS.source,
            RELEASE_VERSION: str(at.image_version),
            RELEASE_RESOLVED_VERSION: str(at.resolved_version),
            CREATED: at.commit_time.isoformat(),
        }
    )


def decide_stable(
    candidate: Candidate,
    observed: Mapping[Name, Observation],
    histories: Mapping[Name, Sequence[Name]] | None = None,
    names: Sequence[Name] = (STABLE,),
) -> Plan:
    """Plan the move of stable."""
    return plan_stable("s3", names=names, candidate=candidate, observed=observed, histories=histories or {}, now=NOW)


CANDIDATE = Candidate("sha256:" + "1" * 64, THIS.revision, position("1.2.3", "1.3.0", 5))


def test_first_stable_writes_history_before_the_moving_name() -> None:
    """Where nothing is there, the history name is written first, then the moving name."""
    plan = decide_stable(CANDIDATE, {STABLE: ABSENT})
    assert [(entry.name.tag, entry.action) for entry in plan.entries] == [
        (NEWEST, Action.PUBLISH),
        ("s3-v1-stable", Action.PUBLISH),
    ]


def test_every_moving_name_has_a_history_of_its_own() -> None:
    """Two moving names have a history each, in their own repositories, and each history comes before its name."""
    plan = decide_stable(CANDIDATE, {STABLE: ABSENT, STABLE_TOO: ABSENT}, names=(STABLE, STABLE_TOO))
    assert [str(entry.name.repository).rsplit("/", 1)[1] for entry in plan.entries] == [
        "chart",
        "chart",
        *["s3-chart"] * 2,
    ]
    assert [entry.name.tag.endswith("stable") for entry in plan.entries] == [False, True, False, True]


@pytest.mark.parametrize(
    ("there", "moves"),
    [
        (position("1.2.2", "1.3.0", 9), True),
        (position("1.2.3", "1.2.9", 9), True),
        (position("1.2.3", "1.3.0", 4), True),
        (position("1.2.3", "1.3.0", 5), True),
        (position("1.2.3", "1.3.0", 6), False),
        (position("1.2.3", "1.3.1", 0), False),
        (position("1.10.0", "1.10.0", 0), False),
    ],
    ids=[
        "older image",
        "older resolved",
        "older commit",
        "same moment",
        "newer commit",
        "newer resolved",
        "newer image",
    ],
)
def test_stable_moves_forward_only(there: Position, *, moves: bool) -> None:
    """Order is image version, then resolved version, then commit time; lower is refused and nothing is written."""
    plan = decide_stable(CANDIDATE, {STABLE: stable_chart(there)})
    assert (plan.error is None, plan.publishes) == (moves, moves)
    if not moves:
        assert isinstance(plan.error, StableBackwards)


def test_backwards_that_is_meant_moves_and_is_noted() -> None:
    """A backwards move that is meant is carried out, and the plan says so."""
    meant = Candidate(CANDIDATE.digest, CANDIDATE.revision, CANDIDATE.position, backwards="the trailer asks for it")
    plan = decide_stable(meant, {STABLE: stable_chart(position("2.0.0"))})
    assert plan.publishes
    assert plan.notes == (f"{STABLE} moves backwards: the trailer asks for it",)


def test_stable_that_holds_the_chart_is_left_alone() -> None:
    """A moving name that holds the candidate's manifest is skipped, without history."""
    held = stable_chart(CANDIDATE.position)
    plan = decide_stable(Candidate(held.digest, THIS.revision, CANDIDATE.position), {STABLE: held})
    assert [entry.action for entry in plan.entries] == [Action.SKIP]


def test_unfinished_move_reuses_its_history() -> None:
    """When the newest history name holds the chart and the moving name does not, no second history is written."""
    held = stable_chart(CANDIDATE.position)
    newest = Name(STABLE.repository, "s3-v1-stable-20260101T000000Z-ccccccc")
    plan = decide_stable(
        Candidate(held.digest, THIS.revision, CANDIDATE.position),
        {STABLE: stable_chart(position("1.0.0")), newest: held},
        {STABLE: (newest,)},
    )
    assert [(entry.name, entry.action) for entry in plan.entries] == [(newest, Action.SKIP), (STABLE, Action.PUBLISH)]


def test_one_backwards_name_holds_back_the_other() -> None:
    """Where one of two moving names would move backwards, the other does not move either."""
    plan = decide_stable(
        CANDIDATE, {STABLE: ABSENT, STABLE_TOO: stable_chart(position("2.0.0"))}, names=(STABLE, STABLE_TOO)
    )
    assert plan.error is not None
    assert not plan.publishes
    held_back = [entry for entry in plan.entries if entry.action is Action.SKIP]
    assert [entry.name for entry in held_back if entry.name == STABLE] == [STABLE]
    assert {entry.digest for entry in held_back} == {None}, "with a digest they would be told as published"


def test_chart_of_this_commit_under_every_moving_name_needs_no_packaging() -> None:
    """When all moving names hold this commit's chart the plan is skips, without a candidate; else there is no plan."""
    held = stable_chart(CANDIDATE.position, THIS.revision)
    plan = plan_stable_unchanged("s3", (STABLE, STABLE_TOO), THIS, {STABLE: held, STABLE_TOO: held})
    assert plan is not None
    assert not plan.publishes
    assert plan_stable_unchanged("s3", (STABLE, STABLE_TOO), THIS, {STABLE: held, STABLE_TOO: ABSENT}) is None
    other = stable_chart(CANDIDATE.position, OTHER.revision)
    assert plan_stable_unchanged("s3", (STABLE,), THIS, {STABLE: other}) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (annotated({}, app_version="v1.2.3"), Position(Version(1, 2, 3), Version(1, 2, 3), OLDEST)),
        (
            annotated({RELEASE_VERSION: "1.2.3"}, app_version="1.2.3"),
            Position(Version(1, 2, 3), Version(1, 2, 3), OLDEST),
        ),
        (
            annotated({}, app_version="v1.2.3-rc.1"),
            Position(Version(1, 2, 3, "rc.1"), Version(1, 2, 3, "rc.1"), OLDEST),
        ),
        (annotated({}, app_version="latest"), None),
        (annotated({}, app_version="111111111111111111111.0.0"), None),
        (annotated({}, app_version=f"{'1' * 5000}.0.0"), None),
        (annotated({}), None),
    ],
    ids=[
        *("former job", "re-tagged release", "pre-release", "no version", "number too large", "number far too large"),
        "no chart config",
    ],
)
def test_position_of_charts_not_annotated_for_stable(found: Published, expected: Position | None) -> None:
    """What carries no resolved version stands at its appVersion, older than anything annotated there."""
    assert position_of(found) == expected


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (RELEASE_VERSION, "18446744073709551616.0.0"),
        (RELEASE_RESOLVED_VERSION, "1.2.18446744073709551616"),
        (RELEASE_RESOLVED_VERSION, f"{'1' * 5000}.0.0"),
        (RELEASE_VERSION, "1.2.\u0663"),
        (CREATED, "yesterday"),
        (CREATED, "0001-01-01T00:00:00+14:00"),
        (CREATED, "9999-12-31T23:59:59-14:00"),
    ],
    ids=["image version", "resolved version", "far too large", "other digits", "no time", "time too early", "too late"],
)
def test_position_of_annotations_that_cannot_be_read(key: str, text: str) -> None:
    """An annotation with a number that Helm cannot read, or a time that is none, leaves the position unknown."""
    stated = {RELEASE_VERSION: "1.2.3", RELEASE_RESOLVED_VERSION: "1.3.0", CREATED: "2026-01-01T00:00:00Z"}
    assert position_of(annotated(stated)) is not None
    chart = annotated({**stated, key: text})
    assert position_of(chart) is None
    plan = decide_stable(CANDIDATE, {STABLE: chart})
    assert plan.publishes
    assert "a chart without a version" in plan.entries[-1].reason


@pytest.mark.parametrize(
    ("stated", "commit"),
    [
        ({REVISION: "a" * 40}, "a" * 40),
        ({REVISION: "0123abc"}, "0123abc"),
        ({REVISION: "v1.2.3"}, None),
        ({REVISION: "a" * 6}, None),
        ({REVISION: "a" * 40 + "\n"}, None),
        ({REVISION: ""}, None),
        ({}, None),
    ],
)
def test_named_commit(stated: dict[str, str], commit: str | None) -> None:
    """A chart names its commit where its revision is the id of one, as its history needs it."""
    assert named_commit(annotated(stated).manifest) == commit


@given(
    st.lists(
        st.sampled_from(
            [
                "s3-v1-stable-20260101T000000Z-0000000",
                NEWEST,
                "s3-v1-stable",
                "s3-v2-stable",
                "x-s3-v1-stable-20260101T000000Z-0000000",
                "s3-v1-stable-latest",
                "s3-v1-stable-20260101T000000Z-xyz0000",
                "s3-v1-stable-20261301T000000Z-0000000",
                "s3-v1-stable-2026010\u0661T000000Z-0000000",
                "s3-v1-stable-20260101T000000Z-0000000\n",
            ]
        )
    )
)
def test_history_names_are_those_of_this_moving_name_oldest_first(tags: list[str]) -> None:
    """Only tags of the form STABLE-TIME-COMMIT of this very name are its history."""
    found = history_names(STABLE, tags)
    assert [name.tag for name in found] == sorted(
        tag for tag in tags if tag in {NEWEST, "s3-v1-stable-20260101T000000Z-0000000"}
    )


@given(st.sampled_from(["1.2.2", "1.2.3", "1.3.0"]), st.integers(0, 10), st.integers(0, 10))
def test_stable_move_is_followed_by_skips(there: str, minutes: int, mine: int) -> None:
    """Whatever stable held: after a move is carried out, planning it again gives skips."""
    chart = stable_chart(position("1.2.3", "1.3.0", mine), THIS.revision)
    candidate = Candidate(chart.digest, THIS.revision, position("1.2.3", "1.3.0", mine))
    plan = decide_stable(candidate, {STABLE: stable_chart(position(there, "1.3.0", minutes))})
    if plan.error is None:
        again = decide_stable(candidate, {STABLE: chart})
        assert all(entry.action is Action.SKIP for entry in again.entries)


def test_entries_are_values() -> None:
    """Two entries that say the same are equal, so plans can be compared."""
    assert Entry(Kind.IMAGE, IMAGE, Action.SKIP, "x") == Entry(Kind.IMAGE, IMAGE, Action.SKIP, "x")
