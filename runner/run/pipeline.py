"""The table of contents of a run: what happens, in this order. Everything before ``publish`` only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.inputs import read_inputs
from runner.run.services import select_services

if TYPE_CHECKING:
    from runner.config.settings import Options
    from runner.session import Session


def release(options: Options, session: Session, *, only_plan: bool) -> None:
    """Release what the environment names; with ``only_plan`` stop before anything is built or written.

    What fails for one service is recorded for it and stops only it; what is wrong with the whole run is raised.
    """
    # What is asked for, and for which services: the first log line says it.
    inputs = read_inputs(options, session)
    selected = select_services(inputs, session)

    # Whatever a stage needs is imported only now, so that the first log line comes early.
    from runner.run import stages  # noqa: PLC0415 - as said above

    tools = stages.open_tools(inputs, session, only_plan=only_plan)

    # What there should be, by charts and naming; what there is; what follows from it.
    desired = stages.describe(inputs, selected, tools)
    observed = stages.observe(desired, tools)
    if not observed:
        return

    # Everything that can go wrong without building: tools, base image, charts.
    prerequisites = stages.check(inputs, observed, tools)
    packaged = stages.package(inputs, observed, prerequisites, tools)
    if only_plan or not packaged:
        return

    # What would keep the registry from taking it: credentials, repositories.
    if inputs.settings.to_layout is None:
        stages.check_access(inputs, packaged, tools)

    # Build, then publish: image first, the chart's names last; then read every name once more.
    if stages.publish(inputs, packaged, tools):
        stages.verify(tools)
