"""The table of contents of a run: what happens, in this order. Everything before ``publish`` only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.inputs import choose_services, open_tools, read_request
from runner.source.route import StablePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.config.settings import Options
    from runner.run.request import Chosen
    from runner.run.stages import D, L, P, Road
    from runner.run.tools import Tools
    from runner.tools import Session


def release(options: Options, session: Session, *, only_plan: bool) -> None:
    """Release what the environment names; with ``only_plan`` stop before anything is built or written.

    What fails for one service is recorded for it and stops only it; what is wrong with the whole run is raised.
    """
    # What is asked for, and for which services: the first log line says it.
    request = read_request(options, session)
    chosen = choose_services(request, session)

    # Which path they take, and what the run is done with: loaded only now, for the sake of that line.
    from runner.run import release as release_path  # noqa: PLC0415 - as said above
    from runner.run import stable as stable_path  # noqa: PLC0415 - as said above
    from runner.run.stages import Road  # noqa: PLC0415 - as said above

    tools = open_tools(request, session)
    if isinstance(request.route, StablePath):
        travel(chosen, Road(stable_path, request, tools), tools, only_plan=only_plan)
    else:
        travel(chosen, Road(release_path, request, tools), tools, only_plan=only_plan)


def travel(chosen: Sequence[Chosen], road: Road[D, L, P], tools: Tools, *, only_plan: bool) -> None:
    """Lead the services along their path."""
    # What there should be, by charts and naming; what there is; what follows from it.
    desired = road.describe(chosen)
    looked = road.look(desired)
    work = [one for one in looked if one.plan is None or one.plan.publishes]
    if not work:
        return

    # Everything that can go wrong without building: tools, base image, charts.
    from runner.run.prerequisites import prepare_tools  # noqa: PLC0415 - a run that finds all published needs none of them

    base = prepare_tools(road.request, tools, build=road.will_build(work))
    prepared = road.prepare(work, base)
    ready = [one for one in prepared if one.plan.publishes]
    if only_plan or not ready:
        return

    # Build, then publish: image first, the chart's names last; then read every name once more.
    if not road.publish(ready, base):
        return
    with tools.record.step("verify"):
        tools.destination.finish()
