from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from hack.soak import add_up, figures_in, loads_in, section, with_section
from testbed.soak.figures import Figures, Load

if TYPE_CHECKING:
    from pathlib import Path


def part(kind: str = "killed", path: str = "release", **codes: int) -> Figures:
    """The figures of one test."""
    numbered = Counter({int(name.removeprefix("c").replace("m", "-")): count for name, count in codes.items()})
    return Figures(kind, path, numbered, requests=10, looks=5, seconds=2.0)


def row_of(figures: Figures) -> str:
    """Their row in the page."""
    text = section([figures], [], "a machine", 1.0)
    return text.partition("\n\nMany services")[0].splitlines()[-1]


LOADS = [
    Load(77, 1, 4500, 0, 10, 140.4, 111 * 2**20 + 7, 26, 33),
    Load(10, 1, 600, 0, 10, 20.0, 101 * 2**20, 26, 30),
    Load(20, 20, 1900, 206, 10, 52.6, 78 * 2**20, 6, 17),
]


def test_parts_are_added_up() -> None:
    """Parts of one kind and path are one row: runs by code, looks, and seconds for each run."""
    [row] = add_up([part(c0=3, c7=1), part(c0=4)])
    assert row_of(row) == "| release, killed | 8 | exit 0: 7, exit 7: 1 | 8 of 8 | 10 | 0.5 |"


def test_kinds_and_paths_stay_apart() -> None:
    """Each kind of each path has its own row; a kill is told as one."""
    rows = add_up([part(cm9=2), part(path="stable", cm9=2), part(kind="scheduled", c0=1)])
    assert len(rows) == 3
    assert [" SIGKILL: 2 " in row_of(row) for row in rows] == [row.kind == "killed" for row in rows]


def test_the_section_is_replaced() -> None:
    """All of the page before the figures stays; a page without their heading is refused."""
    text = section(add_up([part(c0=3)]), LOADS, "a machine", 120.0)
    assert "a machine; all of them took 2 minutes." in text
    assert with_section("# Page\n\n## Figures\n\nold\n", text) == f"# Page\n\n{text}"
    with pytest.raises(ValueError, match="no section"):
        with_section("# Page\n", text)


def test_rows_of_loads() -> None:
    """Each load is a row of the second table, in their order."""
    *_, first, second, third = section([], LOADS, "a machine", 1.0).splitlines()
    assert first == "| 77 services, one process | 4500 | 0 | 10 | 140 | 111 MiB | 26 | 33 |"
    assert second.startswith("| 10 services, one process | 600 |")
    assert third == "| 20 services, 20 processes | 1900 | 206 | 10 | 53 | 78 MiB | 6 | 17 |"


def test_loads_in_a_report(tmp_path: Path) -> None:
    """They are read from properties of their own: those of one process first, few services before many."""
    properties = "".join(
        f'<property name="load" value="{load.document().replace(chr(34), "&quot;")}"/>' for load in LOADS
    )
    file = tmp_path / "junit.xml"
    file.write_text(f'<testsuites><testcase name="a"><properties>{properties}</properties></testcase></testsuites>')
    assert loads_in(file) == [LOADS[1], LOADS[0], LOADS[2]]
    assert figures_in(file) == []


def test_figures_in_a_report(tmp_path: Path) -> None:
    """They are read from the properties of the tests; other properties are left alone."""
    value = part(c0=3).document().replace('"', "&quot;")
    file = tmp_path / "junit.xml"
    file.write_text(
        '<testsuites><testsuite name="pytest"><testcase name="a"><properties>'
        f'<property name="soak" value="{value}"/><property name="counted" value="3 runs"/>'
        '</properties></testcase><testcase name="b"/></testsuite></testsuites>'
    )
    assert figures_in(file) == [part(c0=3)]
