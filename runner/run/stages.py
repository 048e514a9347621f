"""The stations of a run for all its services: each records its steps, and a service that fails stops alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from runner.chart.facts import chart_files
from runner.errors import ReleaseError
from runner.run.inputs import read_chart_files
from runner.run.reporting import record_desired, record_entries, record_plan
from runner.run.request import Desired
from runner.run.services import each_service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.builders.base import Base
    from runner.run.plan.model import Plan
    from runner.run.request import Chosen, Request
    from runner.run.tools import Tools

READ_AT_ONCE = 8


class Looked(Protocol):
    """What was found."""

    @property
    def desired(self) -> Desired:
        """What was looked for."""

    @property
    def plan(self) -> Plan | None:
        """What follows; None where only the packaged chart can tell."""

    @property
    def builds(self) -> bool:
        """Whether anything may have to be compiled."""


class Prepared(Protocol):
    """What is ready to be built and published."""

    @property
    def desired(self) -> Desired:
        """What it is."""

    @property
    def plan(self) -> Plan:
        """What will be done."""


D = TypeVar("D", bound=Desired)
L = TypeVar("L", bound=Looked)
P = TypeVar("P", bound=Prepared)


class Path(Protocol[D, L, P]):
    """One of the two paths; satisfied by the modules ``release_path`` and ``stable_path``."""

    def describe(self, request: Request, chosen: Chosen, files: Mapping[str, bytes | None]) -> D:
        """Say what there should be."""

    def look(self, request: Request, desired: D, tools: Tools) -> L:
        """Say what there is."""

    def prepare(self, request: Request, looked: L, tools: Tools) -> P:
        """Make and check the chart."""

    def builds(self, plan: Plan) -> bool:
        """Whether a plan compiles anything."""

    def publish(self, request: Request, prepared: P, base: Base | None, tools: Tools) -> Plan:
        """Build and publish."""


class Road(Generic[D, L, P]):
    """Leads services along one path.

    Args:
        path: the release path or the stable path.
        request: what is asked for.
        tools: what it is done with.
    """

    def __init__(self, path: Path[D, L, P], request: Request, tools: Tools) -> None:
        self._path = path
        self.request = request
        self._tools = tools
        self._record = tools.record

    def describe(self, chosen: Sequence[Chosen]) -> tuple[D, ...]:
        """Say for each service what there should be."""
        paths = [file for one in chosen for file in chart_files(one.service.chart_folder)]
        with self._record.step("describe"):
            files = read_chart_files(self.request, paths, self._tools)

        def work(one: Chosen) -> D:
            with self._record.step("describe", one.service.name):
                return self._path.describe(self.request, one, files)

        desired = each_service(chosen, lambda one: one.service.name, work, self._record, at_once=READ_AT_ONCE)
        record_desired(self.request, desired, self._tools)
        return desired

    def look(self, desired: Iterable[D]) -> tuple[L, ...]:
        """Say for each service what there is, and plan."""

        def work(one: D) -> L:
            with self._record.step("observe", one.service.name):
                looked = self._path.look(self.request, one, self._tools)
            self._plan(one, looked.plan)
            return looked

        return each_service(desired, _service_of_desired, work, self._record, at_once=READ_AT_ONCE)

    def will_build(self, looked: Iterable[L]) -> bool:
        """Whether anything is to be compiled, or may be once the charts are packaged."""
        return any(one.builds for one in looked)

    def prepare(self, looked: Iterable[L], base: Base | ReleaseError | None) -> tuple[P, ...]:
        """Make and check each service's chart, and finish its plan."""

        def work(one: L) -> P:
            service = one.desired.service.name
            with self._record.step("chart", service):
                prepared = self._path.prepare(self.request, one, self._tools)
            if one.plan is None:
                self._plan(prepared.desired, prepared.plan)
            if isinstance(base, ReleaseError) and self._path.builds(prepared.plan):
                with self._record.step("base image", service):
                    raise base
            return prepared

        return each_service(looked, _service_of, work, self._record, at_once=self.request.config.build.parallel)

    def publish(self, prepared: Iterable[P], base: Base | ReleaseError | None) -> bool:
        """Build and publish each service, record what its names hold now, and say whether any was published."""
        usable = None if isinstance(base, ReleaseError) else base

        def work(one: P) -> Plan:
            plan = self._path.publish(self.request, one, usable, self._tools)
            record_entries(plan, self._tools)
            return plan

        published = each_service(prepared, _service_of, work, self._record, at_once=self.request.config.build.parallel)
        return bool(published)

    def _plan(self, desired: Desired, plan: Plan | None) -> None:
        if plan is not None:
            with self._record.step("plan", desired.service.name) as step:
                record_plan(plan, self._tools)
                if not plan.publishes:
                    step.skip("everything is published already")


def _service_of_desired(desired: Desired) -> str:
    return desired.service.name


def _service_of(one: Looked | Prepared) -> str:
    return one.desired.service.name
