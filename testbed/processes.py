"""Programs that a script starts and that end with it, whatever ends the script."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

GRACE = 20.0
"""Seconds that a program has to end after SIGTERM; more than the runner's own grace period."""

Argv: TypeAlias = "Sequence[str | Path]"

_Handler: TypeAlias = Any
"""What signal.signal takes and returns."""

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProgramFailed(Exception):
    """A program ended with another code than 0; the message says which, and what it printed on stderr."""


def end_on_signals() -> None:
    """From now on, a signal unwinds every ``with`` and ``finally``, and a second one does not interrupt that."""

    def leave(number: int, _: FrameType | None) -> NoReturn:
        for ending in ENDING_SIGNALS:
            signal.signal(ending, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in ENDING_SIGNALS:
        signal.signal(number, leave)


@contextlib.contextmanager
def started(
    argv: Argv,
    *,
    env: Mapping[str, str],
    output: int | IO[bytes],
    errors: int | IO[bytes] = subprocess.STDOUT,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program as a process group; at the end of the block the group is ended.

    Args:
        argv: program and arguments.
        env: its whole environment.
        output: where its stdout goes.
        errors: where its stderr goes; to the same place when left out.
        cwd: its working folder.
    """
    held = HeldSignals()
    child = None
    try:
        child = subprocess.Popen(
            [str(argument) for argument in argv],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        held.release()
        yield child
    finally:
        held.restore()
        if child is not None:
            end(child)
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()


def tied(argv: Argv, number: signal.Signals = signal.SIGKILL) -> Argv:
    """Wrap a command so that it gets a signal if the thread that started it ends first.

    Whoever is killed with SIGKILL leaves through no ``finally``; the kernel then ends what is tied (prctl(2)). What
    others ask before it ends gets no answer then, so that only one that ends others should be ended gently.
    """
    return ["setpriv", "--pdeathsig", number.name.removeprefix("SIG"), *argv]


class HeldSignals:
    """Holds signals back from here to ``release``: one between a child's start and the block that ends it loses it.

    Only the main thread has signals to hold. They are held by handlers and not by a mask, which a child would inherit.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._before: dict[signal.Signals, _Handler] = {}
        if threading.current_thread() is threading.main_thread():
            for number in ENDING_SIGNALS:
                self._before[number] = signal.signal(number, lambda came, _: self._came.append(came))

    def restore(self) -> None:
        """Put the handlers back; a second time does nothing."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def release(self) -> None:
        """Put the handlers back, and let them have what came."""
        self.restore()
        for number in self._came:
            signal.raise_signal(number)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a program, and what is left of its group."""
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def read(argv: Argv, *, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed, without white space at the end.

    Raises:
        ProgramFailed: it failed.
    """
    with started(argv, env=env, output=subprocess.PIPE, errors=subprocess.PIPE, cwd=cwd) as child:
        printed, complaints = child.communicate()
    if child.returncode:
        command = " ".join(str(argument) for argument in argv)
        raise ProgramFailed(f"{command} ended with {child.returncode}:\n{complaints.decode(errors='replace').strip()}")
    return printed.decode().rstrip()
