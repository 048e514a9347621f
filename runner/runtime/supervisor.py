"""The main thread's work: let a run go on in a worker, and end it on a signal or at the deadline.

Prow's entrypoint sends SIGINT alone at its timeout, and SIGINT and SIGTERM at once on an abort (pkg/entrypoint/run.go);
both are answered once. Python runs signal handlers on the main thread only, so the main thread does nothing but wait.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from typing import TYPE_CHECKING

from runner.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.runtime.lifetime import Lifetime

ENDING = (signal.SIGINT, signal.SIGTERM)
DEFAULT_GRACE_SECONDS = 15.0
"""Prow's default between its first signal and SIGKILL (pkg/entrypoint/options.go)."""


def supervise(work: Callable[[], int], lifetime: Lifetime, end: Callable[[str], int]) -> int:
    """Run ``work`` in a worker thread and return its exit code, or end it.

    Args:
        work: the run; returns an exit code. Whatever it raises ends the process with 1.
        lifetime: its deadline ends the run.
        end: called once, on the main thread, with the reason when a signal or the deadline ends the run first;
            returns the exit code. The worker is not joined: the caller leaves the process without it.

    Nobody else ends a run, so that there is one reason for it, known before anything comes to an end because of it.
    """
    finished: list[int] = []
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)

    def run() -> None:
        try:
            finished.append(work())
        finally:
            finished.append(ExitCode.BUG)
            with contextlib.suppress(BlockingIOError):
                os.write(writer, b"\0")

    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in ENDING:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    threading.Thread(target=run, name="run", daemon=True).start()
    while True:
        reason = _wait(reader, lifetime)
        if finished:
            return finished[0]
        if reason is not None:
            return end(reason)


def _wait(reader: int, lifetime: Lifetime) -> str | None:
    readable, _, _ = select.select([reader], [], [], lifetime.remaining())
    if not readable:
        return "the deadline" if lifetime.remaining() == 0.0 else None
    names = [signal.Signals(number).name for number in os.read(reader, 64) if number in ENDING]
    return " and ".join(dict.fromkeys(names)) or None
