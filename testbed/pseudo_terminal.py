"""A program on a terminal that nobody sees: what it writes there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from typing import TYPE_CHECKING

from testbed.processes import started

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.processes import Argv

ROWS = 50
PIECE = 65536


def run_on_terminal(
    argv: Argv, *, env: Mapping[str, str], cwd: Path | None = None, columns: int = 120
) -> tuple[int, str]:
    """Run a program to its end whose stdout and stderr are a terminal; return its exit code and all that it wrote.

    Args:
        argv: program and arguments.
        env: its environment; TERM is added where it has none.
        cwd: its working folder.
        columns: how wide the terminal is.
    """
    here, there = pty.openpty()
    try:
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        whole = {"TERM": "xterm-256color", **env, "COLUMNS": str(columns)}
        with started(argv, env=whole, output=there, cwd=cwd) as child:
            os.close(there)
            there = -1
            written = b"".join(iter(lambda: _piece(here), b""))
            return child.wait(), written.decode(errors="replace")
    finally:
        for end in (here, there):
            if end >= 0:
                os.close(end)


def _piece(end: int) -> bytes:
    try:
        return os.read(end, PIECE)
    except OSError:
        # Linux says so when nobody has the other end open any more.
        return b""
