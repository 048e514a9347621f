"""The Docker daemon that tests and the local Prow run containers with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from testbed.docker_daemon import DaemonUnusable, DockerDaemon, check_usable, docker_daemon
from testbed.process_table import processes_with
from testbed.runner_image import ImageFailed, build_image
from tests.support.docker import require_docker
from tests.support.tools import require_tool


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The archive of a file system with one static program."""
    source = tmp_path / "hello.go"
    source.write_text(
        'package main\n\nimport ("os"; "time")\n\n'
        'func main() { println("hello"); if len(os.Args) > 1 { time.Sleep(time.Hour) } }\n'
    )
    root = tmp_path / "root"
    root.mkdir()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    subprocess.run(
        [require_tool("go"), "build", "-o", root / "hello", source], env=environment, check=True, timeout=240
    )
    archive = tmp_path / "image.tar"
    subprocess.run(["tar", "--create", "--file", archive, "--directory", root, "."], check=True, timeout=60)
    return archive


def sleeper(daemon: DockerDaemon, image: Path) -> None:
    """Leave a container running."""
    daemon.import_image(image, "hello")
    assert daemon.docker("run", "--rm", "--network", "host", "hello", "/hello") == ""
    daemon.docker("run", "--detach", "--network", "host", "hello", "/hello", "sleep")
    assert len(daemon.docker("ps", "--quiet").splitlines()) == 1


def test_a_daemon_ends_with_all_that_it_started(tmp_path: Path, image: Path) -> None:
    """Containers run while the block goes on; after it neither process, mount nor socket is left."""
    require_docker()
    with docker_daemon(tmp_path / "data") as daemon:
        run = daemon.log.parent
        sleeper(daemon, image)
        assert processes_with(str(run))
    assert processes_with(str(run)) == []
    assert not run.exists()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def test_a_daemon_that_is_killed_leaves_nothing(tmp_path: Path, image: Path) -> None:
    """A daemon that dies without tidying up has its shims, containers and mounts ended at the end of the block."""
    require_docker()
    with docker_daemon(tmp_path / "data") as daemon:
        run = daemon.log.parent
        sleeper(daemon, image)
        os.kill(int((run / "pid").read_text(encoding="utf-8")), 9)
    assert processes_with(str(run)) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def test_two_daemons_side_by_side(tmp_path: Path, image: Path) -> None:
    """Two daemons know nothing of each other's images and containers."""
    require_docker()
    with docker_daemon(tmp_path / "one") as one, docker_daemon(tmp_path / "other") as other:
        sleeper(one, image)
        assert other.docker("images", "--quiet") == other.docker("ps", "--all", "--quiet") == ""


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the programs, what is missing is named with the package that has it."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("testbed.docker_daemon._search_path", lambda: str(tmp_path))
    with pytest.raises(DaemonUnusable, match=r"dockerd, containerd, runc, docker cannot .* apt-get install docker\.io"):
        check_usable()


def test_another_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root, the message says that only root can start a daemon."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(DaemonUnusable, match="only root"):
        check_usable()


def test_an_image_without_a_daemon(tmp_path: Path) -> None:
    """Building the runner's image where no daemon answers says so, and how one is named."""
    require_docker()
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", "DOCKER_CONFIG": str(tmp_path)}
    with pytest.raises(ImageFailed, match=r"no Docker daemon answers.*DOCKER_HOST"):
        build_image("any", environment=environment)


def test_a_second_daemon_with_the_same_data(tmp_path: Path) -> None:
    """Data that a daemon has are refused with its process id, and that daemon goes on."""
    require_docker()
    with docker_daemon(tmp_path / "data") as daemon:
        with (
            pytest.raises(DaemonUnusable, match=r"process id \d+ has the data in "),
            docker_daemon(tmp_path / "data"),
        ):
            pass
        assert daemon.docker("ps", "--quiet") == ""
