"""AWS services as moto imitates them, over the wire."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING

from testbed.processes import started, tied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.processes import Argv

READY_SECONDS = 60.0
ADDRESS = re.compile(r"Running on http://(127\.0\.0\.1:\d+)")


class MotoFailed(Exception):
    """The server does not answer; the message says what it printed."""


@contextlib.contextmanager
def serve(server: Path, folder: Path) -> Iterator[str]:
    """Run moto's server on a free port, and give ``HOST:PORT``; it ends with the block.

    Args:
        server: the program moto_server.
        folder: an empty or missing folder for the server's log and its temporary files.

    Raises:
        MotoFailed: it ended or did not answer in time.
    """
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    log = folder / "log"
    argv: Argv = [server, "--host", "127.0.0.1", "--port", "0"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(temporary), "NO_COLOR": "1"}
    with log.open("wb") as output, started(tied(argv), env=environment, output=output) as child:
        deadline = time.monotonic() + READY_SECONDS
        while (printed := ADDRESS.search(log.read_text(encoding="utf-8"))) is None:
            if child.poll() is not None or time.monotonic() > deadline:
                raise MotoFailed(f"moto_server does not answer; it printed:\n{log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        yield printed[1]
