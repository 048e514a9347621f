from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hack.demo_picture import COLUMNS, PICTURE, draw
from testbed.paths import ROOT
from testbed.process_table import processes_with
from testbed.processes import Argv, started
from testbed.pseudo_terminal import run_on_terminal
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
    assert "\x1b" not in printed
    assert "\r" not in printed
    assert "go: downloading" not in printed
    steps = [line for line in printed.splitlines() if line.startswith("- ")]
    assert len(steps) == 6
    assert all(re.search(r" \.\.\. \d+\.\d s$", line) for line in steps)
    assert left_behind(tmp_path) == []


def test_the_demo_on_a_terminal(tmp_path: Path, environment: dict[str, str]) -> None:
    """On a terminal the demo has its picture's colours and words, and a line that moves while a step goes on."""
    code, printed = run_on_terminal(DEMO, env=environment, cwd=ROOT, columns=COLUMNS)
    assert code == 0, printed
    assert len(re.findall(r"\x1b\[1;32mRELEASED: .*\x1b\[0m", printed)) == 3
    assert re.search(r"\r\x1b\[K- tag v1\.2\.3: .* \d+ s\r", printed)
    [prompt, *kept] = rows_of(PICTURE.read_text("utf-8"))
    assert "make_demo" in prompt
    assert rows_of(draw(printed)) == kept
    assert left_behind(tmp_path) == []


def rows_of(picture: str) -> list[str]:
    """The lines of a picture, without ports, digests, times, commits, helm's version, and where they stand."""
    for pattern in (
        r"127\.0\.0\.1:\d+",
        r"sha256:\w+",
        r"\d{8}T\d{6}Z-\w{7}",
        r"\d+(\.\d)? s\b",
        r' y="\d+"',
        r"helm v[\d.]+",
        " +",
    ):
        picture = re.sub(pattern, "_", picture)
    return re.findall("<text.*</text>", picture)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_demo_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """A demo that is interrupted in the middle of the release ends all that it started and removes its folder."""
    with started(DEMO, env=environment, output=subprocess.PIPE, cwd=ROOT) as demo:
        assert demo.stdout is not None
        printed = b""
        while b"- tag " not in printed and (piece := os.read(demo.stdout.fileno(), 4096)):
            printed += piece
        until(lambda: any("/ack-release run" in one for one in processes_with(str(tmp_path))))
        demo.send_signal(number)
        demo.stdout.read()
        assert demo.wait(30) == 128 + number
    assert left_behind(tmp_path) == []
