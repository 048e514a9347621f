"""What the stable names of a service hold and have held, by their history tags. Everything here only reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.annotations import RELEASE_VERSION
from runner.oci.manifest import REVISION
from runner.oci.name import Name
from runner.published.audit.state import ServiceState
from runner.published.history import history_tags
from runner.published.observed import PARALLEL_READS
from runner.source.remote import RemoteRefs
from runner.versions import plain_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from runner.config.load import Service
    from runner.config.naming import RegistryAddress
    from runner.oci.manifest import Manifest
    from runner.oci.registry import Registry
    from runner.versions import HistoryTag


@dataclass(frozen=True)
class Move:
    """A move of a stable name.

    Attributes:
        tag: its history tag.
        moved: when, UTC.
        commit: that of the chart; the whole id where the chart says it.
        version: the version of the image that the chart deploys; empty where the chart does not say it.
        digest: that of the chart; None where the tag is listed and gone.
        is_current: whether the stable name holds this chart now, since this move.
    """

    tag: str
    moved: datetime
    commit: str
    version: str
    digest: str | None
    is_current: bool


@dataclass(frozen=True)
class History:
    """A stable name: what it holds, and how it came there, newest first; ``earlier`` moves were not read."""

    name: Name
    digest: str | None
    moves: tuple[Move, ...]
    earlier: int = 0

    @property
    def is_outside(self) -> bool:
        """Whether the name holds what none of the moves that were read wrote."""
        return self.digest is not None and not self.earlier and not any(move.is_current for move in self.moves)


def read_histories(
    service: Service, address: RegistryAddress, registry: Registry, *, pace: Callable[[], object], most: int
) -> tuple[History, ...]:
    """Read the stable names of every major that has any, ascending.

    Args:
        service: whose they are.
        address: the registry and the namespace in it.
        registry: where they are read.
        pace: waits until one more manifest may be read.
        most: how many moves of each name are read, the newest ones.

    Raises:
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: something could not be read.
    """
    places = {name.repository for scheme in service.naming for name in scheme.stable_names(address, service.name, 0)}
    tags = {repository: frozenset(registry.tags(repository)) for repository in sorted(places)}
    state = ServiceState(service, address, RemoteRefs(), tags)
    names = [name for names in state.stable_names.values() for name in names]

    def read(name: Name) -> Manifest | None:
        pace()
        return registry.manifest(name.repository, name.tag)

    wanted = {one for name in names for one in (name, *state.history(name)[-most:])}
    with ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="history") as pool:
        manifests = dict(zip(sorted(wanted), pool.map(read, sorted(wanted)), strict=True))
    return tuple(history_of(name, tags[name.repository], manifests, most) for name in names)


def history_of(name: Name, tags: Iterable[str], manifests: Mapping[Name, Manifest | None], most: int) -> History:
    """Return what a stable name holds and has held. Pure.

    Args:
        name: the stable name.
        tags: its repository's tags.
        manifests: what is under it, and under its newest history names.
        most: how many of these were read.
    """
    holds, tagged = manifests.get(name), history_tags(name, tags)
    digest = None if holds is None else holds.digest
    moves: list[Move] = []
    for one in reversed(tagged[-most:]):
        chart = manifests.get(Name(name.repository, str(one)))
        # Two moves may have written the same chart: stable is at the newer one.
        is_current = chart is not None and chart.digest == digest and not any(move.is_current for move in moves)
        moves.append(_move(one, chart, is_current=is_current))
    return History(name, digest, tuple(moves), max(0, len(tagged) - most))


def _move(tag: HistoryTag, chart: Manifest | None, *, is_current: bool) -> Move:
    annotations = {} if chart is None else chart.annotations
    stated = annotations.get(REVISION, "")
    return Move(
        tag=str(tag),
        moved=tag.moved,
        commit=stated if stated.startswith(tag.commit) else tag.commit,
        version=plain_version(annotations.get(RELEASE_VERSION, "")),
        digest=None if chart is None else chart.digest,
        is_current=is_current,
    )
