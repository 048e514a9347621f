"""``make soak``: all long runs, and the section with their figures in docs/reliability.md.

The tests in tests/soak judge; here their figures are added up. Nothing is written when one of them failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

from hack.bench import Machine
from testbed.paths import ROOT
from testbed.soak.figures import Figures, Load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAGE = ROOT / "docs" / "reliability.md"
HEADING = "## Figures\n"
TESTS = "tests/soak"
DISTURBED = {
    "what": "---",
    "runs": "---:",
    "ended": "---",
    "reruns that completed": "---:",
    "looks at the registry": "---:",
    "seconds a run": "---:",
}
"""The columns of the table of disturbed runs, each with how it is aligned."""
LOADED = {
    "what": "---",
    "requests": "---:",
    "answered 429": "---:",
    "uploads completed in the busiest second": "---:",
    "seconds": "---:",
    "memory": "---:",
    "threads": "---:",
    "files": "---:",
}
"""The same of the table of many services."""
ABOUT_LOADS = """
Many services released to one ECR Public: memory, threads and files are the most that any process had, its children
apart.
"""


def main() -> int:
    """Run the tests, print the figures, and write them into the page; the code is that of the tests."""
    parser = argparse.ArgumentParser(description="Run all disturbed runs and write their figures into the docs.")
    parser.add_argument("--workers", type=int, default=2, help="how many run side by side")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        # What is measured in seconds has the machine to itself.
        alone, report = Path(folder) / "alone.xml", Path(folder) / "junit.xml"
        for options in (
            ("-m", "exclusive", f"--junitxml={alone}"),
            ("-m", "not exclusive", f"--junitxml={report}", "-n", str(given.workers)),
        ):
            argv = [sys.executable, "-m", "pytest", "-q", TESTS, *options]
            code = subprocess.run(argv, cwd=ROOT, check=False).returncode
            if code:
                return code
        rows, loads = add_up(figures_in(report)), loads_in(alone)
    text = section(rows, loads, str(Machine.this()), time.monotonic() - began)
    print(text)
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


def figures_in(report: Path) -> list[Figures]:
    """What the tests tell of their disturbed runs, in the properties of pytest's JUnit file."""
    return [Figures.read(text) for text in _told(report, "soak")]


def loads_in(report: Path) -> list[Load]:
    """What they tell of runs that release many services: those of one process first, few services before many."""
    loads = [Load.read(text) for text in _told(report, "load")]
    return sorted(loads, key=lambda load: (load.processes, load.services))


def _told(report: Path, name: str) -> list[str]:
    tree = ET.parse(report)  # noqa: S314 - our own file
    return [told.get("value", "") for told in tree.iter("property") if told.get("name") == name]


def add_up(parts: Iterable[Figures]) -> tuple[Figures, ...]:
    """The sum for each kind and path, in the order of their names. Pure."""
    rows: dict[tuple[str, str], Figures] = {}
    for part in parts:
        key = (part.kind, part.path)
        rows.setdefault(key, Figures(*key)).add(part)
    return tuple(rows[key] for key in sorted(rows, reverse=True))


def section(rows: Iterable[Figures], loads: Iterable[Load], machine: str, seconds: float) -> str:
    """The section in Markdown. Pure."""
    return (
        "\n".join(
            (
                HEADING,
                f"{machine}; all of them took {seconds / 60:.0f} minutes.\n",
                *_table(DISTURBED, map(_cells, rows)),
                ABOUT_LOADS,
                *_table(LOADED, map(_load_cells, loads)),
            )
        )
        + "\n"
    )


def _table(head: Mapping[str, str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table in Markdown: its columns, each with how it is aligned, and its rows."""
    lines = [f"| {' | '.join(cells)} |" for cells in (tuple(head), *rows)]
    return [lines[0], f"|{'|'.join(head.values())}|", *lines[1:]]


def with_section(page: str, text: str) -> str:
    """The page with its last section, the figures, replaced. Pure."""
    before, heading, _ = page.partition(HEADING)
    if not heading:
        raise ValueError(f"the page has no section {HEADING.strip()}")
    return before + text


def _cells(row: Figures) -> tuple[str, ...]:
    runs = row.codes.total()
    ended = ", ".join(f"{_ending(code)}: {count}" for code, count in sorted(row.codes.items()))
    return f"{row.path}, {row.kind}", str(runs), ended, f"{runs} of {runs}", str(row.looks), f"{row.seconds / runs:.1f}"


def _load_cells(load: Load) -> tuple[str, ...]:
    numbers = (load.requests, load.refused, load.completions, round(load.seconds))
    return load.what, *map(str, numbers), f"{load.memory / 2**20:.0f} MiB", str(load.threads), str(load.files)


def _ending(code: int) -> str:
    return "SIGKILL" if code < 0 else f"exit {code}"


if __name__ == "__main__":
    sys.exit(main())
