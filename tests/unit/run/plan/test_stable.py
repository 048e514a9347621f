"""The plan of a move of stable: forward only, each move with its history, and a rerun that repeats nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from runner.annotations import RELEASE_RESOLVED_VERSION, RELEASE_VERSION
from runner.errors import StableBackwards
from runner.oci.manifest import CREATED, OCI_MANIFEST, REVISION, SOURCE, Manifest
from runner.oci.name import Name
from runner.published.observed import ABSENT, Observation, Published, PublishedChart
from runner.run.plan.model import Action, DesiredArtifact, Entry, Identity, Kind, Plan
from runner.run.plan.stable import (
    OLDEST,
    REMEDY_OF_AN_UNRELATED_COMMIT,
    Candidate,
    Position,
    named_commit,
    plan_stable,
    plan_stable_unchanged,
    position_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THIS = Identity("a" * 40, "https://github.com/aws-controllers-k8s/s3-controller")
OTHER = Identity("b" * 40, THIS.source)
STABLE = Name.parse("registry.example/ns/chart:s3-v1-stable")
STABLE_TOO = Name.parse("registry.example/ns/s3-chart:v1-stable")
NOW = datetime(2026, 11, 24, 12, 30, 15, tzinfo=UTC)
NEWEST = "s3-v1-stable-20261124T123015Z-aaaaaaa"


def annotated(annotations: Mapping[str, str], app_version: str = "") -> PublishedChart:
    """A published chart with these annotations."""
    return PublishedChart(Manifest.write(OCI_MANIFEST, {"annotations": dict(annotations)}), app_version)


def position(image_version: str, resolved: str | None = None, minutes: int = 0) -> Position:
    """A position; minutes after an arbitrary time."""
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return Position(Version.parse(image_version), Version.parse(resolved or image_version), when)


def stable_chart(at: Position, revision: str = "c" * 40) -> PublishedChart:
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


def name_of(entry: Entry) -> Name:
    """The name that an entry is about."""
    assert isinstance(entry.target, Name)
    return entry.target


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
    assert [(name_of(entry).tag, entry.action) for entry in plan.entries] == [
        (NEWEST, Action.PUBLISH),
        ("s3-v1-stable", Action.PUBLISH),
    ]


def test_every_moving_name_has_a_history_of_its_own() -> None:
    """Two moving names have a history each, in their own repositories, and each history comes before its name."""
    plan = decide_stable(CANDIDATE, {STABLE: ABSENT, STABLE_TOO: ABSENT}, names=(STABLE, STABLE_TOO))
    assert [str(name_of(entry).repository).rsplit("/", 1)[1] for entry in plan.entries] == [
        "chart",
        "chart",
        *["s3-chart"] * 2,
    ]
    assert [name_of(entry).tag.endswith("stable") for entry in plan.entries] == [False, True, False, True]


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
    meant = replace(CANDIDATE, backwards={STABLE: "the trailer asks for it"})
    plan = decide_stable(meant, {STABLE: stable_chart(position("2.0.0"))})
    assert plan.publishes
    assert plan.notes == (f"{STABLE} moves backwards: the trailer asks for it",)


@pytest.mark.parametrize("asked", [True, False])
def test_backwards_that_is_refused_says_what_is_missing(*, asked: bool) -> None:
    """Where the commit has the trailer and does not follow the chart that is there, the refusal asks for no trailer."""
    plan = decide_stable(replace(CANDIDATE, asked_backwards=asked), {STABLE: stable_chart(position("2.0.0"))})
    assert isinstance(plan.error, StableBackwards)
    assert ("does not follow the commit of that chart" in plan.error.cause) is asked
    assert plan.error.remedy == (REMEDY_OF_AN_UNRELATED_COMMIT if asked else StableBackwards.remedy)


def test_backwards_is_meant_for_each_name() -> None:
    """A backwards move that is meant for one name is refused for another, and then neither moves."""
    newer = stable_chart(position("2.0.0"))
    meant = replace(CANDIDATE, backwards={STABLE: "the trailer asks for it"})
    plan = decide_stable(meant, {STABLE: newer, STABLE_TOO: newer}, names=(STABLE, STABLE_TOO))
    assert isinstance(plan.error, StableBackwards)
    assert not plan.publishes
    assert [entry.target for entry in plan.entries if entry.action is Action.REFUSE] == [STABLE_TOO]


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
    assert [(entry.target, entry.action) for entry in plan.entries] == [(newest, Action.SKIP), (STABLE, Action.PUBLISH)]


def test_one_backwards_name_holds_back_the_other() -> None:
    """Where one of two moving names would move backwards, the other does not move either."""
    plan = decide_stable(
        CANDIDATE, {STABLE: ABSENT, STABLE_TOO: stable_chart(position("2.0.0"))}, names=(STABLE, STABLE_TOO)
    )
    assert plan.error is not None
    assert not plan.publishes
    held_back = [entry for entry in plan.entries if entry.action is Action.SKIP]
    assert [entry.target for entry in held_back if entry.target == STABLE] == [STABLE]
    assert {entry.digest for entry in held_back} == {None}, "with a digest they would be told as published"


def test_chart_of_this_commit_under_every_moving_name_needs_no_packaging() -> None:
    """When all moving names hold this commit's chart the plan is skips, without a candidate; else there is no plan."""
    held = stable_chart(CANDIDATE.position, THIS.revision)
    one, both = (DesiredArtifact(Kind.CHART, names, THIS) for names in ((STABLE,), (STABLE, STABLE_TOO)))
    plan = plan_stable_unchanged("s3", both, {STABLE: held, STABLE_TOO: held})
    assert plan is not None
    assert not plan.publishes
    assert plan_stable_unchanged("s3", both, {STABLE: held, STABLE_TOO: ABSENT}) is None
    other = stable_chart(CANDIDATE.position, OTHER.revision)
    assert plan_stable_unchanged("s3", one, {STABLE: other}) is None


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


@given(st.sampled_from(["1.2.2", "1.2.3", "1.3.0"]), st.integers(0, 10), st.integers(0, 10))
def test_stable_move_is_followed_by_skips(there: str, minutes: int, mine: int) -> None:
    """Whatever stable held: after a move is carried out, planning it again gives skips."""
    chart = stable_chart(position("1.2.3", "1.3.0", mine), THIS.revision)
    candidate = Candidate(chart.digest, THIS.revision, position("1.2.3", "1.3.0", mine))
    plan = decide_stable(candidate, {STABLE: stable_chart(position(there, "1.3.0", minutes))})
    if plan.error is None:
        again = decide_stable(candidate, {STABLE: chart})
        assert all(entry.action is Action.SKIP for entry in again.entries)
