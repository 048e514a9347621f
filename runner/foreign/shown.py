"""Text that others wrote, as it may stand in a log, a report or an error: bounded, and with nothing in it that acts."""

from __future__ import annotations

import json
import reprlib

VALUE_LIMIT = 300
"""Characters of a value that are shown of it in an error."""

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = 4
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


def spelled_out(text: str, *, kept: str = "") -> str:
    r"""Text in which every character that cannot be seen is spelt out as JSON does it: ``\n``, ``\u001b``.

    That takes controls, separators of lines, and characters that change the direction or the look of what follows
    (Unicode's categories C and Z, but for the space), and lone surrogates, which no encoding has.

    Args:
        text: what others wrote.
        kept: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else json.dumps(c)[1:-1] for c in text)


def short(value: object) -> str:
    """The representation of a value of any size and depth, cut to what a person reads of it."""
    shown = _SHORT.repr(value)
    return shown if len(shown) <= VALUE_LIMIT else f"{shown[: VALUE_LIMIT - 1]}…"


def clipped(text: str, limit: int) -> str:
    """Text of at most so many characters; how many are missing stands at its end."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"
