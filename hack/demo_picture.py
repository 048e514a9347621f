"""``make picture``: draw as docs/demo.svg what ``make demo`` prints on a terminal, for light and dark pages."""

from __future__ import annotations

import html
import os
import re
import sys
from typing import TYPE_CHECKING

from hack.terminal import CLEAR, START_OF_LINE, STYLES
from testbed.paths import ROOT
from testbed.pseudo_terminal import run_on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS, CHARACTER, LINE, MARGIN = 152, 7.2, 17, 14
STYLE = """
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
rect { fill: #f6f8fa; stroke: #d1d9e0 }
.good { fill: #116329; font-weight: bold }
.strong { font-weight: bold }
.faint { fill: #59636e }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #0d1117; stroke: #3d444d } .good { fill: #56d364 } .faint { fill: #9198a1 }
}
"""
CODES = {f"\x1b[{code}m": style for style, code in STYLES.items()}
RESET = "\x1b[0m"
_PARTS = re.compile("(\x1b\\[[0-9;]*m)")


def draw(text: str) -> str:
    """Return the SVG of a terminal that shows what was written to it; long lines are cut."""
    lines = [list(_spans(line)) for line in seen(text).rstrip().splitlines()]
    width, height = round(COLUMNS * CHARACTER + 2 * MARGIN), len(lines) * LINE + 2 * MARGIN
    rows = "\n".join(_row(number, spans) for number, spans in enumerate(lines, 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="What make demo prints"><style>{STYLE}</style>\n'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>\n{rows}\n</svg>\n'
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


def _row(number: int, spans: list[tuple[str | None, str]]) -> str:
    y = MARGIN + number * LINE - 5
    drawn = "".join(
        html.escape(text) if style is None else f'<tspan class="{style}">{html.escape(text)}</tspan>'
        for style, text in spans
    )
    return f'<text xml:space="preserve" x="{MARGIN}" y="{y}">{drawn}</text>'


if __name__ == "__main__":
    sys.exit(main())
