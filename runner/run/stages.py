"""The stages of a run, for all its services side by side; a service that fails stops alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.chart.facts import chart_files
from runner.run import release, stable
from runner.run.access import check_access
from runner.run.each_service import each_service
from runner.run.prerequisites import check_prerequisites
from runner.run.reporting import record_entries, tell_plan, warn
from runner.run.tools import open_tools
from runner.runtime.workspace import remove_folder
from runner.source.route import StablePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.run.each_service import OpenStep
    from runner.run.inputs import Inputs
    from runner.run.plan.model import Plan
    from runner.run.prerequisites import Prerequisites
    from runner.run.selection import Selected
    from runner.run.tools import Tools

__all__ = ["check", "check_access", "describe", "observe", "open_tools", "package", "publish", "verify"]

AnyDesired = release.Desired | stable.Desired
AnyObserved = release.Observed | stable.Observed
AnyPackaged = release.Packaged | stable.Packaged

READ_AT_ONCE = 8
"""How many services are described and observed at the same time."""


def describe(inputs: Inputs, selected: Sequence[Selected], tools: Tools) -> tuple[AnyDesired, ...]:
    """Say for each service what there should be."""
    paths = [file for one in selected for file in chart_files(one.service.chart_folder)]
    with tools.record.step("describe"):
        files = inputs.clone.files(paths)

    def work(one: Selected, step: OpenStep) -> AnyDesired:
        with step("describe"):
            if isinstance(inputs.route, StablePath):
                return stable.describe(inputs, one, files)
            return release.describe(inputs, one, files)

    desired = each_service(selected, work, tools.record, at_once=READ_AT_ONCE)
    _record_desired(inputs, desired, tools)
    return desired


def observe(desired: Sequence[AnyDesired], tools: Tools) -> tuple[AnyObserved, ...]:
    """Read for each service what there is, and plan; return those for which there is something to do."""

    def work(one: AnyDesired, step: OpenStep) -> AnyObserved:
        with step("observe"):
            observed = one.observe(tools)
        if observed.plan is not None:
            tell_plan(observed.plan, tools)
        return observed

    observed = each_service(desired, work, tools.record, at_once=READ_AT_ONCE)
    return tuple(one for one in observed if one.plan is None or one.plan.publishes)


def check(inputs: Inputs, observed: Sequence[AnyObserved], tools: Tools) -> Prerequisites:
    """Check all that services share and that can go wrong without building: tools, base image, source."""
    return check_prerequisites(inputs, tools, build=any(one.builds for one in observed))


def package(
    inputs: Inputs, observed: Sequence[AnyObserved], prerequisites: Prerequisites, tools: Tools
) -> tuple[AnyPackaged, ...]:
    """Make and check each service's chart, and finish its plan; return those for which there is something to do."""

    def work(one: AnyObserved, step: OpenStep) -> AnyPackaged:
        with step("chart"):
            packaged = one.package(prerequisites, tools)
        if one.plan is None:
            tell_plan(packaged.plan, tools)
        if packaged.unmet is not None:
            name, error = packaged.unmet
            with step(name):
                raise error
        return packaged

    packaged = each_service(observed, work, tools.record, at_once=inputs.config.build.parallel)
    return tuple(one for one in packaged if one.plan.publishes)


def publish(inputs: Inputs, packaged: Sequence[AnyPackaged], tools: Tools) -> tuple[Plan, ...]:
    """Build and publish each service: image first, the chart's names last; record what its names hold now.

    The files of a service are removed directly after, so that a run of many needs no more room than one of few.
    """

    def work(one: AnyPackaged, _: OpenStep) -> Plan:
        try:
            plan = one.publish(tools)
        finally:
            if not tools.destination.reads_files_at_the_end:
                remove_folder(tools.service_folder(one.service.name))
        record_entries(plan, tools)
        return plan

    return each_service(packaged, work, tools.record, at_once=inputs.config.build.parallel)


def verify(tools: Tools) -> None:
    """Read every name that was written once more; a layout folder is written here."""
    with tools.record.step("verify"):
        tools.destination.finish()


def _record_desired(inputs: Inputs, desired: Sequence[AnyDesired], tools: Tools) -> None:
    """Record the scheme of each service, the charts' warnings, and whether this is a staging release."""
    settings, record = inputs.settings, tools.record
    staging = settings.is_staging or any(str(one.image_name) != one.facts.image for one in desired)
    for one in desired:
        row = next(row for row in record.document.services if row.name == one.service.name)
        record.set_service(row.model_copy(update={"scheme": one.scheme.label}))
        warn(tools, one.service.name, *one.warnings)
    record.update(staging=staging)
    if staging:
        tools.log.info("staging release", registry=str(settings.registry), production=str(settings.production))
