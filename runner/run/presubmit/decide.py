"""What a change would release once it is merged and tagged: each service by the version in its own chart. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.errors import ChartDisagrees, ChartMissing, VersionTaken
from runner.run.selection import LeftOut, Row, Selected, chart_file
from runner.versions import (
    NUMBER_TOO_LARGE,
    ReleaseVersion,
    StableChannel,
    is_too_large,
    plain_version,
    semantic_version,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.config.load import Service

NO_TAGS = "the clone has no tags, so every chart counts as unreleased"


@dataclass(frozen=True)
class Tag:
    """The tag of a chart's version, which is there already.

    Attributes:
        commit: what it peels to.
        merged: HEAD contains it.
        same_chart: the chart's folder there is that of HEAD.
        chart_version: the version that the chart has there, without ``v``; empty where there is no chart, None where
            it cannot be read.
    """

    commit: str
    merged: bool
    same_chart: bool
    chart_version: str | None


@dataclass(frozen=True)
class Judged:
    """What a change does for one service, and what its author should know."""

    row: Row
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A service's chart at HEAD: the version as written, and whether this change touches its folder."""

    service: Service
    version: str
    touched: bool


def tag_of(version: str) -> str | None:
    """Return the tag that releases a chart of this version, as written; None when none does."""
    release = ReleaseVersion.of_chart(version)
    return None if release is None else release.tag


def read_version(service: Service, body: bytes | None) -> str:
    """Return the version in a Chart.yaml, as written.

    Args:
        service: whose chart it is.
        body: Chart.yaml at HEAD, None where there is none.

    Raises:
        ChartMissing: there is no Chart.yaml, or it cannot be read.
        ChartDisagrees: it has no version.
    """
    file = chart_file(service)
    if body is None:
        raise ChartMissing(f"the commit has no {file}")
    try:
        version = Mapped.read(body).scalar("version")
    except YamlInvalid as error:
        place = "" if error.line is None else f":{error.line}"
        raise ChartMissing(f"{file}{place} cannot be read: {error.reason}") from error
    if version is None or not version.text:
        raise ChartDisagrees(f"{file}: version is missing")
    return version.text


def version_there(service: Service, body: bytes | None) -> str | None:
    """Return the version in a Chart.yaml of another commit, without ``v``; None where it cannot be read."""
    try:
        return plain_version(read_version(service, body))
    except (ChartMissing, ChartDisagrees):
        return None


def judge_change(chart: Chart, tag: Tag | None, released: Iterable[ReleaseVersion]) -> Judged:
    """Decide what merging and tagging this change would release of a service.

    Args:
        chart: the service's chart.
        tag: the tag of its version; None when there is none yet.
        released: versions released in HEAD's history with which this one is compared.

    Raises:
        ChartDisagrees: the version is one that neither a release nor stable has.
        VersionTaken: this change gives the chart a version whose tag is there already, and releases something else.
    """
    version = ReleaseVersion.of_chart(chart.version)
    if version is None:
        return Judged(LeftOut(chart.service, _why_no_tag(chart)))
    if tag is None:
        highest = max(released, default=version)
        warnings = (f"{version.tag} would come after {highest.tag}, which is higher",) if version < highest else ()
        return Judged(Selected(chart.service, str(version), f"there is no tag {version.tag} yet"), warnings)
    return _judge_tagged(chart, version.tag, tag)


def _judge_tagged(chart: Chart, name: str, tag: Tag) -> Judged:
    tagged = f"{name} is already tagged"
    problem = _not_released_there(chart, name, tag)
    if problem is not None:
        if chart.touched:
            raise VersionTaken(problem)
        return Judged(LeftOut(chart.service, tagged), (f"{problem}: nothing is released until the version is raised",))
    if tag.same_chart:
        return Judged(LeftOut(chart.service, f"{tagged}, with this chart"))
    reason = f"{tagged}: nothing is released until the version is raised"
    warning = (
        f"the chart differs from that of {name}: the change is not released until version in"
        f" {chart_file(chart.service)} is raised"
    )
    return Judged(LeftOut(chart.service, reason), (warning,) if chart.touched else ())


def _not_released_there(chart: Chart, name: str, tag: Tag) -> str | None:
    """Say why the tag is not that of a release of this chart; None when it is."""
    if tag.same_chart:
        return None
    if not tag.merged:
        return f"{name} is already tagged at {tag.commit}, which HEAD does not contain, with another chart"
    if tag.chart_version not in {None, plain_version(chart.version)}:
        has = f"has {tag.chart_version}" if tag.chart_version else "is not there"
        return f"{name} is already tagged at {tag.commit}, where the chart of {chart.service.name} {has}"
    return None


def _why_no_tag(chart: Chart) -> str:
    if StableChannel.of_chart(chart.version) is not None:
        return f"its chart's version is {chart.version}, that of a stable chart, which no tag releases"
    with suppress(ValueError):
        semantic_version(chart.version)
        return f"its chart has {chart.version}, and only versions MAJOR.MINOR.PATCH are released"
    too_large = is_too_large(chart.version)
    problem = NUMBER_TOO_LARGE if too_large else "it should be MAJOR.MINOR.PATCH, with or without v"
    raise ChartDisagrees(
        f"{chart_file(chart.service)}: version is {chart.version}: {problem}",
        remedy="Correct version in Chart.yaml, so that a tag can release it.",
    )
