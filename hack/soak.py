"""``make soak``: all long runs, and the sections with their figures in docs/reliability.md.

The tests in tests/soak judge; here their figures are added up. Nothing is written of those of which one failed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hack.bench import Machine
from testbed.paths import ROOT
from testbed.soak.figures import Figures, Load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PAGE = ROOT / "docs" / "reliability.md"
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
LOADS = {
    "what": "---",
    "requests": "---:",
    "answered 429": "---:",
    "uploads completed in the busiest second": "---:",
    "seconds": "---:",
    "memory": "---:",
    "threads": "---:",
    "files": "---:",
}
"""The same of the table of many services; the last three are the most that any process had, its children apart."""


@dataclass(frozen=True)
class Part:
    """Some of the tests, and the section with their figures.

    Attributes:
        heading: of the section.
        options: pytest's options that choose the tests.
        side_by_side: whether they may run side by side; what is measured in seconds has the machine to itself.
        table: makes the section's table of pytest's JUnit file.
    """

    heading: str
    options: tuple[str, ...]
    side_by_side: bool
    table: Callable[[Path], str]


def main() -> int:
    """Run the tests, print the figures, and write them into the page; the code is that of the first that fail."""
    parser = argparse.ArgumentParser(description="Run all long runs and write their figures into the docs.")
    parser.add_argument("--workers", type=int, default=2, help="how many run side by side")
    parser.add_argument("--only", choices=sorted(PARTS), help="run this part alone; the other's figures stay")
    given = parser.parse_args()
    for part in [PARTS[given.only]] if given.only else PARTS.values():
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            report = Path(folder) / "junit.xml"
            workers = ("-n", str(given.workers)) if part.side_by_side else ()
            argv = [sys.executable, "-m", "pytest", "-q", TESTS, *part.options, *workers, f"--junitxml={report}"]
            code = subprocess.run(argv, cwd=ROOT, check=False).returncode
            if code:
                return code
            text = section(part.heading, part.table(report), str(Machine.this()), time.monotonic() - began)
        print(text)
        PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), part.heading, text), encoding="utf-8")
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


def table_of_figures(rows: Iterable[Figures]) -> str:
    """Disturbed runs in Markdown, each kind and path a row. Pure."""
    return _table(DISTURBED, map(_cells, rows))


def table_of_loads(loads: Iterable[Load]) -> str:
    """Runs of many services in Markdown, each a row. Pure."""
    return _table(LOADS, map(_load_cells, loads))


def section(heading: str, table: str, machine: str, seconds: float) -> str:
    """A section in Markdown. Pure."""
    return f"{heading}\n\n{machine}; all of them took {seconds / 60:.0f} minutes.\n\n{table}"


def with_section(page: str, heading: str, text: str) -> str:
    """The page with the section of this heading replaced; other sections stay. Pure."""
    before, found, after = page.partition(f"{heading}\n")
    if not found:
        raise ValueError(f"the page has no section {heading}")
    following = re.search(r"^#+ ", after, re.MULTILINE)
    return before + text + ("" if following is None else f"\n{after[following.start() :]}")


def _table(columns: Mapping[str, str], rows: Iterable[tuple[str, ...]]) -> str:
    head, *lines = [f"| {' | '.join(cells)} |" for cells in (tuple(columns), *rows)]
    return "\n".join((head, f"|{'|'.join(columns.values())}|", *lines)) + "\n"


def _cells(row: Figures) -> tuple[str, ...]:
    runs = row.codes.total()
    ended = ", ".join(f"{_ending(code)}: {count}" for code, count in sorted(row.codes.items()))
    return f"{row.path}, {row.kind}", str(runs), ended, f"{runs} of {runs}", str(row.looks), f"{row.seconds / runs:.1f}"


def _load_cells(load: Load) -> tuple[str, ...]:
    numbers = (load.requests, load.refused, load.completions, round(load.seconds))
    return load.what, *map(str, numbers), f"{load.memory / 2**20:.0f} MiB", str(load.threads), str(load.files)


def _ending(code: int) -> str:
    return "SIGKILL" if code < 0 else f"exit {code}"


PARTS: Mapping[str, Part] = {
    "many-services": Part(
        "### Many services",
        ("-m", "exclusive"),
        side_by_side=False,
        table=lambda report: table_of_loads(loads_in(report)),
    ),
    "disturbed": Part(
        "### Disturbed runs",
        ("-m", "not exclusive"),
        side_by_side=True,
        table=lambda report: table_of_figures(add_up(figures_in(report))),
    ),
}
"""All figures, in the order in which they are taken."""

if __name__ == "__main__":
    sys.exit(main())
