"""``make ecr``: ready in seconds, usable as it says, and nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.ecr_public.identities import USER
from testbed.go import go_caches
from testbed.paths import ROOT
from testbed.process_table import processes_with
from tests.support.tools import require_tool
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = 60


@pytest.fixture(autouse=True)
def programs() -> None:
    for name in ("registry", "moto_server", "helm4", "crane"):
        require_tool(name)


@contextlib.contextmanager
def make_ecr(data: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run it; give the process, and the file of what it prints."""
    log = data.with_suffix(".log")
    command = [sys.executable, "-m", "testbed.ecr_public", "--data", str(data), *arguments]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield process, log
        finally:
            process.terminate()


def said(log: Path, pattern: str) -> re.Match[str]:
    return until(lambda: re.search(pattern, log.read_text("utf-8"), re.MULTILINE), seconds=LONG, pause=0.05)


def left(data: Path) -> list[str]:
    """What was started with this folder: the registry by its arguments, moto by its environment."""
    return processes_with(str(data)) + processes_with(str(data), told="environ")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_all_ends_with_it(tmp_path: Path, ending: signal.Signals) -> None:
    """Once it ends, however, none of its programs is left; where it can, it says so."""
    data = tmp_path / "ecr"
    with make_ecr(data, "--port", "0", "--api-port", "0") as (process, log):
        said(log, "^ready$")
        assert len({line.partition(" ")[0] for line in left(data)}) > 1
        process.send_signal(ending)
        assert process.wait(LONG) == (0 if ending != signal.SIGKILL else -signal.SIGKILL)
    until(lambda: not left(data), seconds=LONG, pause=0.05)
    assert ("Ended, with all that was started." in log.read_text("utf-8")) == (ending != signal.SIGKILL)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port that somebody has is named, with what needs it; nothing is started."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with make_ecr(tmp_path / "ecr", "--port", "0", "--api-port", str(port)) as (process, log):
            assert process.wait(LONG) == 1
        assert f"ecr: port {port} is taken" in log.read_text("utf-8")
        assert not (tmp_path / "ecr" / "run").exists()


def test_it_is_used_as_it_says(tmp_path: Path) -> None:
    """The commands that it prints release the sample from an empty account; each call is told with its permission."""
    data = tmp_path / "ecr"
    with make_ecr(data, "--port", "0", "--api-port", "0") as (_, log):
        registry = said(log, r"^  registry +(\S+)$")[1]
        folder, run = (
            data / "run" / "widget-controller",
            said(log, r"^  (PULL_BASE_REF=v1\.2\.3 ack-release run .*)$")[1],
        )
        script = f"""
set -eu
export AWS_PROFILE=mine AWS_SESSION_TOKEN=mine
. {data}/run/environment
cd {folder} && git checkout --quiet v1.2.3
{run} >&2
python -c 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
DOCKER_CONFIG=/nowhere crane ls {registry}/controller
"""
        words = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), **go_caches(require_tool("go"))}
        finished = subprocess.run(["sh", "-c", script], env=words, capture_output=True, text=True, check=False)
        assert (finished.returncode, finished.stdout) == (0, f"{USER}\nwidget-v1.2.3\n"), finished.stderr
        said(log, r"^200 user/prow  sts:AssumeRole ")
        said(
            log, r"^201 assumed-role/publisher/\S+  ecr-public:PutImage  /v2/\S+/controller/manifests/widget-v1\.2\.3$"
        )
