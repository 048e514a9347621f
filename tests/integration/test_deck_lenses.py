"""What Prow's own Deck shows of runs: each lens of the generated configuration, read from its HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from hack.prow.scenes import SCENES, played
from tests.support.deck import View, read_buildlog, read_junit, read_metadata, read_view
from tests.support.tools import BUILT, require_deck_pages, require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.exclusive

PROGRAMS = ("crane", "helm4", "moto_server", "clonerefs", "initupload", "entrypoint", "sidecar", "deck")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, View]]:
    """The pages of runs that ended in every way."""
    assert {require_tool(name).parent for name in PROGRAMS} == {BUILT}
    with played(tmp_path_factory.mktemp("deck"), require_deck_pages(), tools=BUILT) as addresses:
        yield {name: read_view(address) for name, address in addresses.items()}


def test_every_run_has_every_lens_that_it_leaves_files_for(views: Mapping[str, View]) -> None:
    """Each page has the lenses of the generated configuration, in the order that a reader needs them."""
    for view in views.values():
        assert tuple(view.lenses) == ("metadata", "junit", "buildlog")


def test_what_was_released_is_seen_at_once(views: Mapping[str, View]) -> None:
    """A green log is not folded away whole: its highlighted line names all that was released, by digest."""
    for name, result, names in (
        ("released", "widget 1.2.3 (release, 3 names written)", 3),
        ("released before", "widget 1.2.3 (release, nothing to send)", 3),
        ("stable moved", "widget 1.2.3 (stable, 4 names written)", 4),
    ):
        log = read_buildlog(views[name])
        [line] = log.highlighted
        assert line.startswith(f"RELEASED: {result} ")
        assert line.count("@sha256:") == names
    assert read_buildlog(views["released"]).folded


def test_a_green_run_is_told_in_cases_and_metadata(views: Mapping[str, View]) -> None:
    """Cases are the steps, each passed or skipped with its reason; metadata says what was released from where."""
    cases = read_junit(views["released"])
    assert not cases.failed
    assert {"run: checkout", "widget: build", "widget: publish chart", "run: verify"} <= set(cases.passed)
    assert read_junit(views["released before"]).skipped == ("widget: plan Reason: everything is published already",)
    told = read_metadata(views["released"])
    assert " passed after " in told.summary
    assert told.table["Result"] == "3 names written"
    assert (told.table["ref"], told.table["version"]) == ("v1.2.3", "1.2.3")
    [line] = read_buildlog(views["released"]).highlighted
    image = told.table["image controller:widget-v1.2.3"]
    assert image.startswith("written (not in the registry): ")
    assert image.rpartition(" ")[2] in line


@dataclass(frozen=True)
class Failure:
    """A run that fails: where, why, and what the operator has to do, in the words of the page."""

    where: str
    cause: str
    remedy: str
    near: str = ""


FAILURES: Mapping[str, Failure] = {
    "wrong image": Failure(
        "widget: describe",
        "helm/values.yaml:3: image.repository and image.tag name ",
        "Regenerate the release artifacts for this version, commit them, and tag that commit",
        near="seed would be ",
    ),
    "does not compile": Failure(
        "widget: build",
        "cmd/controller does not compile for linux/amd64: cmd/controller/main.go:16:2: undefined: Parse",
        "Repair the source, commit, and tag that commit with the next version.",
        near="cmd/controller/main.go:16:2: undefined: Parse",
    ),
    "too slow": Failure(
        "widget: build",
        "the run was ended by SIGINT during build of widget",
        "Rerun the job: it completes the release and sends nothing again that is published.",
        near="Process did not finish before 3s timeout",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_log_says_what_where_and_what_to_do(views: Mapping[str, View], name: str) -> None:
    """Who reads only the lines that are not folded sees the error highlighted, with step, cause and remedy."""
    log, failure = read_buildlog(views[name]), FAILURES[name]
    [error] = [line for line in log.highlighted if line.startswith("ERROR: ")]
    assert failure.cause in error
    assert failure.remedy in error
    service, _, step = failure.where.partition(": ")
    assert f"service={service}" in error
    assert f"step={step}" in error or f"during {step} of {service}" in error
    [number] = [number for number, line in log.shown.items() if line == error]
    assert any(
        failure.near in log.shown.get(beside, "") for beside in range(number - 5, number + 6) if beside != number
    )
    assert not [line for line in log.shown.values() if line.startswith("RELEASED:")]


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_step_is_told_in_cases_and_metadata(views: Mapping[str, View], name: str) -> None:
    """One case failed, with cause and remedy; metadata begins with them, and with the step."""
    failure, cases, told = FAILURES[name], read_junit(views[name]), read_metadata(views[name])
    [(case, text)] = cases.failed.items()
    assert case == failure.where
    assert failure.cause in text
    assert failure.remedy in text
    assert "<nil>" not in text
    assert " failed after " in told.summary
    rows = list(told.table)
    assert rows[2:6] == ["Cause", "Remedy", "Result", "Step"]
    assert failure.cause in told.table["Cause"]
    assert failure.remedy in told.table["Remedy"]
    service, _, step = failure.where.partition(": ")
    assert told.table["Step"] == f"{step} of {service}"


def test_every_scene_is_looked_at(views: Mapping[str, View]) -> None:
    """Each run that is played is one that these tests judge."""
    assert set(views) == set(SCENES) == {"released", "released before", "stable moved", *FAILURES}
