"""Reads what an audit judges: every repository's refs and tags once, and the few manifests that are wanted.

Nothing that cannot be read is taken as absent: a service whose repository or registry does not answer is left out, with
its error.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from runner.errors import ReleaseError, RunEnded
from runner.published.audit.decide import to_read
from runner.published.audit.state import ServiceState, repositories_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.config.load import Service
    from runner.config.naming import RegistryAddress
    from runner.oci.manifest import Manifest
    from runner.oci.name import Name, Repository
    from runner.oci.registry import Registry
    from runner.source.remote import RemoteRefs

Key = TypeVar("Key")
Value = TypeVar("Value")

PARALLEL: Final = 8
"""How many repositories, and how many names, are read at once."""


@dataclass(frozen=True)
class Unread:
    """A service that cannot be judged, and why."""

    service: str
    error: ReleaseError


def read_fleet(
    services: Sequence[Service],
    address: RegistryAddress,
    *,
    list_refs: Callable[[str], RemoteRefs],
    registry: Registry,
    pace: Callable[[], object],
    deep: bool,
) -> tuple[tuple[ServiceState, ...], tuple[Unread, ...]]:
    """Read all services side by side, each repository once however many services are in it.

    Args:
        services: which.
        address: the registry and the namespace in it.
        list_refs: gives the refs of a repository, by its name without owner.
        registry: where tags and manifests are read.
        pace: waits until one more manifest may be read; the quotas of registries are of pulls, not of lists.
        deep: whether every name is read; else those that ``to_read`` wants.

    Returns:
        What is known of the services that could be read, and the others; both in the order of ``services``.

    Raises:
        RunEnded: the run was ended.
    """

    def list_tags(repository: Repository) -> frozenset[str]:
        return frozenset(registry.tags(repository))

    def manifest(name: Name) -> Manifest | None:
        pace()
        return registry.manifest(name.repository, name.tag)

    def read(service: str) -> ServiceState:
        one = named[service]
        found = {place: _unwrapped(tags[place]) for place in repositories_of(one, address)}
        state = ServiceState(one, address, _unwrapped(refs[one.repo]), found)
        while names := to_read(state, deep=deep):
            state = state.with_manifests({name: manifest(name) for name in names})
        return state

    named = {service.name: service for service in services}
    refs = _each((service.repo for service in services), list_refs)
    tags = _each((place for service in services for place in repositories_of(service, address)), list_tags)
    states = _each(named, read)
    return (
        tuple(state for state in states.values() if isinstance(state, ServiceState)),
        tuple(Unread(name, error) for name, error in states.items() if isinstance(error, ReleaseError)),
    )


def _each(keys: Iterable[Key], read: Callable[[Key], Value]) -> Mapping[Key, Value | ReleaseError]:
    """Read side by side, each key once; what cannot be read has its error in its place."""

    def one(key: Key) -> Value | ReleaseError:
        try:
            return read(key)
        except RunEnded:
            raise
        except ReleaseError as error:
            return error

    listed = tuple(dict.fromkeys(keys))
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="audit") as pool:
        return dict(zip(listed, pool.map(one, listed), strict=True))


def _unwrapped(found: Value | ReleaseError) -> Value:
    if isinstance(found, ReleaseError):
        # Each service has an error of its own: a record takes one and the same only once.
        raise copy(found)
    return found
