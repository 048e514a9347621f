"""Which services of the repository a run releases, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.chart.facts import CHART_FILE
from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.config.load import service_named, services_in
from runner.errors import NothingInTag, ServiceUnknown
from runner.source.route import PresubmitPath, StablePath
from runner.versions import plain_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.config.load import Service
    from runner.run.inputs import Inputs


@dataclass(frozen=True)
class Selected:
    """A service that this run releases, in which version (on stable the resolved one), and why."""

    service: Service
    version: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A service of the repository that this run does not release, and why."""

    service: Service
    reason: str


Row = Selected | LeftOut


def candidates(inputs: Inputs) -> tuple[Service, ...]:
    """Return the services that live in the event's repository.

    Raises:
        ServiceUnknown: there is none, or one that was asked for lives elsewhere or nowhere.
    """
    config, repository = inputs.config, inputs.event.repository
    found = services_in(config, repository)
    if not found:
        raise ServiceUnknown(f"{config.path} has no service that lives in the repository {repository}")
    for name in inputs.settings.services:
        service = service_named(config, name)
        if service not in found:
            raise ServiceUnknown(f"the service {name} lives in the repository {service.repo}, not in {repository}")
    return found


def chart_file(service: Service) -> str:
    """The path of a service's Chart.yaml in the repository."""
    return f"{service.chart_folder}/{CHART_FILE}"


def select(inputs: Inputs, found: tuple[Service, ...], files: Mapping[str, bytes | None]) -> tuple[Row, ...]:
    """Say of each service whether it is released, and why.

    A tag of a repository with one service releases that one. A tag of a repository with several releases those whose
    Chart.yaml has the tag's version; a push to stable moves every one that has a chart.

    Args:
        inputs: what the run is asked for.
        found: the services that live in the repository.
        files: each service's Chart.yaml at HEAD, None where there is none.
    """
    wanted = inputs.settings.services
    rows = tuple(_judge(inputs, service, files[chart_file(service)], alone=len(found) == 1) for service in found)
    if wanted:
        return tuple(row if row.service.name in wanted else not_asked_for(row.service) for row in rows)
    return rows


def not_asked_for(service: Service) -> LeftOut:
    """Leave out a service that --service does not name."""
    return LeftOut(service, "not named by --service")


def without_chart(service: Service) -> LeftOut:
    """Leave out one of several services that has no chart."""
    return LeftOut(service, f"no {chart_file(service)} in this commit")


def check_any(inputs: Inputs, rows: Sequence[Row]) -> None:
    """Refuse a push that releases nothing, unless what it leaves out was asked for by name.

    Raises:
        NothingInTag: it releases none of the repository's services; the detail says of each why.
    """
    if inputs.settings.services or any(isinstance(row, Selected) for row in rows):
        return
    raise NothingInTag(
        f"no chart of {inputs.event.repository} is released by {inputs.ref}",
        detail=tuple(f"{row.service.name}: {row.reason}" for row in rows),
    )


def _judge(inputs: Inputs, service: Service, chart: bytes | None, *, alone: bool) -> Row:
    route = inputs.route
    if isinstance(route, PresubmitPath):
        raise TypeError("a change is judged by the version in each chart")
    if alone:
        return Selected(service, route.version, "the only service of this repository")
    if chart is None:
        return without_chart(service)
    if isinstance(route, StablePath):
        return Selected(service, route.version, "has a chart on stable")
    try:
        version = Mapped.read(chart).scalar("version")
    except YamlInvalid as error:
        return LeftOut(service, f"{chart_file(service)} cannot be read: {error}")
    text = version.text if version else "no version"
    if plain_version(text) == route.version:
        return Selected(service, route.version, "its chart has the tag's version")
    return LeftOut(service, f"its chart has {text}")
