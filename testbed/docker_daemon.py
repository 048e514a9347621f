"""A Docker daemon of one's own: on a socket that nobody else knows, ended with all that it started.

Only root can start one. It makes no network: containers and builds use the host's (``--network host``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.processes import read, started, tied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READY_SECONDS = 40.0
NOTE = "run-folder"
"""The file in a daemon's data that says where it keeps what lives as long as it runs."""
PROGRAMS = ("dockerd", "containerd", "runc", "docker")


class DaemonUnusable(Exception):
    """No Docker daemon is available; the message says why, and what to do."""


@dataclass(frozen=True)
class DockerDaemon:
    """A daemon that answers.

    ``host`` is what DOCKER_HOST says of it, ``log`` the file of what it prints, ``configuration`` the client's folder.
    """

    host: str
    log: Path
    configuration: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment of a client: this daemon, and nobody's configuration."""
        return {
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": self.host,
            "HOME": str(self.configuration),
            "DOCKER_CONFIG": str(self.configuration),
        }

    def docker(self, *arguments: str | Path) -> str:
        """Run a docker command and return what it printed, without white space at the end.

        Raises:
            ProgramFailed: it failed; the message holds what it printed on stderr.
        """
        return read(["docker", *arguments], env=self.environment)

    def import_image(self, archive: Path, name: str) -> None:
        """Make an image of the archive of a file system.

        Raises:
            ProgramFailed: the daemon refuses it.
        """
        self.docker("import", archive, name)


@contextlib.contextmanager
def docker_daemon(data: Path) -> Iterator[DockerDaemon]:
    """Run a daemon that keeps its images below ``data``; it ends with the block, and its containers with it.

    Raises:
        DaemonUnusable: this user may not start one, a program is missing, it does not answer, or another daemon has
            these data.
    """
    check_usable()
    data.mkdir(parents=True, exist_ok=True)
    _clear_killed(data)
    # A socket's path may have 107 bytes at most (unix(7)), and the daemon makes some below this folder.
    run = Path(tempfile.mkdtemp(prefix="docker-"))
    socket, log = run / "docker.sock", run / "log"
    (data / NOTE).write_text(str(run), encoding="utf-8")
    argv: list[str | Path] = [
        *("dockerd", "--host", f"unix://{socket}", "--data-root", data, "--exec-root", run / "exec"),
        *("--pidfile", run / "pid", "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false"),
    ]
    configuration = run / "client"
    configuration.mkdir()
    daemon = DockerDaemon(f"unix://{socket}", log, configuration)
    try:
        with log.open("wb") as output, started(tied(argv, signal.SIGTERM), env=_environment(), output=output) as child:
            _wait(daemon, child)
            yield daemon
    finally:
        _clear(run, data)
        (data / NOTE).unlink()


def check_usable() -> None:
    """Check that a daemon can be started here.

    Raises:
        DaemonUnusable: this user may not, or a program is missing.
    """
    if os.geteuid() != 0:
        raise DaemonUnusable("only root can start a Docker daemon; run this as root")
    missing = [name for name in PROGRAMS if shutil.which(name, path=_search_path()) is None]
    if missing:
        raise DaemonUnusable(f"{', '.join(missing)} cannot be found; on Debian: apt-get install docker.io")


def _search_path() -> str:
    # Debian has dockerd where only root's PATH looks.
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _environment() -> Mapping[str, str]:
    proxies = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return {"PATH": _search_path(), "LC_ALL": "C", **proxies}


def _wait(daemon: DockerDaemon, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            env=dict(daemon.environment),
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise DaemonUnusable(f"dockerd does not answer; it printed:\n{_last_lines(daemon.log)}")


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def _clear_killed(data: Path) -> None:
    """Clear what a daemon left that had these data and was killed."""
    note = data / NOTE
    if note.exists():
        run = Path(note.read_text(encoding="utf-8"))
        with contextlib.suppress(OSError):
            daemon = int((run / "pid").read_text(encoding="utf-8"))
            if str(run).encode() in Path(f"/proc/{daemon}/cmdline").read_bytes():
                raise DaemonUnusable(f"the Docker daemon with process id {daemon} has the data in {data}; end it first")
        _clear(run, data)


def _clear(run: Path, data: Path) -> None:
    _end_left(run)
    _unmount_below(run, data)
    shutil.rmtree(run, ignore_errors=True)


def _end_left(run: Path) -> None:
    """End what a daemon that was killed left behind: each shim and what it keeps names the run folder."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str(run).encode() in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


def _unmount_below(*folders: Path) -> None:
    with contextlib.suppress(OSError):
        points = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
        for point in reversed([point for point in points if any(Path(point).is_relative_to(one) for one in folders)]):
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
