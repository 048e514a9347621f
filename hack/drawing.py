"""Terminals as SVG, for light and dark pages."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Span = tuple[str | None, str]
"""A style, which is a class of STYLE, and the text in it."""

CHARACTER, LINE, MARGIN = 7.2, 17, 14
STYLE = """
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
rect { fill: #f6f8fa; stroke: #d1d9e0 }
.good { fill: #116329; font-weight: bold }
.strong { font-weight: bold }
.faint { fill: #59636e }
.green { fill: #116329 }
.red { fill: #c5221f }
.yellow { fill: #7d4e00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #0d1117; stroke: #3d444d } .good { fill: #56d364 } .faint { fill: #9198a1 }
  .green { fill: #56d364 } .red { fill: #ff7b72 } .yellow { fill: #e3b341 }
}
"""


def draw_rows(rows: Iterable[Sequence[Span]], columns: int, label: str) -> str:
    """Return the SVG of a terminal.

    Args:
        rows: its lines, each in parts.
        columns: how many characters it is wide.
        label: what the picture is called for whoever cannot see it.
    """
    drawn = [_row(number, spans) for number, spans in enumerate(rows, 1)]
    width, height = round(columns * CHARACTER + 2 * MARGIN), len(drawn) * LINE + 2 * MARGIN
    lines = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{html.escape(label)}"><style>{STYLE}</style>\n'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>\n{lines}\n</svg>\n'
    )


def _row(number: int, spans: Sequence[Span]) -> str:
    y = MARGIN + number * LINE - 5
    drawn = "".join(
        html.escape(text) if style is None else f'<tspan class="{style}">{html.escape(text)}</tspan>'
        for style, text in spans
    )
    return f'<text xml:space="preserve" x="{MARGIN}" y="{y}">{drawn}</text>'
