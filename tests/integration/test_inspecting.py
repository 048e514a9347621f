"""A supervised command that people read, as a process of its own: what a signal makes of it, and what it loads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
from runner.__main__ import _leave_out
_leave_out()
import click
from runner.cli.exit import leave
from runner.cli.inspecting import inspecting
from runner.terminal.table import Column, Table

@click.command()
@inspecting
def look(inspection):
{work}

leave(look(standalone_mode=False))
"""
WAIT = "inspection.screen.line('looking'); inspection.lifetime.wait(60)"
FOLLOW = f"inspection.is_endless = True; {WAIT}"
CHILD = "inspection.screen.line('looking'); inspection.run(['sleep', '60'], env=dict(PATH='/usr/bin:/bin'))"
TABLE = """
inspection.screen.table(Table((Column("A"),), (("b",),)))
inspection.screen.line(str(bool(sys.modules.get("rich"))))
"""
MANY = "for _ in range(100000): inspection.screen.line('a line that is long enough to fill a pipe')"


def started(folder: Path, work: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command that does this, with its output in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(work=textwrap.indent(work, "    ")), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)},
    )


@pytest.mark.parametrize("work", [WAIT, CHILD], ids=["waiting", "a child"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(tmp_path: Path, work: str, number: signal.Signals) -> None:
    """A signal ends it at once with 9 and one line that says so, and nothing is left behind."""
    with started(tmp_path, work) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "looking\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (9, "")
    [line] = err.splitlines()
    assert line.startswith(f"ERROR: the command was ended by {number.name}. ")
    assert line.endswith(" exit=9 code=run-ended")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_is_how_it_ends(tmp_path: Path) -> None:
    """What only a signal ends says nothing of it, and the exit code is the same."""
    with started(tmp_path, FOLLOW) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 9


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """Whoever stops to read what it prints gets no complaint, and it ends well."""
    with started(tmp_path, MANY) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.parametrize(("arguments", "loaded"), [((), "False"), (("--color", "always"), "True")])
def test_what_a_pipe_loads(tmp_path: Path, arguments: tuple[str, ...], loaded: str) -> None:
    """A table in a pipe needs no rich; one with colour has it, although the program's start holds it back."""
    with started(tmp_path, TABLE, *arguments) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == loaded
