"""Programs that serve one another, started and ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.paths import ROOT
from testbed.process_table import alive
from testbed.prow.servers import PortTaken, ServerFailed, Servers, answers, check_free, free_ports, listens
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

LONG = 30
WEB = """\
import sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
"""
PARENT = """\
import sys, time
from pathlib import Path
from testbed.prow.servers import Servers
with Servers(Path(sys.argv[1])) as servers:
    print(servers.start("sleeper", ["sleep", "300"], ready=lambda: True).child.pid, flush=True)
    time.sleep(300)
"""


def web(port: int) -> list[str]:
    return [sys.executable, "-c", WEB, str(port)]


def test_all_answer_and_all_end(tmp_path: Path) -> None:
    """Once waited for, each answers; after the block none does, and each has its own log."""
    first, second = free_ports(2)
    with Servers(tmp_path) as servers:
        servers.start("first", web(first), ready=answers(first, "/"))
        servers.start("second", web(second), ready=listens(second))
        servers.wait()
        servers.check()
        assert answers(first, "/")()
        assert not answers(first, "/nothing-there")()
        assert listens(second)()
    assert not listens(first)()
    assert not listens(second)()
    assert "GET / HTTP" in (tmp_path / "first.log").read_text()
    assert (tmp_path / "second.log").exists()


def test_one_that_ends_early_is_named_with_its_last_lines(tmp_path: Path) -> None:
    """While others are waited for, one that ends is an error with its name, code, log and last words."""
    with Servers(tmp_path) as servers:
        servers.start("waiting", ["sleep", "300"], ready=lambda: False)
        servers.start("broken", ["sh", "-c", "echo address already in use; exit 3"], ready=lambda: False)
        with pytest.raises(
            ServerFailed, match=r"^broken ended with 3; .*broken\.log ends so:\naddress already in use$"
        ):
            servers.wait("waiting", seconds=LONG)


def test_one_that_never_answers(tmp_path: Path) -> None:
    """One that runs and does not answer in time is an error with its name."""
    with Servers(tmp_path) as servers:
        servers.start("silent", ["sleep", "300"], ready=lambda: False)
        with pytest.raises(ServerFailed, match=r"^silent does not answer within 0 s"):
            servers.wait(seconds=0.1)


def test_they_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Even SIGKILL of whoever started a program ends that program."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait(LONG)
    until(lambda: not alive(child))


def test_a_taken_port_is_named() -> None:
    """A port that somebody listens on is an error that names port and program; a free one is none."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken, and Deck listens on no other"):
            check_free(port, "Deck")
        with pytest.raises(PortTaken, match=f"port {port} "):
            check_free(port, "Deck", host="")
    check_free(port, "Deck")
