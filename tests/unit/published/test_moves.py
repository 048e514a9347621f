from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runner.oci.name import Name
from runner.published.moves import History, history_of, read_histories
from runner.versions import HistoryTag
from testbed.memory.registry import Content, MemoryRegistry
from tests.support.audits import World, chart_manifest, commit_of

if TYPE_CHECKING:
    from runner.oci.manifest import Manifest
    from runner.oci.name import Repository

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def moved(times: int) -> World:
    """A service whose stable chart was moved so many times, a day apart, to a new version each time."""
    world = World(schemes=("repo-per-service",))
    for number in range(times):
        world.release(f"1.{number}.0", commit_of(number + 1))
        world.move_stable(f"1.{number}.0", commit_of(number + 101), NOW + timedelta(days=number))
    return world


def read(world: World, most: int = 20) -> tuple[History, ...]:
    held: dict[Repository, Content] = {}
    for name, manifest in world.held.items():
        content = held.setdefault(name.repository, Content())
        content.manifests[manifest.digest] = manifest
        content.tags[name.tag] = manifest.digest
    return read_histories(world.service, world.address, MemoryRegistry(held), pace=lambda: None, most=most)


@given(st.integers(1, 6), st.integers(1, 8))
def test_moves(times: int, most: int) -> None:
    """The newest moves are read, newest first, with commit and version; the newest of all is what stable holds."""
    world = moved(times)
    [found] = read(world, most)
    assert str(found.name) == "registry.example/ns/s3-chart:v1-stable"
    shown = min(times, most)
    assert [move.version for move in found.moves] == [f"1.{times - 1 - place}.0" for place in range(shown)]
    assert [move.commit for move in found.moves] == [commit_of(times + 100 - place) for place in range(shown)]
    assert [move.is_current for move in found.moves] == [True, *[False] * (shown - 1)]
    assert (found.earlier, found.is_outside) == (times - shown, False)
    assert found.moves[0].moved == NOW + timedelta(days=times - 1)


def test_a_name_that_was_moved_by_hand() -> None:
    """It holds what no move wrote, and none of them is the current one."""
    world = moved(2)
    world.held[world.stables(1)[0]] = world.held[world.charts("1.0.0")[0]]
    [found] = read(world)
    assert found.is_outside
    assert not any(move.is_current for move in found.moves)
    assert not read(world, most=1)[0].is_outside


def test_a_name_that_is_gone() -> None:
    """Where only the history is left, it is shown, and nothing is current."""
    world = moved(2)
    del world.held[world.stables(1)[0]]
    [found] = read(world)
    assert (found.digest, found.is_outside, len(found.moves)) == (None, False, 2)


def test_no_stable_chart() -> None:
    """A service without any has no history."""
    world = World()
    world.release("1.0.0", commit_of(1))
    assert read(world) == ()


def test_names_of_several_schemes_and_majors() -> None:
    """Each stable name has a history of its own, majors ascending."""
    world = World(schemes=("seed", "repo-per-service"))
    for number, version in enumerate(("2.0.0", "10.0.0"), 1):
        world.release(version, commit_of(number))
        world.move_stable(version, commit_of(number + 100), NOW)
    assert [str(found.name).rpartition("/")[2] for found in read(world)] == [
        "chart:s3-v2-stable",
        "s3-chart:v2-stable",
        "chart:s3-v10-stable",
        "s3-chart:v10-stable",
    ]


def test_a_chart_that_says_another_commit() -> None:
    """The commit is the tag's where the chart says none that begins so; what is listed and gone has no digest."""
    name = Name.parse("registry.example/ns/s3-chart:v1-stable")
    tags = [str(HistoryTag.of_move(name.tag, NOW + timedelta(days=day), commit_of(day))) for day in (0, 1)]
    held: dict[Name, Manifest | None] = {
        Name(name.repository, tags[0]): chart_manifest("f" * 40, None, "1.0.0"),
        Name(name.repository, tags[1]): None,
    }
    found = history_of(name, tags, held, 5)
    assert [(move.commit, move.digest is None) for move in found.moves] == [("0000000", True), ("0000000", False)]
