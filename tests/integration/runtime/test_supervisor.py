"""Who ends a run: the worker that comes to its end, or else the main thread, once, for the reason that came first."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM = """
import os, signal, sys, threading, time
from runner.errors import RunEnded
from runner.runtime.lifetime import Lifetime
from runner.runtime.supervisor import supervise

signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
{before}
say = lambda *words: print(*words, flush=True)
lifetime = Lifetime({seconds})

def work():
{work}

def end(reason):
    say("ended by", reason)
    lifetime.end(reason)
{end}
    return 9

os._exit(supervise(work, lifetime, end))
"""
HANGING = 'say("works"); threading.Event().wait()'


@contextlib.contextmanager
def supervised(
    work: str, *, before: str = "", end: str = "pass", seconds: str = "None"
) -> Iterator[subprocess.Popen[str]]:
    """Start a program whose work and end are these lines; ``before`` is done while signals are held back."""
    text = PROGRAM.format(before=before, work=_indented(work), end=_indented(end), seconds=seconds)
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines())


def finish(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Wait for a program's end; return its exit code, and the lines that were not read yet."""
    out, _ = process.communicate(timeout=30)
    return process.returncode, out.splitlines()


def wait_for_line(process: subprocess.Popen[str], line: str) -> None:
    """Read up to a line that the program prints."""
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"


@pytest.mark.parametrize(
    ("work", "code"), [("return 4", 4), ("raise KeyError", 1), ("sys.exit(3)", 1)], ids=["returns", "raises", "exits"]
)
def test_work_that_comes_to_its_end_is_not_ended(work: str, code: int) -> None:
    """The exit code is the work's own, or 1 for whatever it raises."""
    with supervised(work) as process:
        assert finish(process) == (code, [])


@pytest.mark.parametrize(
    ("numbers", "reasons"),
    [
        ((signal.SIGINT,), ["SIGINT"]),
        ((signal.SIGTERM,), ["SIGTERM"]),
        ((signal.SIGINT, signal.SIGTERM), ["SIGINT", "SIGTERM", "SIGINT and SIGTERM", "SIGTERM and SIGINT"]),
        ((signal.SIGTERM, signal.SIGTERM), ["SIGTERM"]),
    ],
    ids=["SIGINT", "SIGTERM", "both", "twice"],
)
def test_a_signal_ends_work_that_hangs(numbers: Sequence[signal.Signals], reasons: Sequence[str]) -> None:
    """Signals that come together end the work once, with the name of what was seen first; nobody waits for the work."""
    with supervised(HANGING) as process:
        wait_for_line(process, "works")
        for number in numbers:
            process.send_signal(number)
        code, [line] = finish(process)
    assert code == 9
    assert line.removeprefix("ended by ") in reasons


def test_a_second_signal_does_not_disturb_the_end() -> None:
    """While the run is being ended further signals change nothing."""
    with supervised(HANGING, end='time.sleep(0.5)\nsay("done")') as process:
        wait_for_line(process, "works")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "ended by SIGINT")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        assert finish(process) == (9, ["done"])


def test_a_signal_from_before_is_answered() -> None:
    """A signal that came while signals were held back ends the run as soon as somebody is there to answer."""
    with supervised("threading.Event().wait()", before="os.kill(os.getpid(), signal.SIGTERM)") as process:
        assert finish(process) == (9, ["ended by SIGTERM"])


def test_the_deadline_ends_work_that_hangs() -> None:
    """At the deadline the run is ended for that reason, and not before."""
    with supervised(HANGING, seconds="0.3") as process:
        assert finish(process) == (9, ["works", "ended by the deadline"])


def test_work_that_notices_the_end_leaves_it_to_the_main_thread() -> None:
    """A worker that raises because the run was ended decides neither exit code nor reason."""
    work = 'try:\n    lifetime.wait(60)\nfinally:\n    say("unwound")'
    with supervised(work, end="time.sleep(0.5)", seconds="0.3") as process:
        assert finish(process) == (9, ["ended by the deadline", "unwound"])
