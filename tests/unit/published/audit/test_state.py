from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from runner.published.audit.state import repositories_of
from runner.versions import ReleaseVersion, StableChannel
from tests.support.audits import World, commit_of, image_manifest

MOVED = datetime(2026, 11, 1, tzinfo=UTC)


@given(
    st.lists(st.sampled_from(["1.0.0", "1.1.0", "2.0.0", "10.0.1"]), unique=True),
    st.sampled_from(["seed", "repo-per-service-v", "repo-per-service"]),
    st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789.-v", min_size=1, max_size=20)),
)
def test_versions_are_read_from_tags(versions: list[str], label: str, others: list[str]) -> None:
    """The versions of which a name is there are found among tags of whatever kind."""
    world = World()
    for number, version in enumerate(versions, 1):
        world.release(version, commit_of(number), label)
    state = world.state()
    tags = {
        repository: frozenset({*listed, *(f"x{other}" for other in others)})
        for repository, listed in state.tags.items()
    }
    found = type(state)(state.service, state.address, state.refs, tags)
    assert found.published_versions == tuple(sorted(map(ReleaseVersion.parse, versions)))
    assert found.versions == found.published_versions


def test_another_service_in_the_same_repository() -> None:
    """In a repository that services share, a service's tags are those that begin with its name and nothing more."""
    mine, other = World(schemes=("seed",), name="s3"), World(schemes=("seed",), name="s3-tables")
    mine.release("1.0.0", commit_of(1))
    other.release("2.0.0", commit_of(2))
    mine.held |= other.held
    assert mine.state().published_versions == (ReleaseVersion(1, 0, 0),)


def test_stable_names() -> None:
    """A major has its stable names, those of which only the history is left too, and history tags are none."""
    world = World(schemes=("repo-per-service",))
    world.release("1.0.0", commit_of(1))
    world.move_stable("1.0.0", commit_of(2), MOVED)
    [stable] = world.stables(1)
    assert world.state().stable_names == {StableChannel(1): (stable,)}
    del world.held[stable]
    state = world.state()
    assert state.stable_names == {StableChannel(1): (stable,)}
    assert (state.has(stable), len(state.history(stable))) == (False, 1)


def test_what_is_listed_and_gone() -> None:
    """A name that answers 404 is not there, although it is listed; one that is not listed is not there either."""
    world = World(schemes=("repo-per-service",))
    world.release("1.0.0", commit_of(1))
    [image] = world.images("1.0.0")
    state = world.state()
    assert state.has(image)
    assert not state.with_manifests({image: None}).has(image)
    [other] = world.images("2.0.0")
    assert not state.with_manifests({other: image_manifest(None)}).has(other)


def test_repositories() -> None:
    """A service's names are in the repositories of all its schemes, each once."""
    assert [str(one) for one in repositories_of(World().service, World().address)] == [
        "registry.example/ns/controller",
        "registry.example/ns/chart",
        "registry.example/ns/s3-chart",
        "registry.example/ns/s3-controller",
    ]
