from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import pytest

from hack.soak import (
    PAGE,
    PARTS,
    add_up,
    figures_in,
    loads_in,
    section,
    table_of_figures,
    table_of_loads,
    with_section,
)
from testbed.soak.figures import Figures, Load

if TYPE_CHECKING:
    from pathlib import Path

LOADS = [
    Load(77, 1, 4500, 0, 10, 140.4, 111 * 2**20 + 7, 26, 33),
    Load(10, 1, 600, 0, 10, 20.0, 101 * 2**20, 26, 30),
    Load(20, 20, 1900, 206, 10, 52.6, 78 * 2**20, 6, 17),
]


def part(kind: str = "killed", path: str = "release", **codes: int) -> Figures:
    """The figures of one test."""
    numbered = Counter({int(name.removeprefix("c").replace("m", "-")): count for name, count in codes.items()})
    return Figures(kind, path, numbered, requests=10, looks=5, seconds=2.0)


def row_of(figures: Figures) -> str:
    """Their row in the page."""
    return table_of_figures([figures]).splitlines()[-1]


def test_parts_are_added_up() -> None:
    """Parts of one kind and path are one row: runs by code, looks, and seconds for each run."""
    [row] = add_up([part(c0=3, c7=1), part(c0=4)])
    assert row_of(row) == "| release, killed | 8 | exit 0: 7, exit 7: 1 | 8 of 8 | 10 | 0.5 |"


def test_kinds_and_paths_stay_apart() -> None:
    """Each kind of each path has its own row; a kill is told as one."""
    rows = add_up([part(cm9=2), part(path="stable", cm9=2), part(kind="scheduled", c0=1)])
    assert len(rows) == 3
    assert [" SIGKILL: 2 " in row_of(row) for row in rows] == [row.kind == "killed" for row in rows]


def test_rows_of_loads() -> None:
    """Each load is a row, in their order, below a head with as many columns."""
    head, line, *rows = table_of_loads(LOADS).splitlines()
    assert rows == [
        "| 77 services, one process | 4500 | 0 | 10 | 140 | 111 MiB | 26 | 33 |",
        "| 10 services, one process | 600 | 0 | 10 | 20 | 101 MiB | 26 | 30 |",
        "| 20 services, 20 processes | 1900 | 206 | 10 | 53 | 78 MiB | 6 | 17 |",
    ]
    assert {text.count("|") for text in (head, line, *rows)} == {9}


def test_a_section_is_replaced() -> None:
    """All of the page but the section stays; a page without its heading is refused."""
    text = section("### One", "| a |\n", "a machine", 120.0)
    assert text == "### One\n\na machine; all of them took 2 minutes.\n\n| a |\n"
    assert with_section("# Page\n\n### One\n\nold\n", "### One", text) == f"# Page\n\n{text}"
    page = "# Page\n\n### One\n\nold\n\n### Two\n\n| # b |\n"
    assert with_section(page, "### One", text) == f"# Page\n\n{text}\n### Two\n\n| # b |\n"
    with pytest.raises(ValueError, match="no section"):
        with_section("# Page\n", "### One", text)


@pytest.mark.parametrize("name", PARTS)
def test_the_page_has_every_section(name: str) -> None:
    """What is measured has its place in the page, which is found however often it is written."""
    page, heading = PAGE.read_text("utf-8"), PARTS[name].heading
    once = with_section(page, heading, section(heading, "| a |\n", "a machine", 60.0))
    assert with_section(once, heading, section(heading, "| a |\n", "a machine", 60.0)) == once
    assert once.startswith(page.partition(heading)[0])


def report(folder: Path, **told: str) -> Path:
    """Pytest's JUnit file, of tests that tell one property each."""
    cases = "".join(
        f'<testcase name="t"><properties><property name="{name}" value={quoteattr(value)}/></properties></testcase>'
        for name, value in told.items()
    )
    file = folder / "junit.xml"
    file.write_text(f'<testsuites><testsuite name="pytest">{cases}<testcase name="b"/></testsuite></testsuites>')
    return file


def test_figures_in_a_report(tmp_path: Path) -> None:
    """They are read from the properties of the tests; other properties are left alone."""
    file = report(tmp_path, soak=part(c0=3).document(), load=LOADS[0].document(), counted="3 runs")
    assert figures_in(file) == [part(c0=3)]
    assert loads_in(file) == [LOADS[0]]


def test_order_of_loads(tmp_path: Path) -> None:
    """Those of one process come first, and of these few services before many."""
    properties = "".join(f'<property name="load" value={quoteattr(load.document())}/>' for load in LOADS)
    file = tmp_path / "junit.xml"
    file.write_text(f'<testsuites><testcase name="a"><properties>{properties}</properties></testcase></testsuites>')
    assert loads_in(file) == [LOADS[1], LOADS[0], LOADS[2]]
