"""Children as process groups: started with an explicit environment, ended as a whole.

This is the only module that starts programs. A child gets a session of its own, so that what it starts itself ends
with it, and so that a signal to the runner does not reach it behind the runner's back (Prow's entrypoint signals the
direct child only).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from runner.errors import OutputTooLarge, RunEnded
from runner.runtime.storage import check_child

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runner.runtime.lifetime import Lifetime

TAIL_LINES = 20
OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes that a child may print on stdout, and on stderr: they are kept in memory. What helm renders is some MB."""
OUTPUT_LOOKED_AT = 0.25
"""Seconds after which it is looked at how much a child has printed."""
_USER_INFORMATION = re.compile(r"(?<=://)[^/?#\s\"'<>]+(?=@)")
"""What stands before the host of an address (RFC 3986, section 3.2.1). Go repeats its proxy's, token and all."""
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Finished:
    """A child that came to its end by itself.

    ``stdout`` is what it wrote there; ``stderr`` likewise. Undecodable bytes are replaced; ``output`` is stdout as it
    was written. ``seconds`` is wall-clock.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    output: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the child exited with 0."""
        return self.returncode == 0

    @property
    def printed(self) -> str:
        """All that it printed, stderr after stdout, for people: no address in it says who asks."""
        return _without_user_information(f"{self.stdout}\n{self.stderr}")

    @property
    def complaint(self) -> str:
        """What it printed on stderr, for people: no address in it says who asks."""
        return _without_user_information(self.stderr)

    def tail(self, lines: int = TAIL_LINES) -> tuple[str, ...]:
        """The last lines that it printed, without empty ones."""
        found = [line.rstrip() for line in self.printed.splitlines()]
        return tuple([line for line in found if line][-lines:])


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
        seconds: float | None = None,
        limit: int = OUTPUT_LIMIT,
    ) -> Finished:
        """Run to the end and return the result, whatever the exit code."""
        ...


class Children:
    """All children of this run that are alive.

    Args:
        lifetime: once it has ended no child is started; those that run are ended by ``end_all``.
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
        seconds: float | None = None,
        limit: int = OUTPUT_LIMIT,
    ) -> Finished:
        """Run a program to its end, and end what it leaves behind in its group.

        Its output goes through files and not through pipes, so that nobody who inherits them can hold the run up; the
        files are in memory, so that no full disk can cut short what it says.

        Args:
            argv: program and arguments; never through a shell.
            env: the child's whole environment; nothing is inherited.
            cwd: its working folder.
            stdin: what it reads; nothing when left out.
            log: a file to which its output is appended, beside being returned.
            seconds: how long it may take; as long as the run goes on when left out.
            limit: how many bytes it may print on stdout, and on stderr.

        Returns:
            The result, whatever the exit code.

        Raises:
            RunEnded: the run was ended before or while the child ran.
            FileNotFoundError: there is no such program.
            TimeoutError: it took longer than it may, and was ended.
            OutputTooLarge: it printed more than it may, and was ended.
            StorageUnusable: it failed because a folder in which it writes is full or cannot be written.
        """
        command = tuple(str(a) for a in argv)
        began = time.monotonic()
        with _file_in_memory() as given, _file_in_memory() as out, _file_in_memory() as err:
            given.write(stdin or b"")
            given.seek(0)
            child = self._start(command, env, cwd, (given if stdin is not None else subprocess.DEVNULL, out, err))
            try:
                _wait(child, seconds, (out, err), limit)
            except subprocess.TimeoutExpired:
                self._lifetime.check()
                raise TimeoutError(f"{command[0]} took longer than {seconds} s") from None
            finally:
                with self._lock:
                    self._alive.discard(child)
                    _signal_group(child, signal.SIGKILL)
                child.wait()
            out.seek(0)
            err.seek(0)
            output = out.read(limit + 1)
            finished = Finished(
                command,
                child.returncode,
                output.decode("utf-8", "replace"),
                err.read(limit + 1).decode("utf-8", "replace"),
                time.monotonic() - began,
                output,
            )
        if log is not None:
            self._append(log, finished)
        self._lifetime.check()
        if len(output) > limit or len(finished.stderr) > limit:
            program = command[0].rpartition("/")[2]
            raise OutputTooLarge(f"{program} printed more than {limit} bytes, and was ended", detail=finished.tail())
        if not finished.ok and finished.stderr.strip():
            check_child(command, finished.printed, env)
        return finished

    def end_all(self, grace: float) -> None:
        """End every child's group: SIGTERM, then SIGKILL after ``grace`` seconds. No new child can start."""
        with self._lock:
            self._closed = True
            self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self._alive and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        with self._lock:
            self._signal_all(signal.SIGKILL)

    def _start(
        self, command: tuple[str, ...], env: Mapping[str, str], cwd: Path | None, streams: tuple[IO[bytes] | int, ...]
    ) -> subprocess.Popen[bytes]:
        given, out, err = streams
        with self._lock:
            self._lifetime.check()
            if self._closed:
                raise RunEnded("the run was ended")
            child = subprocess.Popen(
                command, env=dict(env), cwd=cwd, stdin=given, stdout=out, stderr=err, start_new_session=True
            )
            self._alive.add(child)
            return child

    def _signal_all(self, number: signal.Signals) -> None:
        for child in self._alive:
            _signal_group(child, number)

    def _append(self, log: Path, finished: Finished) -> None:
        printed = _without_user_information(f"{finished.stdout}{finished.stderr}")
        text = f"$ {' '.join(finished.argv)}\n{printed}exit {finished.returncode}\n"
        # A full disk must not stop a release for the sake of a tool's output.
        with contextlib.suppress(OSError), self._lock, log.open("a", encoding="utf-8") as file:
            file.write(text)


def _wait(child: subprocess.Popen[bytes], seconds: float | None, printed: tuple[IO[bytes], ...], limit: int) -> None:
    """Wait for the end of a child, or until it has printed more than is kept of it."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while all(os.fstat(file.fileno()).st_size <= limit for file in printed):
        left = OUTPUT_LOOKED_AT if deadline is None else min(OUTPUT_LOOKED_AT, deadline - time.monotonic())
        if _ends_within(child, max(0.0, left)):
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise subprocess.TimeoutExpired(child.args, seconds or 0)


def _ends_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a child, known the moment it comes; Popen.wait with a time limit looks now and then."""
    try:
        descriptor = os.pidfd_open(child.pid)
    except OSError:
        # A kernel, or a sandbox, that has no such thing.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        return child.returncode is not None
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
    return child.poll() is not None


def _file_in_memory() -> IO[bytes]:
    return open(os.memfd_create("child"), "w+b")  # noqa: PTH123 - a descriptor; the caller closes it


def _without_user_information(text: str) -> str:
    return _USER_INFORMATION.sub("xxxxx", text)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
