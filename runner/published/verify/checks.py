"""What is checked of a release: every check in one table. Pure.

What the former job published is held to what it knew: its known flaws are warnings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from runner.annotations import RELEASE_VERSION
from runner.config.naming import fill
from runner.oci.manifest import VERSION
from runner.published.observed import Published, PublishedChart, PublishedImage
from runner.versions import ReleaseVersion, plain_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runner.oci.name import Name
    from runner.published.observed import Observation
    from runner.published.verify.release import Part, Release


class Result(StrEnum):
    """What came of a check; a note is worth knowing and neither good nor bad."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Check:
    """One check: what it is called, what came of it, what was found, and what should be there."""

    name: str
    result: Result
    found: str
    expected: str


NOTHING: Final = "nothing"
FORMER: Final = "no commit: published by the former job"


def check_release(release: Release) -> tuple[Check, ...]:
    """Check a release; one that is not there at all has a check that says so, and no others of its content."""
    return tuple(check for checks in CHECKS for check in checks(release))


def _judged(name: str, found: str, expected: str, *, good: bool, flaw: bool = False) -> Check:
    """A check that passes or not; a known flaw of the former job is a warning."""
    failed = Result.WARNING if flaw else Result.FAILED
    return Check(name, Result.PASSED if good else failed, found, expected)


def _image(release: Release) -> Iterator[Check]:
    primary = release.images[0]
    found = release.at(primary)
    yield _judged("image", _held(found), f"an image at {primary}", good=isinstance(found, PublishedImage))
    yield from _names("image names", release, release.images)


def _platforms(release: Release) -> Iterator[Check]:
    image = release.image
    if image is None:
        return
    answering = [part.platform for part in release.parts if part.answers]
    is_former = not image.revision
    wanted = "at least one" if is_former else _listed(image.released_for)
    missing = not answering if is_former else not set(image.released_for) <= set(answering)
    yield _judged("platforms", _listed(answering), wanted, good=not missing)
    if is_former and (len(answering) < 2 or len(answering) < len(release.parts)):  # noqa: PLR2004 - two, or one is lacking
        yield Check("platforms of the former job", Result.WARNING, _listed(answering), "more than one, all answering")
    lacking = [platform for platform in release.question.platforms if platform not in answering]
    if lacking and answering:
        yield Check("platforms of jobs.yaml", Result.NOTE, f"not for {_listed(lacking)}", "what is built today")


def _programs(release: Release) -> Iterator[Check]:
    for part in release.parts:
        if part.answers:
            yield from _program(part, is_former=release.image is not None and not release.image.revision)


def _program(part: Part, *, is_former: bool) -> Iterator[Check]:
    platform, program = part.platform, part.program
    if part.stated is not None:
        agrees = part.stated == platform
        yield _judged(f"config {platform}", str(part.stated), str(platform), good=agrees, flaw=is_former)
    expected = f"for {platform.architecture}, static"
    if program is None:
        yield _judged(f"program {platform}", part.problem or NOTHING, expected, good=False)
        return
    how = {True: "static", False: "needs a loader", None: "not seen whether static"}[program.is_static]
    right = program.architecture == platform.architecture and program.is_static is not False
    found = f"/{program.path} for {program.architecture}, {how}"
    yield _judged(f"program {platform}", found, expected, good=right and program.is_static is True, flaw=right)


def _image_labels(release: Release) -> Iterator[Check]:
    image = release.image
    if image is None:
        return
    if release.is_adopted and release.chart is not None:
        made = f"no commit: adopted by the chart of {str(release.chart.revision)[:12]}"
        yield Check("image commit", Result.NOTE, made, _commit(release))
    else:
        yield _revision("image commit", release, image)
    said = {commit for part in release.parts for commit in part.commits}
    if image.revision and said - {image.revision}:
        others = ", ".join(sorted(commit[:12] for commit in said))
        yield _judged("image labels", others, image.revision[:12], good=False)
    yield from _source("image source", release, image)
    yield from _version("image version", release, image)


def _chart(release: Release) -> Iterator[Check]:
    primary = release.charts[0]
    found = release.at(primary)
    yield _judged("chart", _held(found), f"a chart at {primary}", good=isinstance(found, PublishedChart))
    yield from _names("chart names", release, release.charts)


def _chart_labels(release: Release) -> Iterator[Check]:
    chart, image = release.chart, release.image
    if chart is None:
        return
    yield _revision("chart commit", release, chart)
    if chart.revision and image is not None and image.revision and image.revision != chart.revision:
        found = f"chart {chart.revision[:12]}, image {image.revision[:12]}"
        yield _judged("one commit", found, "the same commit", good=False)
    yield from _source("chart source", release, chart)
    yield from _version("chart version", release, chart)


def _archive(release: Release) -> Iterator[Check]:
    if release.content is None:
        return
    facts, question = release.content.facts, release.question
    if facts is None:
        yield _judged("chart archive", release.content.problem, "Chart.yaml and values.yaml", good=False)
        return
    accepted = [fill(name, service=question.service.name) for name in question.chart_names]
    yield _judged("chart name", facts.name, " or ".join(accepted), good=facts.name in accepted)
    stated = f"version {facts.version}, appVersion {facts.app_version}"
    agree = all(ReleaseVersion.of_chart(one) == question.version for one in (facts.version, facts.app_version))
    yield _judged("Chart.yaml", stated, f"both {question.version}", good=agree)
    yield _judged("chart's image", facts.image, str(release.images[0]), good=facts.image == str(release.images[0]))


def _chart_to_image(release: Release) -> Iterator[Check]:
    chart, image = release.chart, release.image
    if chart is None or image is None:
        return
    stated = f"{chart.image_repository}@{chart.image_digest}" if chart.image_digest else NOTHING
    wanted = f"{release.images[0].repository}@{image.digest}"
    yield _judged("chart's image digest", stated, wanted, good=stated == wanted, flaw=not chart.revision)


def _other_schemes(release: Release) -> Iterator[Check]:
    question, own = release.question, {*release.images, *release.charts}
    here = release.chart if release.image is None or release.is_adopted else release.image
    revision = here.revision if here is not None else None
    for scheme in question.service.naming:
        for name in (*question.images(scheme), *question.charts(scheme)):
            found = release.at(name)
            if name in own or not isinstance(found, Published):
                continue
            own.add(name)
            same = Result.NOTE if revision else Result.WARNING
            result = same if found.revision == revision else Result.FAILED
            made = found.revision[:12] if found.revision else "no commit"
            expected = f"nothing, or commit {revision[:12] if revision else 'unknown'}"
            yield Check(f"scheme {scheme.label}", result, f"{name} holds this version, from {made}", expected)


def _stable(release: Release) -> Iterator[Check]:
    names = release.question.stables(release.scheme)
    held = {name: found for name in names if isinstance(found := release.at(name), PublishedChart)}
    if not held:
        yield Check("stable", Result.NOTE, NOTHING, f"{names[0]}, where there is a branch stable")
        return
    versions = {_stable_version(chart) for chart in held.values()}
    of_this = str(release.question.version) in versions
    said = f"{names[0].tag} deploys {', '.join(sorted(versions))}"
    yield Check("stable", Result.NOTE, said + (": this release" if of_this else ""), "any version of this major")
    yield from _names("stable names", release, tuple(held))


def _record(release: Release) -> Iterator[Check]:
    if release.recorded is None:
        return
    mine = {str(name): found for name, found in release.observed.items()}
    compared = {name: digest for name, digest in release.recorded.items() if name in mine}
    if not compared:
        yield _judged("record", "no name of this release", "its names with their digests", good=False)
    for name, digest in compared.items():
        there = _digest(mine[name])
        yield _judged("record", f"{name} is {there}", digest, good=there == digest)


def _anonymous(release: Release) -> Iterator[Check]:
    if release.anonymous is None:
        return
    wanted = {name: found.digest for name in release.anonymous if isinstance(found := release.at(name), Published)}
    wrong = [f"{name} shows {shown}" for name, shown in release.anonymous.items() if shown != wanted.get(name)]
    said = "; ".join(wrong) or f"{len(wanted)} names, as with credentials"
    yield _judged("without credentials", said, "what the names hold", good=not wrong)


CHECKS: Final[tuple[Callable[[Release], Iterable[Check]], ...]] = (
    _image,
    _platforms,
    _programs,
    _image_labels,
    _chart,
    _archive,
    _chart_labels,
    _chart_to_image,
    _other_schemes,
    _stable,
    _record,
    _anonymous,
)
"""Every check, in the order in which they are shown."""


def _names(name: str, release: Release, names: Sequence[Name]) -> Iterator[Check]:
    """Whether all names of one artifact hold the same; nothing to say of a single name, or where none is there."""
    held = {one: _digest(release.at(one)) for one in names}
    if len(names) < 2 or set(held.values()) == {NOTHING}:  # noqa: PLR2004 - one name cannot differ
        return
    differing = len(set(held.values())) > 1
    said = ", ".join(f"{one} {digest}" for one, digest in held.items()) if differing else f"{len(held)} names alike"
    chart, flawed = release.chart, False
    if chart is not None and not chart.revision and NOTHING in held.values():
        flawed = len(set(held.values())) == 2  # noqa: PLR2004 - what is there, and nothing
    yield _judged(name, said, "one digest", good=not differing, flaw=flawed)


def _revision(name: str, release: Release, found: Published) -> Check:
    if not found.revision:
        return Check(name, Result.WARNING, FORMER, _commit(release))
    good = release.question.commit in {None, found.revision}
    return _judged(name, found.revision, _commit(release), good=good)


def _source(name: str, release: Release, found: Published) -> Iterator[Check]:
    if found.revision or found.source:
        good = (found.source or "").endswith(release.question.source)
        yield _judged(name, found.source or NOTHING, f"…{release.question.source}", good=good, flaw=not found.revision)


def _version(name: str, release: Release, found: Published) -> Iterator[Check]:
    annotations, version = found.manifest.annotations, str(release.question.version)
    stated = {key: annotations[key] for key in (VERSION, RELEASE_VERSION) if key in annotations}
    if found.revision or stated:
        wrong = [one for one in stated.values() if plain_version(one) != version]
        said = ", ".join(dict.fromkeys(stated.values())) or NOTHING
        yield _judged(name, said, version, good=bool(stated) and not wrong, flaw=not found.revision and not wrong)


def _stable_version(chart: PublishedChart) -> str:
    return plain_version(chart.manifest.annotations.get(RELEASE_VERSION) or chart.app_version or "no version")


def _commit(release: Release) -> str:
    return release.question.commit or "a commit"


def _held(found: Observation) -> str:
    if isinstance(found, PublishedChart):
        return f"a chart, {found.digest}"
    return _digest(found)


def _digest(found: Observation) -> str:
    return found.digest if isinstance(found, Published) else NOTHING


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"
