from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import CredentialsRefused, NotPublic, NotPublicYet, RegistryFailed, RunEnded
from runner.oci.name import Name
from runner.run.publish.anonymous import VISIBLE_SECONDS, AnonymousReader
from testbed.base_images import push
from testbed.memory.calls import Call, raising
from testbed.memory.lifetime import MemoryLifetime
from testbed.memory.registry import MemoryRegistry
from tests.support.publishing import NAME, OTHER, TAG, artifact_in, at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.oci.artifact import Artifact

PRIVATE = Name.parse("private.example/ns/controller:s3-v1.2.3")
NAMES = [Name.parse(f"registry.example/ns/x:{number}") for number in range(5)]
REFUSED = CredentialsRefused("registry.example refused a request without credentials: GET /v2/: HTTP 403")


class Users:
    """Whoever pulls what a registry holds, and how long they wait."""

    def __init__(self, *held: tuple[Name, Artifact]) -> None:
        self.registry = MemoryRegistry()
        self.lifetime = MemoryLifetime()
        self.told: list[tuple[str, dict[str, int]]] = []
        for name, artifact in held:
            push(self.registry.another(), name.repository, name.tag, artifact)
        self.reader = AnonymousReader(
            self.registry,
            self.lifetime,
            lambda host: host == "registry.example",
            report=lambda event, **values: self.told.append((event, values)),
            clock=self.lifetime.now,
        )

    def check(self, *written: tuple[Name, Artifact]) -> tuple[Name, ...]:
        """Read what was written."""
        return self.reader.check([(name, artifact.root.digest) for name, artifact in written])


def test_what_is_read(ours: Artifact) -> None:
    """Each name and the first manifest of its index are read once; a host that is not public is left alone."""
    users = Users((NAME, ours), (OTHER, ours))
    assert users.check((NAME, ours), (OTHER, ours), (PRIVATE, ours)) == (NAME, OTHER)
    child = ours.children[0].digest
    assert users.registry.calls.made == [
        Call("manifest", str(NAME)),
        Call("manifest", at(NAME, child)),
        Call("manifest", str(OTHER)),
        Call("manifest", at(OTHER, child)),
    ]
    assert users.lifetime.now() == 0


def nothing() -> None:
    """What a registry has under a name that it does not have."""


@pytest.mark.parametrize("times", [1, 3, 8])
def test_name_that_shows_late(ours: Artifact, times: int) -> None:
    """What does not show yet is read again until it does; what shows already is read once."""
    users = Users((NAME, ours), (OTHER, ours))
    users.registry.calls.intervene("manifest", nothing, when="instead", about=TAG, times=times)
    assert users.check((NAME, ours), (OTHER, ours)) == (NAME, OTHER)
    made = users.registry.calls.made
    assert [made.count(Call("manifest", str(name))) for name in (NAME, OTHER)] == [times + 1, 1]
    assert 0 < users.lifetime.now() < VISIBLE_SECONDS


def test_name_that_shows_what_was_there_before(ours: Artifact, tmp_path: Path) -> None:
    """A moving name that still shows its former content is waited for."""
    before = artifact_in(tmp_path, "before")
    users = Users((NAME, ours))
    users.registry.calls.intervene("manifest", lambda: before.root, when="instead", about=TAG, times=2)
    assert users.check((NAME, ours)) == (NAME,)


def test_names_that_take_long_to_read(ours: Artifact) -> None:
    """However long it takes to read the names, the time for one to show begins once each was read."""
    users = Users((NAME, ours), (OTHER, ours))
    users.registry.calls.intervene("manifest", nothing, when="instead", about=TAG)
    users.registry.calls.intervene("manifest", lambda: users.lifetime.wait(VISIBLE_SECONDS), about=str(OTHER))
    assert users.check((NAME, ours), (OTHER, ours)) == (NAME, OTHER)
    assert users.lifetime.now() > VISIBLE_SECONDS


@pytest.mark.parametrize(("seconds", "told"), [(1.0, []), (6.0, [2, 4]), (30.0, [1, 2, 3, 4])])
def test_reading_that_takes_long(ours: Artifact, seconds: float, told: list[int]) -> None:
    """Where the names take long to read it is told how many were read, at most every ten seconds."""
    users = Users(*((name, ours) for name in NAMES))
    for name in NAMES:
        users.registry.calls.intervene("manifest", lambda: users.lifetime.wait(seconds), about=f":{name.tag}")
    assert users.check(*((name, ours) for name in NAMES)) == tuple(NAMES)
    assert users.told == [("reading without credentials", {"names": len(NAMES), "read": number}) for number in told]


@pytest.mark.parametrize("about", [TAG, "child"])
def test_name_that_stays_away(ours: Artifact, about: str) -> None:
    """What does not show within the time allowed ends the wait, and is told with its digest and what shows instead."""
    child = ours.children[0].digest
    users = Users((NAME, ours))
    missing = TAG if about == TAG else child
    users.registry.calls.intervene("manifest", nothing, when="instead", about=missing, times=None)
    with pytest.raises(NotPublicYet) as raised:
        users.check((NAME, ours))
    shown = "nothing" if about == TAG else f"an index without {child}"
    assert raised.value.cause == (
        f"{NAME} was published as {ours.root.digest}, but without credentials it shows {shown} after 60 s"
    )
    assert raised.value.exit_code == 7
    assert VISIBLE_SECONDS <= users.lifetime.now() < VISIBLE_SECONDS + 6


@pytest.mark.parametrize("about", [TAG, "child"])
def test_name_that_is_refused(ours: Artifact, about: str) -> None:
    """A refusal is not waited for; every name that is refused is told, and what to do about it."""
    users = Users((NAME, ours), (OTHER, ours))
    refused = TAG if about == TAG else ours.children[0].digest
    users.registry.calls.intervene("manifest", raising(REFUSED), about=refused, times=None)
    with pytest.raises(NotPublic) as raised:
        users.check((NAME, ours), (OTHER, ours))
    assert raised.value.cause.startswith(f"{NAME} is published, but cannot be pulled without credentials: ")
    assert len(raised.value.detail) == (1 if about == TAG else 2)
    assert raised.value.exit_code == 8
    assert "verify: {anonymous: false}" in raised.value.remedy
    assert users.lifetime.now() == 0


def test_what_is_no_answer_is_no_refusal(ours: Artifact) -> None:
    """A registry that does not answer is told as that."""
    users = Users((NAME, ours))
    users.registry.calls.intervene("manifest", raising(RegistryFailed("HTTP 500")))
    with pytest.raises(RegistryFailed, match="HTTP 500"):
        users.check((NAME, ours))


def test_an_end_is_not_waited_out(ours: Artifact) -> None:
    """A run that is ended while it waits ends."""
    users = Users((NAME, ours))
    users.registry.calls.intervene("manifest", nothing, when="instead", times=None)
    users.lifetime.end("SIGTERM")
    with pytest.raises(RunEnded, match="SIGTERM"):
        users.check((NAME, ours))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    made = {text: artifact_in(tmp_path_factory.mktemp(text), text) for text in ("ours", "theirs")}
    return made.__getitem__


@given(shows=st.lists(st.sampled_from(["ours", "theirs", "nothing", "refused"]), min_size=5, max_size=5))
def test_any_state(images: Callable[[str], Artifact], shows: list[str]) -> None:
    """Whatever each name shows, for good: only where all show what was written does the check pass."""
    users = Users()
    for name, state in zip(NAMES, shows, strict=True):
        if state in {"ours", "theirs"}:
            push(users.registry.another(), name.repository, name.tag, images(state))
        if state == "refused":
            users.registry.calls.intervene("manifest", raising(REFUSED), about=f":{name.tag}", times=None)
    wanted = [(name, images("ours")) for name in NAMES]
    if "refused" in shows:
        with pytest.raises(NotPublic):
            users.check(*wanted)
    elif set(shows) != {"ours"}:
        with pytest.raises(NotPublicYet):
            users.check(*wanted)
    else:
        assert users.check(*wanted) == tuple(NAMES)
