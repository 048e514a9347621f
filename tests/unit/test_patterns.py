from __future__ import annotations

import time
from itertools import product
from typing import TYPE_CHECKING

import pytest

from runner.builders.gomodule import string_variables
from runner.oci.addresses import next_link
from runner.oci.challenge import read_challenges
from runner.oci.problem import plain_text, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LENGTH = 16_000
SECONDS = 0.5
"""Of one processor, for one reading of LENGTH characters; what looks again and again for an end takes many."""

PIECES = (
    *(
        '"',
        "'",
        "`",
        "\\",
        '"\\',
        "/*",
        "//",
        "\n",
        " ",
        "\t",
        "<",
        ">",
        "<a",
        "<a>;",
        "<style>",
        "</",
        "{",
        "}",
        "(",
        ")",
    ),
    *(
        "[",
        "]",
        ",",
        ";",
        "=",
        "a",
        "a ",
        "a,",
        "a=",
        "a=b,",
        'a="',
        ":",
        "://",
        "://a",
        "@",
        ".",
        "-",
        "0",
        "0.",
        "1m",
    ),
    *(
        "var (\n",
        "var a, ",
        "use (\n",
        "go ",
        "module ",
        "Bearer ",
        "; rel=",
        'rel="next',
        "User: x ",
        "oid ",
        "- ",
        "* ",
    ),
)
AROUND = (("", ""), ("<a>", "!"), ("{", "}" * 1000))


def texts() -> Iterator[str]:
    """One piece again and again, with something before and after."""
    for piece, (before, after) in product(PIECES, AROUND):
        yield before + (piece * LENGTH)[: LENGTH - len(before) - len(after)] + after


READERS: dict[str, Callable[[str], object]] = {
    "variables of Go": string_variables,
    "challenges": lambda text: read_challenges([text]),
    "links": lambda text: next_link([text]),
    "pages": lambda text: plain_text(text.encode()),
    "errors": lambda text: sentence(text.encode()),
}


@pytest.mark.parametrize("reader", READERS)
def test_time_of_reading(reader: str) -> None:
    """What others wrote is read in a time that grows with its length, not with its square."""
    slow = {text[:40]: seconds for text in texts() if (seconds := time_of(READERS[reader], text)) > SECONDS}
    assert slow == {}


def time_of(read: Callable[[str], object], text: str) -> float:
    """Seconds of this processor; what took too long is read again, since others may use the processor's caches."""
    least = float("inf")
    for _ in range(4):
        began = time.process_time()
        read(text)
        least = min(least, time.process_time() - began)
        if least <= SECONDS:
            break
    return least
