"""``make prow``: a whole Prow that is ready soon, and of which nothing is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.docker_daemon import docker_daemon
from testbed.paths import ROOT, TOOLS
from testbed.process_table import process_tree, processes_with
from testbed.prow.deck import ADDRESS, LENSES_PORT, PORT
from testbed.prow.kept_images import kept_images
from testbed.prow.lens_pages import PORT as LENS_PAGES_PORT
from testbed.prow.servers import listens
from tests.support.deck import read_buildlog, read_view
from tests.support.docker import require_docker
from tests.support.tools import require_deck_pages, require_tool
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.exclusive

PROGRAMS = ("etcd", "kube-apiserver", "hook", "prow-controller-manager", "crier", "deck", "crane", "moto_server")
READY_SECONDS = 30
LONG = 120
LOOK_SECONDS = 0.1


@pytest.fixture(scope="module")
def data() -> Path:
    """The folder of a Prow whose images are built."""
    require_docker()
    require_deck_pages()
    for name in (*PROGRAMS, "debootstrap"):
        require_tool(name)
    folder = TOOLS / "prow-of-tests"
    with docker_daemon(folder / "docker") as daemon:
        kept_images(daemon)
    return folder


class Running:
    """A ``make prow`` that was started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def said(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed a line with this in it."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self._log.read_text(), re.MULTILINE)
            assert found or self.process.poll() is None, self._log.read_text()
            return found

        return until(look, seconds=LONG, pause=LOOK_SECONDS)

    def ended(self) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(LONG)


@contextlib.contextmanager
def make_prow(data: Path, log: Path) -> Iterator[Running]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "testbed.prow", "--data", data], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Running(process, log)
        finally:
            process.terminate()


def left(*texts: str) -> list[str]:
    """The command lines that hold one of these."""
    return [line for text in texts for line in processes_with(text)]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_all_ends_with_it(data: Path, tmp_path: Path, ending: signal.Signals) -> None:
    """It is ready in under 30 seconds, and once it ends, however, none of its programs and containers is left."""
    with make_prow(data, tmp_path / "log") as running:
        assert float(running.said(r"^ *([0-9.]+) s  ready$")[1]) < READY_SECONDS
        running.said(r"^widget-release v1.2.3: pending")
        children = process_tree(running.process.pid)
        # A container's first process is no child of the daemon that started it.
        of_docker = next(one.argv[one.argv.index("--exec-root") + 1] for one in children if "--exec-root" in one.argv)
        assert len(children) > len(PROGRAMS)
        running.process.send_signal(ending)
        assert running.ended() == (0 if ending != signal.SIGKILL else -signal.SIGKILL)
    run = Path(of_docker).parent
    told = (str(data), str(run))
    if ending == signal.SIGKILL:
        until(lambda: not left(*told), seconds=LONG, pause=LOOK_SECONDS)
        # Folders are beyond what the kernel ends: the next start removes them.
        with docker_daemon(data / "docker"):
            pass
    assert not run.exists()
    assert left(*told) == []
    assert not listens(PORT)()
    assert not listens(LENS_PAGES_PORT)()


def test_a_release_and_a_push(data: Path, tmp_path: Path) -> None:
    """Deck has the release where it says, with the line of what was released; a push with git starts another job."""
    with make_prow(data, tmp_path / "log") as running:
        address = running.said(r"^widget-release v1\.2\.3: success  (\S+)$")[1]
        assert address.startswith(f"{ADDRESS}/view/")
        [*_, line] = read_buildlog(read_view(address)).highlighted
        assert line.startswith("RELEASED: widget 1.2.3 ")
        pushed = subprocess.run(
            ["git", "-C", running.said(r"^  repository  (.*)$")[1], "push", "origin", "stable"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
        assert "remote: hook answered 200 to the push of refs/heads/stable" in pushed.stderr
        running.said(r"^widget-release stable: success  \S+$")
        running.process.send_signal(signal.SIGINT)
        assert running.ended() == 0
        running.said(r"^Ended, with all that was started\.$")


def test_a_program_that_ends_before(data: Path, tmp_path: Path) -> None:
    """When one of its programs dies, it ends with 1, and says which and what that printed last."""
    with make_prow(data, tmp_path / "log") as running:
        running.said(r"^widget-release v1\.2\.3: pending")
        [crier] = [one for one in process_tree(running.process.pid) if one.argv[:1] == [str(require_tool("crier"))]]
        os.kill(crier.id, signal.SIGKILL)
        assert running.ended() == 1
        running.said(r"^prow: crier ended with -9; \S+crier\.log ends so:\n\{")
    assert left(str(data)) == []


@pytest.mark.parametrize(
    ("port", "host"), [(PORT, ""), *((port, "127.0.0.1") for port in (PORT, LENSES_PORT, LENS_PAGES_PORT))]
)
def test_a_taken_port(data: Path, tmp_path: Path, port: int, host: str) -> None:
    """A port of Deck's that somebody has is an error that names it, before anything is started."""
    with socket.create_server((host, port)), make_prow(data, tmp_path / "log") as running:
        assert running.ended() == 1
        running.said(rf"\Aprow: port {port} is taken, and .*Deck.* listens on no other")


def test_images_are_built_once(data: Path) -> None:
    """With every image there nothing is built, and what another work tree or a killed Prow left is removed."""
    told: list[str] = []
    with docker_daemon(data / "docker") as daemon:
        images = kept_images(daemon)
        for old in ("ack-release:0123456789ab", "prow-sidecar:0123456789ab", "localhost/ack-release:01234567"):
            daemon.docker("tag", images.runner, old)
        assert kept_images(daemon, tell=told.append) == images
        left = set(daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines())
    assert told == []
    assert left - {"<none>:<none>"} >= {images.runner, *images.utilities.values()}
    assert len(left - {"<none>:<none>"}) == 1 + 1 + len(images.utilities), "and the Debian that they are built on"
