"""``make picture``: draw as docs/demo.svg what ``make demo`` prints on a terminal, for light and dark pages."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from hack.drawing import draw_rows
from hack.terminal import CLEAR, START_OF_LINE, STYLES
from testbed.paths import ROOT
from testbed.pseudo_terminal import run_on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS = 152
CODES = {f"\x1b[{code}m": style for style, code in STYLES.items()}
RESET = "\x1b[0m"
_PARTS = re.compile("(\x1b\\[[0-9;]*m)")


def draw(text: str) -> str:
    """Return the SVG of a terminal that shows what was written to it; long lines are cut."""
    return draw_rows(
        [list(_spans(line)) for line in seen(text).rstrip().splitlines()], COLUMNS, "What make demo prints"
    )


def seen(text: str) -> str:
    """What stands on a terminal at last: of a line that was drawn again, what was drawn last."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition(f"{START_OF_LINE}{CLEAR}")[2] for line in lines)


def main() -> int:
    """Run the demonstration on a terminal and draw what it printed."""
    code, printed = run_on_terminal([sys.executable, "-m", "hack.demo"], env=os.environ, cwd=ROOT, columns=COLUMNS)
    if code:
        print(printed, file=sys.stderr)
        return code
    prompt = f"\x1b[{STYLES['good']}m$ make demo{RESET}\n"
    PICTURE.write_text(draw(prompt + printed), encoding="utf-8")
    print(f"drew {PICTURE.relative_to(ROOT)}")
    return 0


def _spans(line: str) -> Iterator[tuple[str | None, str]]:
    """The parts of a line, each with its style, as far as they fit."""
    style, left = None, COLUMNS
    for part in _PARTS.split(line):
        if _PARTS.fullmatch(part):
            style = CODES.get(part)
        elif part and left > 0:
            yield style, part if len(part) <= left else f"{part[: left - 1]}…"
            left -= len(part)


if __name__ == "__main__":
    sys.exit(main())
