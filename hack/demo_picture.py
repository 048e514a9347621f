"""``make picture``: draw what ``make demo`` prints as docs/demo.svg, legible on a light and on a dark page."""

from __future__ import annotations

import html
import subprocess
import sys

from testbed.paths import ROOT

PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS, CHARACTER, LINE, MARGIN = 152, 7.2, 17, 14
STYLE = """
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
rect { fill: #f6f8fa; stroke: #d1d9e0 }
.good { fill: #116329; font-weight: bold }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #0d1117; stroke: #3d444d } .good { fill: #56d364 }
}
"""


def draw(text: str) -> str:
    """Return the SVG of a terminal that shows these lines; long ones are cut."""
    lines = [line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…" for line in text.rstrip().splitlines()]
    width, height = round(COLUMNS * CHARACTER + 2 * MARGIN), len(lines) * LINE + 2 * MARGIN
    rows = "\n".join(_row(number, line) for number, line in enumerate(lines, 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="What make demo prints"><style>{STYLE}</style>\n'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>\n{rows}\n</svg>\n'
    )


def main() -> int:
    """Run the demonstration and draw what it printed."""
    demo = subprocess.run(
        [sys.executable, "-m", "hack.demo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    if demo.returncode:
        print(demo.stdout, demo.stderr, sep="\n", file=sys.stderr)
        return demo.returncode
    PICTURE.write_text(draw(f"$ make demo\n{demo.stdout}"), encoding="utf-8")
    print(f"drew {PICTURE.relative_to(ROOT)}")
    return 0


def _row(number: int, line: str) -> str:
    style = ' class="good"' if line.lstrip().startswith(("RELEASED:", "$ ")) else ""
    y = MARGIN + number * LINE - 5
    return f'<text xml:space="preserve" x="{MARGIN}" y="{y}"{style}>{html.escape(line)}</text>'


if __name__ == "__main__":
    sys.exit(main())
