"""``make soak``: all disturbed runs, and the section with their figures in docs/reliability.md.

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
from testbed.soak.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = ROOT / "docs" / "reliability.md"
HEADING = "## Figures\n"
TESTS = "tests/soak"


def main() -> int:
    """Run the tests, print the figures, and write them into the page; the code is that of the tests."""
    parser = argparse.ArgumentParser(description="Run all disturbed runs and write their figures into the docs.")
    parser.add_argument("--workers", type=int, default=2, help="how many run side by side")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = Path(folder) / "junit.xml"
        argv = [sys.executable, "-m", "pytest", "-q", "-n", str(given.workers), TESTS, f"--junitxml={report}"]
        code = subprocess.run(argv, cwd=ROOT, check=False).returncode
        if code:
            return code
        rows = add_up(figures_in(report))
    text = section(rows, str(Machine.this()), time.monotonic() - began)
    print(text)
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


def figures_in(report: Path) -> list[Figures]:
    """What the tests tell of their runs, in the properties of pytest's JUnit file."""
    return [
        Figures.read(told.get("value", ""))
        for told in ET.parse(report).iter("property")  # noqa: S314 - our own file
        if told.get("name") == "soak"
    ]


def add_up(parts: Iterable[Figures]) -> tuple[Figures, ...]:
    """The sum for each kind and path, in the order of their names. Pure."""
    rows: dict[tuple[str, str], Figures] = {}
    for part in parts:
        key = (part.kind, part.path)
        rows.setdefault(key, Figures(*key)).add(part)
    return tuple(rows[key] for key in sorted(rows, reverse=True))


def section(rows: Iterable[Figures], machine: str, seconds: float) -> str:
    """The section in Markdown. Pure."""
    head = ("what", "runs", "ended", "reruns that completed", "looks at the registry", "seconds a run")
    lines = [
        HEADING,
        f"{machine}; all of them took {seconds / 60:.0f} minutes.\n",
        f"| {' | '.join(head)} |",
        "|---|---:|---|---:|---:|---:|",
        *(f"| {' | '.join(_cells(row))} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


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


def _ending(code: int) -> str:
    return "SIGKILL" if code < 0 else f"exit {code}"


if __name__ == "__main__":
    sys.exit(main())
