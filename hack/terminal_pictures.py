"""``make terminal-pictures``: draw what commands print on a terminal, from real runs, into docs/pages."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hack.drawing import draw_rows
from testbed.job_inputs import checkout_folder
from testbed.paths import ROOT
from testbed.pseudo_terminal import run_on_terminal
from testbed.release_harness import open_harness
from testbed.terminal_screen import screen_of, spans_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hack.drawing import Span
    from testbed.release_harness import ReleaseHarness

FOLDER = ROOT / "docs" / "pages"
REF = "v1.2.3"
PROMPT = "$ ack-release "


class Shown(NamedTuple):
    """What is shown: the name of the picture, the command, how wide the terminal is, and what its environment adds."""

    name: str
    arguments: tuple[str, ...]
    columns: int
    environment: Mapping[str, str] = {}


SHOWN = (
    Shown("terminal-plan", ("plan",), 80),
    Shown("terminal-plan-plain", ("plan",), 80, {"NO_COLOR": "1"}),
    Shown("terminal-plan-wide", ("plan",), 200),
    Shown("terminal-run", ("run",), 100),
    Shown("terminal-failed", ("run", "--registry", "127.0.0.1:9/nowhere"), 100),
    Shown("terminal-doctor", ("doctor",), 100),
)


def written(harness: ReleaseHarness, shown: Shown) -> str:
    """What a command writes to a terminal, in a new clone of the sample."""
    workspace, sha = harness.clone(REF)
    environment = {**harness.environment(REF, sha), "LC_ALL": "C.UTF-8", **shown.environment}
    argv = [*harness.program, *shown.arguments, "--config", harness.config]
    cwd = checkout_folder(workspace, harness.repository)
    _, text = run_on_terminal(argv, env=environment, cwd=cwd, columns=shown.columns)
    return text


def draw(text: str, shown: Shown) -> str:
    """The picture of what a command wrote, below its prompt."""
    command = " ".join(shown.arguments)
    rows: list[list[Span]] = [[("strong", PROMPT + command)]]
    rows += [spans_of(line) for line in screen_of(text, shown.columns)]
    return draw_rows(rows, shown.columns, f"What ack-release {command} shows at a terminal of {shown.columns} columns")


def main() -> int:
    """Run every command and draw it."""
    with tempfile.TemporaryDirectory() as folder, open_harness(Path(folder)) as harness:
        for shown in SHOWN:
            file = FOLDER / f"{shown.name}.svg"
            file.write_text(draw(written(harness, shown), shown), encoding="utf-8")
            print(f"drew {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
