"""The commands that a page of the docs prints, as a person would copy them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from testbed.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping


def commands_of(page: str, words: Mapping[str, str]) -> list[str]:
    """Return every command of a page in ``docs``, in its order.

    Args:
        page: the file's name.
        words: what stands for words of the page where the test runs.
    """
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = re.findall(r"^ {4}(ack-release .+)$", text, flags=re.MULTILINE)
    if not found:
        raise ValueError(f"{page} prints no command")
    return [_replaced(command, words) for command in found]


def _replaced(command: str, words: Mapping[str, str]) -> str:
    for word, instead in words.items():
        command = command.replace(word, instead)
    return command
