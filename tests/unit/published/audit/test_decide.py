from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.name import Name
from runner.published.audit.decide import decide, to_read, undecided
from runner.published.audit.kinds import KINDS
from runner.versions import HistoryTag, ReleaseVersion
from tests.support.audits import World, chart_manifest, commit_of, image_manifest, plain_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SCHEMES = ("seed", "repo-per-service-v", "repo-per-service")


@st.composite
def worlds(draw: st.DrawFn, *, at_least: int = 1) -> World:
    """A service in order: releases, each under one scheme, and possibly a stable chart with a history."""
    world = World(schemes=draw(st.permutations(SCHEMES).map(tuple)))
    numbers = st.tuples(st.integers(0, 2), st.integers(0, 11), st.integers(0, 11))
    versions = sorted(draw(st.sets(numbers, min_size=at_least, max_size=6)))
    for place, (major, minor, patch) in enumerate(versions):
        world.release(f"{major}.{minor}.{patch}", commit_of(place + 1), draw(st.sampled_from(SCHEMES)))
    if draw(st.booleans()):
        label = draw(st.sampled_from(SCHEMES))
        stables = [version for version in versions if world.images(_text(version), label)[0] in world.held]
        for place, version in enumerate(stables[-2:]):
            world.move_stable(_text(version), commit_of(100 + place), NOW + timedelta(days=place), label)
    return world


def _text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


@given(worlds(), st.booleans())
def test_a_service_in_order(world: World, deep: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Nothing is found, whatever the scheme of each release, by names only or by everything."""
    assert world.codes(deep=deep) == []
    assert undecided(world.state(deep=deep)) == ()


@given(worlds())
def test_reads(world: World) -> None:
    """Two manifests are read of the newest version, two of each stable name; deep, each name that is there, once."""
    world.state()
    stables = sum(len(names) for names in world.state().stable_names.values())
    assert len(world.reads) == 2 + 2 * stables
    world.state(deep=True)
    assert sorted(map(str, world.reads)) == sorted(map(str, world.held))


@given(worlds(), st.data())
def test_one_thing_broken(world: World, data: st.DataObject) -> None:
    """Each single breakage of a release gives exactly its finding, of its version."""
    version = data.draw(st.sampled_from(sorted(world.releases)))
    newest = max(world.releases)
    breakages = [one for one in BREAKAGES if version == newest or one not in SEEN_IN_CONTENT]
    break_it = data.draw(st.sampled_from(breakages))
    label = next(label for label in SCHEMES if world.images(str(version), label)[0] in world.held)
    code = break_it(world, str(version), label)
    found = [one for one in world.findings() if not one.kind.code.startswith("stable-image")]
    assert [(one.kind.code, one.version) for one in found] == [(code, str(version))]


def drop_all(world: World, version: str, label: str) -> str:
    for name in (*world.images(version, label), *world.charts(version, label)):
        del world.held[name]
    return "tag-without-image"


def drop_chart(world: World, version: str, label: str) -> str:
    for name in world.charts(version, label):
        del world.held[name]
    return "image-without-chart"


def drop_image(world: World, version: str, label: str) -> str:
    for name in world.images(version, label):
        del world.held[name]
    return "chart-without-image"


def drop_tag(world: World, version: str, label: str) -> str:
    del label, world.releases[ReleaseVersion.parse(version)]
    return "published-without-tag"


def move_tag(world: World, version: str, label: str) -> str:
    del label
    world.releases[ReleaseVersion.parse(version)] = commit_of(999)
    return "revision-differs"


def publish_twice(world: World, version: str, label: str) -> str:
    other = {"seed": "repo-per-service-v", "repo-per-service-v": "seed", "repo-per-service": "repo-per-service-v"}
    world.publish(version, commit_of(999), other[label])
    return "two-commits"


def replace_image(world: World, version: str, label: str) -> str:
    commit = world.releases[ReleaseVersion.parse(version)]
    for name in world.images(version, label):
        world.held[name] = image_manifest(commit, "another")
    return "chart-of-another-image"


def forget_commit(world: World, version: str, label: str) -> str:
    image = image_manifest(None, "former")
    world.held |= dict.fromkeys(world.images(version, label), image)
    world.held |= dict.fromkeys(world.charts(version, label), chart_manifest(None, None, version))
    return "former-without-commit"


def hold_a_chart(world: World, version: str, label: str) -> str:
    for name in world.images(version, label):
        world.held[name] = chart_manifest(world.releases[ReleaseVersion.parse(version)], None, version)
    for name in world.charts(version, label):
        world.held[name] = chart_manifest(world.releases[ReleaseVersion.parse(version)], None, version)
    return "something-else"


SEEN_IN_CONTENT = (move_tag, publish_twice, replace_image, forget_commit, hold_a_chart)
BREAKAGES: tuple[Callable[[World, str, str], str], ...] = (
    drop_all,
    drop_chart,
    drop_image,
    drop_tag,
    *SEEN_IN_CONTENT,
)


@pytest.mark.parametrize("break_it", SEEN_IN_CONTENT)
def test_older_versions_in_a_deep_audit(break_it: Callable[[World, str, str], str]) -> None:
    """What an older version holds is judged where everything is read, and only there."""
    world = World()
    world.release("1.0.0", commit_of(1))
    world.release("1.1.0", commit_of(2))
    code = break_it(world, "1.0.0", "seed")
    assert world.codes() == []
    assert world.codes(deep=True) == [code]


def released_and_stable() -> World:
    """A service with two releases, two moves of stable, and its branch at the second."""
    world = World()
    world.release("1.0.0", commit_of(1))
    world.release("1.1.0", commit_of(2))
    world.move_stable("1.0.0", commit_of(11), NOW)
    world.move_stable("1.1.0", commit_of(12), NOW + timedelta(days=1))
    return world


def history_of(world: World, place: int) -> tuple[Name, ...]:
    """The history names of both stable names, the oldest at place 0."""
    moves = ((commit_of(11), NOW), (commit_of(12), NOW + timedelta(days=1)))
    commit, moved = moves[place]
    return tuple(Name(name.repository, str(HistoryTag.of_move(name.tag, moved, commit))) for name in world.stables(1))


def stable_removed(world: World) -> list[str]:
    for name in [name for name in world.held if "stable" in name.tag]:
        del world.held[name]
    return ["stable-missing"]


def branch_moved(world: World) -> list[str]:
    world.branch = commit_of(77)
    return ["stable-stale"]


def branch_removed(world: World) -> list[str]:
    world.branch = None
    return ["stable-without-branch"]


def moved_by_hand(world: World) -> list[str]:
    world.held[world.stables(1)[1]] = world.held[world.charts("1.1.0")[0]]
    return ["stable-moved-outside-git"]


def moved_back_by_hand(world: World) -> list[str]:
    world.release("1.2.0", commit_of(3))
    world.move_stable("1.2.0", commit_of(13), NOW + timedelta(days=2))
    world.held[world.stables(1)[0]] = world.held[history_of(world, 0)[0]]
    return ["stable-moved-outside-git"]


def move_not_finished(world: World) -> list[str]:
    world.held[world.stables(1)[1]] = world.held[history_of(world, 0)[1]]
    return ["stable-move-unfinished"]


def tag_removed(world: World) -> list[str]:
    del world.held[world.stables(1)[0]]
    return ["stable-move-unfinished"]


def history_removed(world: World) -> list[str]:
    for place in (0, 1):
        del world.held[history_of(world, place)[0]]
    return ["stable-moved-outside-git"]


def image_removed(world: World) -> list[str]:
    for name in world.images("1.1.0"):
        del world.held[name]
    return ["chart-without-image", "stable-image-missing", "stable-image-missing"]


def all_of_the_former_job(world: World) -> list[str]:
    for name in [name for name in world.held if "stable" in name.tag]:
        del world.held[name]
    world.held[world.stables(0)[1]] = chart_manifest(None, None, "v0.1.4")
    return ["former-stable"]


@pytest.mark.parametrize(
    "break_it",
    [
        stable_removed,
        branch_moved,
        branch_removed,
        moved_by_hand,
        moved_back_by_hand,
        move_not_finished,
        tag_removed,
        history_removed,
        image_removed,
        all_of_the_former_job,
    ],
)
def test_stable_with_one_thing_broken(break_it: Callable[[World], list[str]]) -> None:
    """Each single breakage of stable gives exactly its finding, once for each name or channel that it is about."""
    world = released_and_stable()
    assert world.codes() == []
    codes = break_it(world)
    assert world.codes() == codes
    assert set(codes) <= set(world.codes(deep=True))


def test_stable_at_the_chart_of_a_release() -> None:
    """A move that copied a release's chart names the release's commit: whether the branch has more is not known."""
    world = released_and_stable()
    chart = world.held[world.charts("1.1.0")[0]]
    for name in (*world.stables(1), *history_of(world, 1)):
        world.held[name] = chart
    assert world.codes() == []
    [note] = undecided(world.state())
    assert "only its job can tell" in note
    world.branch = commit_of(2)
    assert undecided(world.state()) == ()
    world.branch = commit_of(1)
    assert (world.codes(), undecided(world.state())) == (["stable-stale"], ())


def test_a_name_of_a_scheme_that_is_no_longer_used() -> None:
    """A stable name that moves left behind is stale, and the other names of its major are not."""
    world = released_and_stable()
    world.branch = commit_of(78)
    image = world.images("1.1.0")[0]
    chart = chart_manifest(commit_of(78), (image, world.held[image]), "1.1.0", resolved="1.1.0")
    alias = world.stables(1)[1]
    newer = HistoryTag.of_move(alias.tag, NOW + timedelta(days=3), commit_of(78))
    world.held |= {alias: chart, Name(alias.repository, str(newer)): chart}
    [found] = world.findings()
    assert (found.kind.code, found.version, found.names) == ("stable-stale", "v1-stable", (str(world.stables(1)[0]),))


def test_an_adopted_image() -> None:
    """An image of the former job that a chart of a known commit names by digest has that commit."""
    world = World()
    world.release("1.0.0", commit_of(1))
    image = image_manifest(None, "former")
    world.held |= dict.fromkeys(world.images("1.0.0"), image)
    chart = chart_manifest(commit_of(1), (world.images("1.0.0")[0], image), "1.0.0")
    world.held |= dict.fromkeys(world.charts("1.0.0"), chart)
    assert world.codes(deep=True) == []


def test_former_images() -> None:
    """An image for one platform and without a commit has two flaws of the former job, and no finding beside them."""
    world = World(schemes=("repo-per-service",))
    world.release("1.0.0", commit_of(1))
    world.held[world.images("1.0.0")[0]] = plain_manifest()
    world.held[world.charts("1.0.0")[0]] = chart_manifest(None, None, "1.0.0")
    found = world.findings()
    assert [one.kind.code for one in found] == ["former-without-commit", "former-one-platform"]
    assert all(one.kind.former for one in found)


def test_names_of_one_artifact() -> None:
    """Names that hold different content are found where all are read."""
    world = World(schemes=("seed",))
    world.release("1.0.0", commit_of(1))
    primary, alias = world.charts("1.0.0")
    image = (world.images("1.0.0")[0], world.held[world.images("1.0.0")[0]])
    world.held[alias] = chart_manifest(commit_of(1), image, "1.0.0", seed="another")
    assert world.codes() == []
    [found] = world.findings(deep=True)
    assert (found.kind.code, found.names) == ("names-differ", (str(primary), str(alias)))


def test_an_alias_that_is_missing() -> None:
    """A chart that lacks one of its names is found by the lists alone, in any version."""
    world = World(schemes=("seed",))
    for number, version in enumerate(("1.0.0", "1.1.0"), 1):
        world.release(version, commit_of(number))
    alias = world.charts("1.0.0")[1]
    del world.held[alias]
    [found] = world.findings()
    assert (found.kind.code, found.version, found.names) == ("names-missing", "1.0.0", (str(alias),))


def test_a_name_that_is_gone_when_it_is_read() -> None:
    """What is listed and answers 404 is not there."""
    world = World(schemes=("repo-per-service",))
    world.release("1.0.0", commit_of(1))
    state = world.state().with_manifests({world.images("1.0.0")[0]: None})
    assert [finding.kind.code for finding in decide(state)] == ["chart-without-image"]
    assert to_read(state, deep=True) == ()


def test_every_kind() -> None:
    """Each kind says what it means, who acts and how; those of the former job need nothing done."""
    for code, kind in KINDS.items():
        assert kind.code == code
        assert not kind.sentence.endswith(".")
        assert kind.remedy.endswith(".")
        assert kind.former == (kind.who == "nobody") == code.startswith("former-")
