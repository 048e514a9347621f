from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.ecr_public.repositories import MOST_TAGS, Image, Repositories, Repository, TooManyTags


class Clock:
    """A clock that is set."""

    now = 100.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repositories(clock: Clock) -> Repositories:
    return Repositories(clock)


@pytest.fixture
def app(repositories: Repositories) -> Repository:
    made = repositories.create("app")
    assert made is not None
    return made


def image(name: str, *children: str) -> Image:
    return Image(name, "type", None, 1, 0, children)


def test_a_name_is_taken_once(repositories: Repositories, app: Repository) -> None:
    """A second repository of a name is not made, and the first stays."""
    assert repositories.create("app") is None
    assert repositories.find("app") is app
    assert repositories.all() == [app]


def test_the_time_of_a_push(repositories: Repositories, app: Repository, clock: Clock) -> None:
    """An image was pushed when it came first, a tag when it was written last."""
    repositories.put(app, image("a"), "v1")
    clock.now = 200.0
    repositories.put(app, image("a"), "v1")
    repositories.put(app, image("a"), "v2")
    assert (app.images["a"].pushed, app.tags["v1"].created, app.tags["v2"].created) == (100, 100, 200)


def test_a_tag_without_lag(repositories: Repositories, app: Repository) -> None:
    """Without lag, a tag shows what was written, and afterwards what was written over it."""
    assert repositories.shows(app, "v1") is None
    repositories.put(app, image("a"), "v1")
    assert repositories.shows(app, "v1") == "a"
    repositories.put(app, image("b"), "v1")
    assert repositories.shows(app, "v1") == "b"


def test_lag_in_seconds(repositories: Repositories, app: Repository, clock: Clock) -> None:
    """A tag shows what it showed before, until its time has come."""
    repositories.put(app, image("a"), "v1")
    repositories.put(app, image("b"), "v1", lag_seconds=5)
    clock.now = 104.9
    assert repositories.shows(app, "v1") == "a"
    clock.now = 105.0
    assert repositories.shows(app, "v1") == "b"


def test_lag_in_reads(repositories: Repositories, app: Repository) -> None:
    """A new tag shows nothing for some reads; a list of tags counts as a read of each."""
    repositories.put(app, image("a"), "v1", lag_reads=3)
    assert repositories.shows(app, "v1") is None
    assert repositories.visible_tags(app) == []
    assert repositories.shows(app, "v1") is None
    assert repositories.visible_tags(app) == ["v1"]


def test_a_write_over_a_lag(repositories: Repositories, app: Repository) -> None:
    """A second write before the first could be seen shows what was seen, not what nobody saw."""
    repositories.put(app, image("a"), "v1")
    repositories.put(app, image("b"), "v1", lag_reads=9)
    repositories.put(app, image("c"), "v1", lag_reads=1)
    assert [repositories.shows(app, "v1") for _ in range(2)] == ["a", "c"]


def test_writing_the_same_again(repositories: Repositories, app: Repository) -> None:
    """Writing what a tag already has starts no lag."""
    repositories.put(app, image("a"), "v1")
    repositories.put(app, image("a"), "v1", lag_reads=5)
    assert repositories.shows(app, "v1") == "a"


def test_manifests_that_lag(repositories: Repositories, app: Repository) -> None:
    """A new manifest is not found for some reads by digest; pushed again, it is found at once."""
    repositories.put(app, image("a"), None, digest_reads=2)
    assert [repositories.has(app, "a") for _ in range(3)] == [False, False, True]
    repositories.put(app, image("a"), None, digest_reads=2)
    assert repositories.has(app, "a")
    assert not repositories.has(app, "b")


def test_the_most_tags(repositories: Repositories, app: Repository) -> None:
    """An image that has all the tags it may have gets no other, but may be given one of them again."""
    for number in range(MOST_TAGS):
        repositories.check_tag(app, "a", f"v{number}")
        repositories.put(app, image("a"), f"v{number}")
    repositories.check_tag(app, "a", "v0")
    repositories.check_tag(app, "b", "v0")
    with pytest.raises(TooManyTags):
        repositories.check_tag(app, "a", "one-more")


def test_untagging(repositories: Repositories, app: Repository) -> None:
    """The last tag takes the image with it, unless an index needs it."""
    repositories.put(app, image("a"), "v1")
    repositories.put(app, image("a"), "v2")
    repositories.untag(app, "v1")
    assert "a" in app.images
    repositories.put(app, image("index", "a"), None)
    repositories.untag(app, "v2")
    assert "a" in app.images
    repositories.remove_image(app, "index")
    repositories.put(app, image("a"), "v3")
    repositories.untag(app, "v3")
    assert "a" not in app.images


@given(
    st.lists(
        st.tuples(st.sampled_from(["write", "read", "list", "wait"]), st.sampled_from("abc"), st.integers(0, 3)),
        max_size=40,
    )
)
def test_a_reader_never_sees_what_was_not_written(steps: list[tuple[str, str, int]]) -> None:
    """However writes, reads and lags follow one another, a tag shows a write or nothing, in the end the last one."""
    clock = Clock()
    repositories = Repositories(clock)
    app = repositories.create("app")
    assert app is not None
    written: list[str] = []
    for what, name, number in steps:
        if what == "write":
            repositories.put(app, image(name), "v1", lag_reads=number, lag_seconds=number)
            written.append(name)
        elif what == "wait":
            clock.now += number
        elif what == "list":
            assert set(repositories.visible_tags(app)) <= {"v1"}
        else:
            assert repositories.shows(app, "v1") in {None, *written}
    clock.now += 100
    seen = [repositories.shows(app, "v1") for _ in range(5)]
    assert seen[-1] == (written[-1] if written else None)
