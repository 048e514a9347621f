"""What is wrong with the releases of one service. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.oci.manifest import HELM_CONFIG
from runner.published.audit import kinds
from runner.published.audit.kinds import Finding, Kind
from runner.published.observed import is_platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.oci.manifest import Manifest
    from runner.oci.name import Name
    from runner.published.audit.state import Names, ServiceState
    from runner.published.observed import Published, PublishedChart
    from runner.versions import ReleaseVersion


def of_version(state: ServiceState, version: ReleaseVersion) -> Iterator[Finding]:
    """What is wrong with one version: by the names that are there, and by what was read under them."""
    used, accepted = used_schemes(state, version), state.names(version)
    charts = {name for names in accepted for name in there(state, names.charts)}
    commit = state.refs.releases.get(version)

    def finding(kind: Kind, names: Iterable[Name], found: str = "") -> Finding:
        listed = tuple(map(str, dict.fromkeys(names)))
        return Finding(kind, state.service.name, str(version), listed, found)

    if not used and not charts:
        yield finding(kinds.TAG_WITHOUT_IMAGE, (), f"{version.tag} is at {str(commit)[:12]}")
        return
    for names in used:
        charts_there = there(state, names.charts)
        missing = [name for name in (*names.images, *names.charts) if not state.has(name)]
        if not charts_there:
            yield finding(kinds.IMAGE_WITHOUT_CHART, there(state, names.images), f"{names.charts[0]} is missing")
        elif missing:
            yield finding(kinds.NAMES_MISSING, missing, f"scheme {names.scheme}")
    explained = {name for names in used for name in names.charts}
    if left := sorted(charts - explained):
        images = " or ".join(str(names.images[0]) for names in accepted if set(names.charts) & set(left))
        yield finding(kinds.CHART_WITHOUT_IMAGE, left, f"{images} is missing")
    if commit is None:
        yield finding(
            kinds.PUBLISHED_WITHOUT_TAG, [*(there(state, names.images)[0] for names in used), *sorted(charts)]
        )
    for kind, listed, found in _of_content(state, used, commit):
        yield finding(kind, listed, found)


@dataclass(frozen=True)
class _Held:
    """What one scheme's names hold, as far as it was read; ``commit`` is what they say they were made from."""

    names: Names
    image: tuple[Name, Published] | None
    chart: tuple[Name, PublishedChart] | None

    @property
    def is_adopted(self) -> bool:
        """Whether the image says no commit, and a chart that does names its digest: a release took it as it is."""
        return (
            self.image is not None
            and self.chart is not None
            and not self.image[1].revision
            and bool(self.chart[1].revision)
            and self.chart[1].image_digest == self.image[1].digest
        )

    @property
    def commits(self) -> dict[Name, str | None]:
        """What each name says it was made from."""
        found = {held[0]: held[1].revision or None for held in (self.image, self.chart) if held is not None}
        if self.is_adopted and self.image is not None and self.chart is not None:
            found[self.image[0]] = self.chart[1].revision
        return found


def _of_content(
    state: ServiceState, used: Sequence[Names], commit: str | None
) -> Iterator[tuple[Kind, tuple[Name, ...], str]]:
    """What is wrong with what a version's names hold: kind, names, and what was found."""
    held = [one for names in used if (one := _held(state, names)).image is not None or one.chart is not None]
    stated: dict[Name, str | None] = {name: said for one in held for name, said in one.commits.items()}
    wrong = [(kind, names, found) for one in held for kind, names, found in _of_kind(one)]
    yield from wrong
    commits = {frozenset(one.commits.values()) for one in held if one.commits}
    if len(held) > 1 and len(commits) > 1:
        yield kinds.TWO_COMMITS, tuple(stated), ", ".join(f"{name} {made_from(said)}" for name, said in stated.items())
    else:
        differing = tuple(name for name, said in stated.items() if commit is not None and said not in {None, commit})
        if differing:
            yield (
                kinds.REVISION_DIFFERS,
                differing,
                f"{made_from(stated[differing[0]])}, the tag is at {str(commit)[:12]}",
            )
        if silent := tuple(name for name, said in stated.items() if said is None):
            yield kinds.FORMER_WITHOUT_COMMIT, silent, ""
    for one in held:
        yield from _of_parts(state, one)


def _of_kind(one: _Held) -> Iterator[tuple[Kind, tuple[Name, ...], str]]:
    for held, is_wrong, what in ((one.image, _is_chart, "a chart"), (one.chart, _is_no_chart, "no chart")):
        if held is not None and is_wrong(held[1].manifest):
            yield kinds.SOMETHING_ELSE, (held[0],), f"it holds {what}"


def _of_parts(state: ServiceState, one: _Held) -> Iterator[tuple[Kind, tuple[Name, ...], str]]:
    if one.image is not None and one.chart is not None:
        stated, held = one.chart[1].image_digest, one.image[1].digest
        if stated not in {None, held}:
            yield kinds.CHART_OF_ANOTHER_IMAGE, (one.chart[0], one.image[0]), f"released with {stated}, is {held}"
    if one.image is not None and not one.image[1].revision and _is_for_one(one.image[1].manifest):
        yield kinds.FORMER_ONE_PLATFORM, (one.image[0],), ""
    for group in (one.names.images, one.names.charts):
        digests = {name: found.digest for name in group if (found := state.published(name)) is not None}
        if len(set(digests.values())) > 1:
            yield kinds.NAMES_DIFFER, tuple(digests), ", ".join(f"{name} {digest}" for name, digest in digests.items())


def _held(state: ServiceState, names: Names) -> _Held:
    images = ((name, state.published(name)) for name in names.images)
    charts = ((name, state.chart(name)) for name in names.charts)
    return _Held(
        names,
        next(((name, found) for name, found in images if found is not None), None),
        next(((name, found) for name, found in charts if found is not None), None),
    )


def used_schemes(state: ServiceState, version: ReleaseVersion) -> list[Names]:
    """The schemes under which a version's image is there."""
    return [names for names in state.names(version) if there(state, names.images)]


def there(state: ServiceState, names: Iterable[Name]) -> list[Name]:
    """Those of these names that are there."""
    return [name for name in names if state.has(name)]


def _is_chart(manifest: Manifest) -> bool:
    return not manifest.is_index and manifest.blobs[0].media_type == HELM_CONFIG


def _is_no_chart(manifest: Manifest) -> bool:
    return not _is_chart(manifest)


def _is_for_one(manifest: Manifest) -> bool:
    return sum(is_platform(child.platform) for child in manifest.children) < 2  # noqa: PLR2004 - one, or no index


def made_from(commit: str | None) -> str:
    """What something says it was made from, in words."""
    return "says no commit" if commit is None else f"was made from {commit[:12]}"
