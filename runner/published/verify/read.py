"""Reads a release: its names, the parts of its image, its chart's archive. Nothing is kept of what is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from runner.chart.archive import files_of
from runner.chart.facts import CHART_FILE, VALUES_FILE, read_chart_facts
from runner.errors import ChartDisagrees, ChartMissing, CredentialsRefused
from runner.oci.manifest import HELM_CHART, REVISION
from runner.published.observed import (
    PARALLEL_READS,
    Published,
    PublishedChart,
    PublishedImage,
    is_platform,
    label_of,
    observe,
    platform_of,
    read_config,
)
from runner.published.program import ProgramReader
from runner.published.verify.release import ChartContent, Part, Release, scheme_by_chart, scheme_by_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runner.oci.manifest import Manifest, Platform
    from runner.oci.name import Name
    from runner.oci.registry import Registry
    from runner.published.observed import Observation
    from runner.published.verify.release import Question

ARCHIVE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of a chart's archive that are read; a controller's is some 30 kB."""


def read_release(
    question: Question,
    registry: Registry,
    *,
    recorded: Mapping[str, str] | None = None,
    anonymous: Registry | None = None,
) -> Release:
    """Read all that is published of a release.

    Args:
        question: which one.
        registry: where it is read.
        recorded: the digests that a record has.
        anonymous: a client without credentials, where the release must be readable by anybody.

    Raises:
        RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: something could not be read; nothing is taken
            as absent for that.
    """
    observed = observe(question.names, registry)
    scheme = scheme_by_names(question, observed)
    content = _content(question.charts(scheme), observed, registry)
    if content is not None and content.facts is not None:
        named = scheme_by_chart(question, content.facts)
        if named is not None and any(isinstance(observed[name], Published) for name in question.images(named)):
            scheme = named
    found = Release(question, scheme, observed)
    return Release(
        question,
        scheme,
        observed,
        _parts(found, registry),
        content,
        recorded,
        None if anonymous is None else _shown(found, anonymous),
    )


def _content(names: Iterable[Name], observed: Mapping[Name, Observation], registry: Registry) -> ChartContent | None:
    held = ((name, found) for name in names if isinstance(found := observed[name], PublishedChart))
    first = next(held, None)
    return None if first is None else read_chart(*first, registry)


def read_chart(name: Name, chart: PublishedChart, registry: Registry) -> ChartContent:
    """Read a chart's archive; what is wrong with it is part of the result."""
    layer = next((blob for blob in chart.manifest.blobs if blob.media_type == HELM_CHART), None)
    if layer is None:
        return ChartContent(problem=f"it has no layer of type {HELM_CHART}")
    if layer.size > ARCHIVE_LIMIT:
        return ChartContent(problem=f"it has {layer.size} bytes, and at most {ARCHIVE_LIMIT} are read")
    archive = registry.scan_blob(name.repository, layer, b"".join)
    try:
        files = files_of(archive)
        missing = [file for file in (CHART_FILE, VALUES_FILE) if file not in files]
        if missing:
            return ChartContent(problem=f"it has no {' and no '.join(missing)}")
        return ChartContent(read_chart_facts("archive", files[CHART_FILE], files[VALUES_FILE]))
    except ValueError as error:
        return ChartContent(problem=str(error))
    except (ChartMissing, ChartDisagrees) as error:
        return ChartContent(problem=error.cause)


def _parts(release: Release, registry: Registry) -> tuple[Part, ...]:
    image = release.image
    if image is None:
        return ()
    name = next(name for name in release.images if isinstance(release.at(name), PublishedImage))
    programs = ProgramReader(name.repository, registry)
    if not image.manifest.is_index:
        return (_part(name, image.platforms[0], image.manifest, registry, programs),)
    listed = [(child.platform, child.digest) for child in image.manifest.children if is_platform(child.platform)]
    with ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="verify") as pool:
        manifests = list(pool.map(lambda one: registry.manifest(name.repository, one[1]), listed))
    return tuple(
        _part(name, platform, manifest, registry, programs) if manifest is not None else Part(platform, answers=False)
        for (platform, _), manifest in zip(listed, manifests, strict=True)
        if platform is not None
    )


def _part(name: Name, platform: Platform, manifest: Manifest, registry: Registry, programs: ProgramReader) -> Part:
    if manifest.is_index:
        return Part(platform, problem="it is another index")
    config_blob, *layers = manifest.blobs
    try:
        config = read_config(registry.read_blob(name.repository, config_blob))
        stated = platform_of(config)
    except (ValueError, RecursionError) as error:
        return Part(platform, problem=f"its config cannot be read: {error}")
    commits = tuple(dict.fromkeys(filter(None, (manifest.annotations.get(REVISION), label_of(config, REVISION)))))
    try:
        return Part(platform, True, stated, commits, programs.read(platform, config, layers))
    except ValueError as error:
        return Part(platform, True, stated, commits, problem=str(error))


def _shown(release: Release, anonymous: Registry) -> dict[Name, str]:
    """What each name of the release that is there shows to somebody without credentials."""
    names = [name for name in (*release.images, *release.charts) if isinstance(release.at(name), Published)]

    def show(name: Name) -> str:
        try:
            manifest = anonymous.manifest(name.repository, name.tag)
        except CredentialsRefused as error:
            return f"a refusal ({error.cause})"
        return "nothing" if manifest is None else manifest.digest

    look: Callable[[Name], str] = show
    with ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="verify") as pool:
        return dict(zip(names, pool.map(look, names), strict=True))
