"""Foreign text, as it may be shown at a terminal: without anything that a terminal would obey. Pure."""

from __future__ import annotations

import re
from typing import Final

SEQUENCES: Final = re.compile(
    r"""
    (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]              # CSI: colours, moves of the cursor
    | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c)  # OSC and other strings
    | \x1b [ -/]* [0-~]                              # any other
    """,
    re.VERBOSE,
)
"""Control sequences of ECMA-48, 5.3 to 5.6."""

REPLACEMENT: Final = "\ufffd"
TAB_WIDTH: Final = 8


def plain(text: str) -> str:
    """One line of foreign text: no control sequences, each run of white space one space, what is left visible.

    What a terminal would obey or that would reorder the text (Unicode's categories C) becomes U+FFFD.
    """
    return _visible(" ".join(SEQUENCES.sub("", text).split()))


def plain_log_line(line: str) -> str:
    """A line of a log: as ``plain``, but with its white space, tabs as spaces.

    Of what a program wrote over by a carriage return, the last is kept, which is what one would have seen.
    """
    written = SEQUENCES.sub("", line).rstrip("\r\n").rpartition("\r")[2]
    return _visible(written.expandtabs(TAB_WIDTH))


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else REPLACEMENT for c in text)
