"""Children as process groups: started with an explicit environment, ended as a whole.

This is the only module that starts programs. A child gets a session of its own, so that what it starts itself ends
with it, and so that a signal to the runner does not reach it behind the runner's back (Prow's entrypoint signals the
direct child only).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.lifetime import Lifetime

TAIL_LINES = 20


@dataclass(frozen=True)
class Finished:
    """A child that came to its end by itself.

    ``stdout`` is what it wrote there; ``stderr`` likewise. Undecodable bytes are replaced. ``seconds`` is wall-clock.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the child exited with 0."""
        return self.returncode == 0

    def tail(self, lines: int = TAIL_LINES) -> tuple[str, ...]:
        """The last lines it printed, stderr after stdout, without empty ones."""
        printed = [line.rstrip() for line in f"{self.stdout}\n{self.stderr}".splitlines()]
        return tuple([line for line in printed if line][-lines:])


class Run(Protocol):
    """The one seam through which modules start programs (satisfied by ``Children.run``)."""

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: bytes | None = None,
        log: Path | None = None,
    ) -> Finished:
        """Run to the end and return the result, whatever the exit code."""
        ...


class Children:
    """All children of this run that are alive.

    Args:
        lifetime: no child is started once it has ended, and a running one is then ended.
    """

    def __init__(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: bytes | None = None,
        log: Path | None = None,
    ) -> Finished:
        """Run a program to its end.

        Args:
            argv: program and arguments; never through a shell.
            env: the child's whole environment; nothing is inherited.
            cwd: its working folder.
            stdin: what it reads; nothing when left out.
            log: a file to which its output is appended, beside being returned.

        Returns:
            The result, whatever the exit code.

        Raises:
            RunEnded: the run was ended before or while the child ran.
            FileNotFoundError: there is no such program.
        """
        command = tuple(str(a) for a in argv)
        began = time.monotonic()
        child = self._start(command, env, cwd, stdin)
        try:
            out, err = child.communicate(stdin)
        finally:
            with self._lock:
                self._alive.discard(child)
            # What the child left behind in its group ends with it.
            _signal_group(child, signal.SIGKILL)
        self._lifetime.check()
        finished = Finished(
            command,
            child.returncode,
            out.decode("utf-8", "replace"),
            err.decode("utf-8", "replace"),
            time.monotonic() - began,
        )
        if log is not None:
            with log.open("a", encoding="utf-8") as file:
                file.write(f"$ {' '.join(command)}\n{finished.stdout}{finished.stderr}exit {finished.returncode}\n")
        return finished

    def _start(
        self, command: tuple[str, ...], env: Mapping[str, str], cwd: Path | None, stdin: bytes | None
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            self._lifetime.check()
            if self._closed:
                raise RuntimeError("children are closed")
            child = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._alive.add(child)
            return child

    def end_all(self, grace: float) -> None:
        """End every child's group: SIGTERM, then SIGKILL after ``grace`` seconds. No new child can start."""
        with self._lock:
            self._closed = True
            alive = tuple(self._alive)
        for child in alive:
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and any(_group_alive(child) for child in alive):
            time.sleep(0.02)
        for child in alive:
            _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _group_alive(child: subprocess.Popen[bytes]) -> bool:
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
