"""What a change would release: every service of the repository, each judged on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.config.settings import Options
from runner.run.presubmit.decide import NO_TAGS
from runner.run.presubmit.services import judge_services
from runner.run.selection import Selected, candidates, chart_file
from tests.support.stages import Asked, World

if TYPE_CHECKING:
    from pathlib import Path

    from runner.run.selection import Row

NO_CHART = {"services/sqs/helm/Chart.yaml": None}


def judge_change(world: World) -> tuple[Row, ...]:
    """Judge every service of the repository."""
    found = candidates(world.inputs)
    files = world.inputs.clone.files(chart_file(service) for service in found)
    return judge_services(world.inputs, found, files, world.session)


def said(rows: tuple[Row, ...]) -> dict[str, tuple[str | None, str]]:
    """The version in which each service is released, None when it is not, and the reason."""
    return {row.service.name: (row.version if isinstance(row, Selected) else None, row.reason) for row in rows}


def test_each_service_by_its_own_chart(tmp_path: Path) -> None:
    """Each service of several is judged by its chart's own version, and every row says why, in the order of names."""
    asked = Asked(services={"sqs": "1.0.0", "s3": "1.2.4", "ecr": "1.2.3", "sns": "2.0.0"}, edits=NO_CHART)
    tags = {"v1.2.3": asked.held(), "v2.0.0": Asked(services={"s3": "1.2.3", "sns": "2.0.0"}).held("v2.0.0-rc.1")}
    world = World(tmp_path, asked.proposed(tags=tags, pull="7"))
    rows = judge_change(world)
    assert [row.service.name for row in rows] == ["ecr", "s3", "sns", "sqs"]
    assert said(rows) == {
        "sqs": (None, "no services/sqs/helm/Chart.yaml in this commit"),
        "s3": ("1.2.4", "there is no tag v1.2.4 yet"),
        "ecr": (None, "v1.2.3 is already tagged, with this chart"),
        "sns": (None, "v2.0.0 is already tagged"),
    }
    steps = [(step.service, step.outcome, step.reason) for step in world.record.document.steps]
    assert steps == [
        ("ecr", "skipped", "v1.2.3 is already tagged, with this chart"),
        ("s3", "passed", None),
        ("sns", "skipped", "v2.0.0 is already tagged"),
    ]
    [warning] = world.record.document.warnings
    assert warning.startswith("v2.0.0 is already tagged at ")
    assert world.record.document.errors == ()


@pytest.mark.parametrize("pull", [None, "7"])
def test_whether_the_change_touches_the_chart(tmp_path: Path, pull: str | None) -> None:
    """A chart that differs from its tag is pointed out, unless a pull request left it as the base has it."""
    now = Asked(edits={"helm/values.yaml": b"image: {repository: x, tag: y}\n"})
    world = World(tmp_path, now.proposed(tags={"v1.2.3": Asked().held()}, base=now.held(), pull=pull))
    assert said(judge_change(world))["s3"][0] is None
    assert [warning[:41] for warning in world.record.document.warnings] == (
        [] if pull else ["the chart differs from that of v1.2.3: th"]
    )


def test_an_error_is_of_its_service_only(tmp_path: Path) -> None:
    """What is wrong with one chart is recorded for its service, whose row has the cause; the others are judged."""
    asked = Asked(
        services={"s3": "1.2.3", "sns": "1.2.3", "sqs": "1.2.3"},
        edits={"services/s3/helm/Chart.yaml": b"a: [", "services/sns/helm/Chart.yaml": b"version: one\n"},
    )
    world = World(tmp_path, asked.proposed())
    rows = said(judge_change(world))
    errors = {error.service: error for error in world.record.document.errors}
    assert {service: (error.code, error.step) for service, error in errors.items()} == {
        "s3": ("chart-missing", "select"),
        "sns": ("chart-disagrees", "select"),
    }
    assert rows["sqs"][0] == "1.2.3"
    assert [rows[service] for service in ("s3", "sns")] == [(None, errors[one].cause) for one in ("s3", "sns")]


def test_version_that_is_taken(tmp_path: Path) -> None:
    """A change that gives a chart a version whose tag released another chart is in conflict, for its service."""
    asked = Asked(services={"s3": "1.2.3", "sns": "1.2.3"})
    there = Asked(services={"s3": "1.0.0", "sns": "1.2.3"}).held()
    world = World(tmp_path, asked.proposed(tags={"v1.2.3": there}, base=there, pull="7"))
    rows = said(judge_change(world))
    assert [(error.service, error.code) for error in world.record.document.errors] == [("s3", "version-taken")]
    assert rows["sns"] == (None, "v1.2.3 is already tagged, with this chart")


@pytest.mark.parametrize("alone", [True, False])
def test_version_below_one_that_is_released(tmp_path: Path, *, alone: bool) -> None:
    """In a repository of one service a version below a released one is pointed out; of several, tags are of any."""
    asked = Asked(services={"s3": "1.2.4"} if alone else {"s3": "1.2.4", "sns": "1.2.4"})
    world = World(tmp_path, asked.proposed(tags={"v2.0.0": {}, "v1.0.0": {}, "nightly": {}}))
    assert said(judge_change(world))["s3"][0] == "1.2.4"
    expected = ("v1.2.4 would come after v2.0.0, which is higher",) if alone else ()
    assert world.record.document.warnings == expected


def test_the_only_service_without_a_chart(tmp_path: Path) -> None:
    """The only service of a repository has a chart, or that is an error of it."""
    world = World(tmp_path, Asked(edits={"helm/Chart.yaml": None}).proposed())
    assert said(judge_change(world)) == {"s3": (None, "the commit has no helm/Chart.yaml")}
    assert [(error.service, error.code) for error in world.record.document.errors] == [("s3", "chart-missing")]


def test_clone_without_tags(tmp_path: Path) -> None:
    """Where the clone has no tags at all it is said once that every chart counts as new."""
    world = World(tmp_path, Asked(services={"s3": "1.2.3", "sns": "1.2.4"}).proposed())
    assert [row[0] for row in said(judge_change(world)).values()] == ["1.2.3", "1.2.4"]
    assert world.record.document.warnings == (NO_TAGS,)


def test_services_that_are_asked_for(tmp_path: Path) -> None:
    """With --service only those are judged: of others not even a broken chart is read."""
    asked = Asked(
        services={"s3": "1.2.3", "sns": "1.2.3"},
        edits={"services/s3/helm/Chart.yaml": b"a: ["},
        options=Options(services=("sns",)),
    )
    world = World(tmp_path, asked.proposed())
    assert said(judge_change(world)) == {
        "s3": (None, "not named by --service"),
        "sns": ("1.2.3", "there is no tag v1.2.3 yet"),
    }
    assert world.record.document.errors == ()
    assert [step.service for step in world.record.document.steps] == ["sns"]
