from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.paths import ROOT
from testbed.process_table import processes_with
from testbed.processes import Argv, started
from tests.support.tools import require_tool
from tests.support.waiting import until

DEMO: Argv = [Path(sys.executable), "-m", "hack.demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for tool in ("crane", "helm4", "go", "git"):
        require_tool(tool)
    return {**os.environ, "TMPDIR": str(tmp_path)}


def left_behind(folder: Path) -> list[str]:
    """What still runs with this folder in its command line, and what is in the folder."""
    return processes_with(str(folder)) + [path.name for path in folder.iterdir()]


def test_the_demo_publishes_and_shows_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """The demo releases, sends nothing again, moves stable, shows names with digests, and leaves nothing."""
    with started(DEMO, env=environment, output=subprocess.PIPE, cwd=ROOT) as demo:
        printed = demo.communicate()[0].decode()
    assert demo.returncode == 0, printed
    assert re.search(r"^    0  tag v1\.2\.3 once more", printed, re.MULTILINE)
    for kind, name in (
        ("image", "controller:widget-v1.2.3"),
        ("chart", "chart:widget-v1.2.3"),
        ("chart", "widget-chart:1.2.3"),
        ("chart", "chart:widget-v1-stable"),
        ("chart", "widget-chart:v1-stable"),
    ):
        assert re.search(rf"^  {kind}  127\.0\.0\.1:\d+/demo/{name} +sha256:[0-9a-f]{{64}}", printed, re.MULTILINE)
    assert len(re.findall(r"deploys 127\.0\.0\.1:\d+/demo/controller:widget-v1\.2\.3$", printed, re.MULTILINE)) >= 2
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_demo_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """A demo that is interrupted in the middle of the release ends all that it started and removes its folder."""
    with started(DEMO, env=environment, output=subprocess.PIPE, cwd=ROOT) as demo:
        assert demo.stdout is not None
        for line in iter(demo.stdout.readline, b""):
            if line.startswith(b"- tag "):
                break
        until(lambda: any("/ack-release run" in one for one in processes_with(str(tmp_path))))
        demo.send_signal(number)
        demo.stdout.read()
        assert demo.wait(30) == 128 + number
    assert left_behind(tmp_path) == []
