"""What a change would release once it is merged and tagged: each service of the repository, judged on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.each_service import each_service
from runner.run.presubmit.decide import NO_TAGS, Chart, Judged, judge_change, read_version
from runner.run.presubmit.history import read_charts
from runner.run.selection import LeftOut, Selected, chart_file, not_asked_for, without_chart
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config.load import Service
    from runner.run.each_service import OpenStep
    from runner.run.inputs import Inputs
    from runner.run.presubmit.history import ChartAtHead
    from runner.run.selection import Row
    from runner.session import Session


def judge_services(
    inputs: Inputs, found: tuple[Service, ...], files: Mapping[str, bytes | None], session: Session
) -> tuple[Row, ...]:
    """Say of each service whether merging and tagging HEAD releases it, and in which version.

    What is wrong with one chart is recorded for its service; the others are judged all the same.

    Args:
        inputs: what is asked for.
        found: the services that live in the repository.
        files: each service's Chart.yaml at HEAD, None where there is none.
        session: where errors and warnings are recorded.
    """
    record, head = session.record, inputs.clone.head
    wanted = inputs.settings.services or tuple(service.name for service in found)
    alone = len(found) == 1
    rows: dict[str, Row] = {service.name: not_asked_for(service) for service in found if service.name not in wanted}
    bodies: dict[Service, bytes | None] = {}
    for service in found:
        if service.name in wanted:
            body = files[chart_file(service)]
            if alone or body is not None:
                bodies[service] = body
            else:
                rows[service.name] = without_chart(service)
    charts = read_charts(inputs.clone, bodies, base=head.base_sha_commit if inputs.event.pulls else None)
    released = [version for tag in head.merged_tags if (version := ReleaseVersion.of_tag(tag))] if alone else []

    def judge(chart: ChartAtHead, step: OpenStep) -> Judged:
        with step("select") as opened:
            version = read_version(chart.service, chart.body)
            judged = judge_change(Chart(chart.service, version, chart.touched), chart.tag, released)
            if not isinstance(judged.row, Selected):
                opened.skip(judged.row.reason)
            return judged

    passed = each_service(charts, judge, record, at_once=1)
    if not head.has_tags:
        record.warn(NO_TAGS)
    for one in passed:
        record.warn(*one.warnings)
    causes = {error.service: error.cause for error in record.document.errors}
    rows |= {chart.service.name: LeftOut(chart.service, causes.get(chart.service.name, "")) for chart in charts}
    rows |= {one.row.service.name: one.row for one in passed}
    return tuple(rows[service.name] for service in found)
