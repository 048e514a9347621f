"""What a person at a terminal sees of commands, and that a pipe gets nothing of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hack.terminal_pictures import FOLDER, REF, SHOWN, Shown, draw, written
from testbed.release_harness import open_harness
from testbed.terminal_screen import lines_of
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.release_harness import ReleaseHarness

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CHANGING = (
    r"127\.0\.0\.1:\d+",
    r"sha256:\w+",
    r"commit \w{12}",
    r"\d+(\.\d)? s\b",
    r"[\d.]+ [KMGT]iB",
    r"(?<= )/\S+",
    r"\d+\.\d+\S*",
    r' y="\d+"',
    r"\s+",
)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    for tool in ("crane", "helm4", "go", "git"):
        require_tool(tool)
    with open_harness(tmp_path) as harness:
        yield harness


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
def test_plan(harness: ReleaseHarness, columns: int, *, colour: bool) -> None:
    """A plan ends with a table that fits the terminal and a verdict in words; without colour, signs say the same."""
    shown = Shown("plan", ("plan",), columns, {} if colour else {"NO_COLOR": "1"})
    text = written(harness, shown)
    assert bool(COLOUR.search(text)) == colour
    lines = lines_of(text, columns)
    [titles] = [number for number, line in enumerate(lines) if line.startswith("KIND")]
    assert lines[titles].split() == ["KIND", "NAME", "RESULT", "WHY"]
    assert sum("✓ publish" in line for line in lines[titles:]) == 3
    verdict = " ".join("".join(lines[-2:] if columns < 100 else lines[-1:]).split())
    assert verdict.startswith("✓ widget 1.2.3 can be released. Planned, nothing was changed: 3 to publish, 0 to skip.")
    assert not any(line.startswith(("ERROR:", "RELEASED:")) for line in lines)


def test_run_and_rerun(harness: ReleaseHarness) -> None:
    """A run shows its steps with their times, and ends with what holds what; a rerun says that nothing was sent."""
    first = lines_of(written(harness, Shown("run", ("run",), 120)), 120)
    assert any(re.fullmatch(r"✓ build +widget \d+\.\d s", line) for line in first)
    assert sum("✓ published" in line and "sha256:" in line for line in first) == 3
    assert first[-1].startswith("✓ widget 1.2.3 is released. 3 tags written")
    again = lines_of(written(harness, Shown("run", ("run", "-q"), 120)), 120)
    assert not any("build" in line for line in again)
    assert again[-1].startswith("✓ widget 1.2.3 is already released.")


def test_a_failure(harness: ReleaseHarness) -> None:
    """A run that fails ends with the line that has cause and remedy, below what became of it in words."""
    lines = lines_of(written(harness, Shown("run", ("run", "--registry", "127.0.0.1:9/nowhere"), 300)), 300)
    assert lines[-1].startswith("ERROR: GET 127.0.0.1:9/v2/")
    assert "exit=7" in lines[-1]
    assert lines[-2].startswith("✗ widget 1.2.3 was not released. Nothing was written by this run.")


@pytest.mark.parametrize("options", [(), ("--color", "always"), ("-v",)], ids=["default", "always", "verbose"])
def test_in_a_pipe(harness: ReleaseHarness, options: tuple[str, ...]) -> None:
    """What reads a pipe gets lines without any escape code, also where colour was asked for."""
    ended = harness.run(REF, *options, command="plan")
    assert ended.code == 0, ended.out
    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.out
    assert 'event="plan done"' in ended.out
    assert ("event=request" in ended.out) == ("-v" in options)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.name)
def test_pictures(shown: Shown) -> None:
    """Each picture in the docs is of a terminal of its width, and has its command and a verdict."""
    picture = (FOLDER / f"{shown.name}.svg").read_text("utf-8")
    assert f"$ ack-release {' '.join(shown.arguments)}" in picture
    assert "\x1b" not in picture
    assert ('class="green"' in picture) == ("NO_COLOR" not in shown.environment and shown.name != "terminal-failed")


def test_a_picture_is_what_is_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The picture of a plan in the docs is what a plan shows today, but for ports, times and commits."""
    [shown] = [one for one in SHOWN if one.name == "terminal-plan-wide"]
    with open_harness(tmp_path_factory.mktemp("picture")) as harness:
        drawn = draw(written(harness, shown), shown)
    kept = (FOLDER / f"{shown.name}.svg").read_text("utf-8")
    assert told(drawn) == told(kept)


def told(picture: str) -> list[str]:
    """The lines of a picture, without what changes from run to run: some steps may be too short to be told."""
    lines = re.findall("<text.*</text>", picture)
    for pattern in CHANGING:
        lines = [re.sub(pattern, "_", line) for line in lines]
    return [
        line for line in lines if not re.search(r">✓_</tspan>(event|checkout|tools|chart|observe|export|select)", line)
    ]
