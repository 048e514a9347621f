from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hack.bench import BARE, FIRST_LINE, MEASURES, PLAN_FRESH, RERUN, Machine, Samples, markdown, summarize, table
from testbed.paths import ROOT
from testbed.processes import Argv, started
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from pathlib import Path

BENCH: Argv = [sys.executable, "-m", "hack.bench"]
MACHINE = Machine("Abacus 3000", 2, "3.11.7", "Linux 6.1")
GENEROUS = 20
"""How many times its target a figure may be here: this machine may be busy, and is not the one of the targets."""


def samples(bare: float, other: float) -> Samples:
    return {measure: bare if measure is BARE else other for measure in MEASURES}


def bench(folder: Path, *options: str) -> tuple[int, str, str]:
    """Run the benchmark; return its code and what it printed."""
    for tool in ("crane", "helm4", "go", "git"):
        require_tool(tool)
    environment = {**os.environ, "TMPDIR": str(folder)}
    with started(
        [*BENCH, *options], env=environment, output=subprocess.PIPE, errors=subprocess.PIPE, cwd=ROOT
    ) as child:
        printed, complaints = child.communicate(timeout=240)
    return child.returncode, printed.decode(), complaints.decode()


def test_a_figure_is_the_median_and_its_ratio_to_the_bare_start() -> None:
    """Each figure is the median over all rounds, beside how many median bare starts it is."""
    figures = summarize([samples(10, 200), samples(20, 900), samples(12, 300)])
    assert [figure.key for figure in figures] == [measure.key for measure in MEASURES]
    assert (figures[0].milliseconds, figures[0].ratio) == (12, 1)
    assert {(figure.milliseconds, figure.ratio) for figure in figures[1:]} == {(300, 25)}


@pytest.mark.parametrize(
    ("milliseconds", "missed"),
    [(250, []), (250.1, [FIRST_LINE.key]), (1500, ["first_line", "plan_complete", "rerun"])],
    ids=["on the target", "over one", "over all but stable's"],
)
def test_a_target_is_missed_only_above_it(milliseconds: float, missed: list[str]) -> None:
    """A figure on its target has met it, one above has not, and what has no target misses none."""
    figures = summarize([samples(10, milliseconds)])
    assert [figure.key for figure in figures if figure.is_missed] == missed
    assert PLAN_FRESH.target is None


def test_the_table_names_the_machine_and_what_is_missed() -> None:
    """For a terminal: the machine, then a line per figure with its target and whether it is missed."""
    lines = list(table(summarize([samples(10, 700)]), MACHINE, 3))
    assert lines[0] == "Abacus 3000, 2 cores, Python 3.11.7, Linux 6.1; medians of 3 runs"
    assert len(lines) == len(MEASURES) + 2
    rows = {line[:32].strip(): line[32:].split() for line in lines[2:]}
    assert rows["bare Python start"] == ["10", "1.0"]
    assert rows["run, to its first log line"] == ["700", "70.0", "250", "MISSED"]
    assert rows["run of a complete release"] == ["700", "70.0", "1000"]


def test_the_section_is_a_table_of_markdown() -> None:
    """For docs/benchmark.md: the machine, and a table with as many cells in each row as in its head."""
    lines = list(markdown(summarize([samples(10, 700)]), MACHINE, 3))
    assert lines[0] == "Abacus 3000, 2 cores, Python 3.11.7, Linux 6.1; medians of 3 runs."
    assert {line.count("|") for line in lines[2:]} == {5}
    assert f"| {FIRST_LINE.title} | 700 | 70.0 | ≤ 250 (missed) |" in lines
    assert f"| {RERUN.title} | 700 | 70.0 | ≤ 1000 |" in lines


def test_the_documented_figures_have_the_form_that_is_printed() -> None:
    """docs/benchmark.md holds a row for every measure, as the benchmark prints it, and no target is missed there."""
    text = (ROOT / "docs" / "benchmark.md").read_text("utf-8")
    head = list(markdown(summarize([samples(10, 100)]), MACHINE, 1))[2:4]
    rows = text.partition("\n".join(head))[2].strip().split("\n\n")[0].splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [measure.title for measure in MEASURES]
    assert "missed" not in "".join(rows)


def test_nothing_that_comes_later_is_loaded_before_the_first_line() -> None:
    """Up to the first log line neither the registry client nor the builder nor the reports' libraries are loaded."""
    script = "import sys, runner.__main__ as program; program._leave_out(); import runner.cli.main, runner.cli.release"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{script}; print(*(name for name, module in sys.modules.items() if module))"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    later = {
        "boto3",
        "botocore",
        "urllib3",
        "tenacity",
        "certifi",
        "deflate",
        "junitparser",
        "jinja2",
        "rich",
        "kubernetes",
        "runner.run.stages",
        "runner.oci.registry",
        "runner.builders.go",
        "runner.chart.helm",
    }
    later |= {"runner.prow", "runner.prow.generate.document", "runner.prow.operate.cluster", "runner.terminal.screen"}
    assert later.isdisjoint(loaded)
    assert {"runner.run.pipeline", "runner.cli.session", "structlog", "pydantic"} <= set(loaded)


@pytest.mark.exclusive
def test_it_measures_real_runs_and_prints_the_figures(tmp_path: Path) -> None:
    """One round measures everything within generous bounds, names the machine, and leaves nothing behind."""
    code, printed, complaints = bench(tmp_path, "--runs", "1", "--json")
    assert code == 0, complaints
    document = json.loads(printed)
    assert document["runs"] == 1
    assert document["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert document["machine"]["cores"] >= 1
    figures = {figure["key"]: figure for figure in document["figures"]}
    assert list(figures) == [measure.key for measure in MEASURES]
    for figure in figures.values():
        assert figure["milliseconds"] > 0
        assert figure["milliseconds"] < GENEROUS * (figure["target"] or 1000)
    assert figures["first_line"]["milliseconds"] <= figures["rerun"]["milliseconds"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.exclusive
def test_with_check_a_missed_target_is_a_failure(tmp_path: Path) -> None:
    """With --check the code is 1 exactly when a target is missed, and each that is missed is named."""
    code, printed, complaints = bench(tmp_path, "--runs", "1", "--check")
    missed = [line for line in printed.splitlines() if line.endswith("MISSED")]
    assert code == bool(missed)
    assert sum("over its target" in line for line in complaints.splitlines()) == len(missed)


@pytest.mark.parametrize("options", [("--runs", "0"), ("--json", "--markdown")], ids=["no runs", "two forms"])
def test_wrong_options_are_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Options that make no sense are 2 before anything is started."""
    code, printed, complaints = bench(tmp_path, *options)
    assert (code, printed) == (2, "")
    assert options[0] in complaints
