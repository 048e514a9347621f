"""Whether all of what is published is still there: a clean-up may remove what a tag needs, and leave the tag."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.oci.manifest import HELM_CHART, HELM_CONFIG
from runner.published.observed import PARALLEL_READS, Gone, Published

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.oci.manifest import Descriptor, Manifest
    from runner.oci.name import Name, Repository
    from runner.oci.registry import Registry
    from runner.published.observed import Observation


def with_gone(
    observed: Mapping[Name, Observation], names: Iterable[Name], registry: Registry
) -> dict[Name, Observation]:
    """What was observed, with what is gone of what these names hold.

    Of an index every manifest is read, and every config and layer is looked up: one request for each.

    Raises:
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused: it could not be seen; nothing is taken as gone then.
    """
    held = {name: found for name in names if isinstance(found := observed[name], Published)}
    contents = {(name.repository, found.digest): found.manifest for name, found in held.items()}
    with ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="parts") as pool:
        gone = {place: _gone(place[0], manifest, registry, pool) for place, manifest in contents.items()}
    looked_at = {name: replace(found, gone=gone[name.repository, found.digest]) for name, found in held.items()}
    return {**observed, **looked_at}


def _gone(repository: Repository, manifest: Manifest, registry: Registry, pool: ThreadPoolExecutor) -> tuple[Gone, ...]:
    """What does not answer of a manifest and of what it names."""
    children = tuple(manifest.children)
    found = tuple(pool.map(lambda child: registry.manifest(repository, child.digest), children))
    read = [(_what(child), one) for child, one in zip(children, found, strict=True) if one is not None]
    gone = [Gone(_what(child), child.digest) for child, one in zip(children, found, strict=True) if one is None]
    blobs = {blob.digest: words for of, one in (("", manifest), *read) for blob, words in _blobs(of, one)}
    there = pool.map(lambda digest: registry.has_blob(repository, digest), blobs)
    gone += [
        Gone(words, digest) for (digest, words), is_there in zip(blobs.items(), there, strict=True) if not is_there
    ]
    return tuple(gone)


def _blobs(of: str, manifest: Manifest) -> Iterator[tuple[Descriptor, str]]:
    """Each blob of a manifest, and what it is in words."""
    of = f" of {of}" if of else ""
    for place, blob in enumerate(manifest.blobs):
        kind = {HELM_CONFIG: "the chart's config", HELM_CHART: "the chart's archive"}.get(blob.media_type)
        yield blob, kind or f"{'a layer' if place else 'the config'}{of}"


def _what(child: Descriptor) -> str:
    return "a manifest" if child.platform is None else str(child.platform)
