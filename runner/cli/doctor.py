"""``doctor``: whether a release could run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli.inspecting import inspecting
from runner.cli.options import option
from runner.config.settings import Options
from runner.doctor.examine import examine
from runner.doctor.finding import exit_code
from runner.terminal.table import Column, State, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.cli.inspecting import Inspection
    from runner.doctor.examine import Group
    from runner.terminal.table import Tone

EXAMPLES = """
\b
Examples:
  ack-release doctor
  ack-release doctor --registry 127.0.0.1:5000/test   for a staging release
  ack-release doctor --json | jq '.findings[] | select(.state == "bad")'

\b
Exit codes:
  0  a release could run here
  2  a tool, a folder or the configuration is unfit
  6  the base image cannot be used
  7  the registry or AWS does not answer
  8  credentials are refused
"""
TONES: Mapping[str, Tone] = {"good": "good", "note": "none", "warning": "warning", "bad": "bad"}


@click.command(epilog=EXAMPLES)
@option("registry")
@option("config")
@inspecting
def doctor(inspection: Inspection, registry: str | None, config: Path | None) -> int:
    """Say whether a release could run here, and what to do where it could not.

    Tools and their versions, memory and disk against what a build needs, Go's caches, the registry, whose login is
    used and until when, AWS, and the base image. Nothing is written anywhere.
    """
    groups: list[Group] = []
    for group in examine(inspection.session, Options(config=config, registry=registry)):
        groups.append(group)
        inspection.screen.note(f"examined: {group[0]}")
    findings = [finding for _, found in groups for finding in found]
    code = exit_code(findings)
    if inspection.screen.as_json:
        inspection.screen.json(document(groups, code))
        return code
    inspection.screen.table(table(groups))
    bad, warnings = (sum(finding.state == state for finding in findings) for state in ("bad", "warning"))
    if bad:
        inspection.screen.line(f"a release would fail here: {bad} of these must be mended", "bad")
    elif warnings:
        inspection.screen.line(f"a release could run here; {warnings} of these need attention", "warning")
    else:
        inspection.screen.line("a release could run here", "good")
    return code


def table(groups: Sequence[Group]) -> Table:
    """The findings as a table. Pure."""
    columns = (Column("WHAT"), Column("STATE"), Column("FOUND", "wrap"), Column("WHAT TO DO", "wrap"))
    rows = tuple(
        (finding.about, State(finding.state, TONES[finding.state]), finding.found, finding.remedy)
        for _, found in groups
        for finding in found
    )
    return Table(columns, rows)


def document(groups: Sequence[Group], code: int) -> dict[str, object]:
    """What a program reads. Pure."""
    return {
        "findings": [
            {
                "subject": subject,
                "about": finding.about,
                "state": finding.state,
                "found": finding.found,
                "remedy": finding.remedy or None,
                "exit": int(finding.exit),
            }
            for subject, found in groups
            for finding in found
        ],
        "exit": code,
    }
