from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runner.errors import (
    CredentialsRefused,
    FindingsLeft,
    RegistryFailed,
    ReleaseError,
    RemoteUnreadable,
    RunEnded,
)
from runner.published.audit.fleet import Audit, audit_document, audit_services, verdict
from runner.source.remote import RemoteRefs
from testbed.memory.calls import raising
from testbed.memory.registry import Content, MemoryRegistry
from tests.support.audits import ADDRESS, World, commit_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.oci.name import Repository

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def worlds(*names: str) -> list[World]:
    """Services with one release each."""
    made = [World(schemes=("repo-per-service",), name=name) for name in names]
    for number, world in enumerate(made, 1):
        world.release("1.0.0", commit_of(number))
    return made


def registry_of(*made: World) -> MemoryRegistry:
    """A registry that holds what these services have published."""
    held: dict[Repository, Content] = {}
    for world in made:
        for name, manifest in world.held.items():
            content = held.setdefault(name.repository, Content())
            content.manifests[manifest.digest] = manifest
            content.tags[name.tag] = manifest.digest
    return MemoryRegistry(held)


def audit(
    *made: World,
    registry: MemoryRegistry | None = None,
    deep: bool = False,
    list_refs: Callable[[str], RemoteRefs] | None = None,
) -> Audit:
    refs = {world.service.repo: RemoteRefs(world.releases, world.branch) for world in made}
    return audit_services(
        [world.service for world in made],
        ADDRESS,
        list_refs=list_refs or refs.__getitem__,
        registry=registry or registry_of(*made),
        pace=lambda: None,
        deep=deep,
    )


def document_of(found: Audit) -> dict[str, object]:
    made = audit_document(
        found, address=ADDRESS, base="https://git.example", began=NOW, seconds=1.23, requests={"tags": 4}
    )
    return made.model_dump(mode="json", by_alias=True)


def test_in_order() -> None:
    """Services in order end with 0 and no error; each repository is listed once and two names are read of each."""
    made = worlds("s3", "sns")
    registry = registry_of(*made)
    found = audit(*made, registry=registry)
    assert (found.exit, found.error, verdict(found)) == (0, None, "2 services in order")
    methods = [call.method for call in registry.calls.made]
    assert (methods.count("tags"), methods.count("manifest")) == (4, 4)
    document = document_of(found)
    assert (document["tags"], document["read"], document["exit"]) == (4, 4, 0)
    assert document["verdict"] == "2 services in order."


def test_findings() -> None:
    """What is wrong with one service is counted for it, and the command ends with 5."""
    good, bad = worlds("s3", "sns")
    del bad.held[bad.charts("1.0.0")[0]]
    found = audit(good, bad)
    assert isinstance(found.error, FindingsLeft)
    assert found.exit == 5
    assert verdict(found) == "1 finding in 1 service of 2"
    document = document_of(found)
    services = document["services"]
    assert isinstance(services, list)
    assert [(one["name"], one["state"], one["findings"]) for one in services] == [
        ("s3", "in order", 0),
        ("sns", "findings", 1),
    ]


def test_known_flaws_of_the_former_job() -> None:
    """They are counted apart, and are no reason to end with another code than 0."""
    [world] = worlds("s3")
    world.releases.clear()
    world.held.clear()
    world.release("1.0.0", commit_of(1), made_from=None)
    found = audit(world)
    assert (found.exit, found.error) == (0, None)
    assert verdict(found) == "1 service in order; 1 known flaw of the former job (nothing to do)"
    document = document_of(found)
    assert document["findings"] == []
    former = document["former"]
    assert isinstance(former, list)
    assert [one["kind"] for one in former] == ["former-without-commit"]


@pytest.mark.parametrize(
    ("error", "code"), [(RegistryFailed("it does not answer"), 7), (CredentialsRefused("it refuses"), 8)]
)
def test_a_registry_that_does_not_answer(error: ReleaseError, code: int) -> None:
    """A service that cannot be read is not judged; the others are, and the code is that of the error."""
    made = worlds("s3", "sns")
    registry = registry_of(*made)
    registry.calls.intervene("tags", raising(error), about="registry.example/ns/sns-chart")
    found = audit(*made, registry=registry)
    assert [one.service for one in found.unread] == ["sns"]
    assert [state.service.name for state in found.states] == ["s3"]
    assert (found.exit, type(found.error)) == (code, type(error))
    assert found.error is not None
    assert "sns: it" in found.error.cause


def test_a_shared_registry_that_does_not_answer() -> None:
    """Each service whose repository cannot be listed has an error of its own."""
    made = [World(schemes=("seed",), name=name) for name in ("s3", "sns")]
    registry = registry_of(*made)
    registry.calls.intervene("tags", raising(RegistryFailed("down")), about="registry.example/ns/controller")
    found = audit(*made, registry=registry)
    assert [one.service for one in found.unread] == ["s3", "sns"]
    assert found.unread[0].error is not found.unread[1].error


@pytest.mark.parametrize(("is_broken", "code"), [(True, 5), (False, 7)])
def test_a_repository_that_does_not_answer(*, is_broken: bool, code: int) -> None:
    """Findings of other services come first: they are known, and what could not be read is asked again."""
    first, second = worlds("s3", "sns")
    if is_broken:
        del first.held[first.charts("1.0.0")[0]]

    def list_refs(repository: str) -> RemoteRefs:
        if repository == second.service.repo:
            raise RemoteUnreadable("no answer")
        return RemoteRefs(first.releases)

    found = audit(first, second, list_refs=list_refs)
    assert (found.exit, [one.service for one in found.unread]) == (code, ["sns"])
    assert "1 service could not be read" in verdict(found)


def test_an_end() -> None:
    """A run that is ended is no service that cannot be read."""

    def list_refs(_: str) -> RemoteRefs:
        raise RunEnded("SIGTERM")

    with pytest.raises(RunEnded):
        audit(*worlds("s3"), list_refs=list_refs)
