"""The blocks of code in README.md and docs/*.md, the commands in them, and a shell that runs them as printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.paths import ROOT
from testbed.release_harness import go_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n(?:\n+(?= {4}))?)+")
_FENCED = re.compile(r"^( *)(```+|~~~+)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its page, the number of its first line, and its text without the indentation."""

    page: str
    line: int
    text: str

    @property
    def first(self) -> str:
        """Its first line, which names it in tables: without the comment and what stands before it."""
        return without_comment(self.text.splitlines()[0])

    @property
    def commands(self) -> tuple[str, ...]:
        """Its lines, continued ones joined, without comments."""
        joined = re.sub(r" *\\\n *", " ", self.text)
        lines = (without_comment(line) for line in joined.splitlines())
        return tuple(line for line in lines if line)


def without_comment(line: str) -> str:
    """Return a shell's line without the comment at its end; a # in quotes is none that these pages have."""
    return re.sub(r"(?:^|\s+)#\s.*$", "", line).rstrip()


def blocks_in(text: str, page: str) -> Iterator[Block]:
    """Every block of code in a page's text, indented by four or more or between fences."""
    fenced = list(_FENCED.finditer(text))
    inside = [(one.start(), one.end()) for one in fenced]
    for one in fenced:
        yield Block(page, text.count("\n", 0, one.start()) + 2, textwrap.dedent(one[3]).rstrip())
    for one in _INDENTED.finditer(text):
        if not any(start <= one.start() < end for start, end in inside):
            yield Block(page, text.count("\n", 0, one.start()) + 1, textwrap.dedent(one[0]).rstrip())


def blocks_of(page: str) -> tuple[Block, ...]:
    """Every block of a page of this project, from top to bottom."""
    return tuple(sorted(blocks_in((ROOT / page).read_text("utf-8"), page), key=lambda block: block.line))


def make_clone(folder: Path, config: Path) -> Path:
    """Make what a clone of this project has for who uses it: ``config``, ``.venv``, ``.tools`` and Makefile.

    Args:
        folder: where; it is left alone where it is there.
        config: the jobs.yaml that becomes the clone's.
    """
    if not folder.exists():
        (folder / "config").mkdir(parents=True)
        shutil.copy(config, folder / "config" / "jobs.yaml")
        for name in (".venv", ".tools", "Makefile"):
            (folder / name).symlink_to(ROOT / name)
    return folder


def shell(
    script: str, *, cwd: Path, clone: Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run commands as somebody does who has Go and whose clone of this project is ``$CLONE``; nothing else is set."""
    environment = {
        **go_environment(),
        "CLONE": str(clone),
        "CONFIG": str(clone / "config" / "jobs.yaml"),
        "HOME": str(clone.parent),
        "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8"),
        **(more or {}),
    }
    return subprocess.run(
        ["bash", "-uc", script],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def commands_of(page: str, words: Mapping[str, str]) -> list[str]:
    """Return every command of this program that a page in ``docs`` prints, in its order.

    Args:
        page: the file's name.
        words: what stands for words of the page where the test runs.
    """
    commands = [command for block in blocks_of(f"docs/{page}") for command in block.commands]
    found = [command for command in commands if command.startswith("ack-release ")]
    if not found:
        raise ValueError(f"{page} prints no command")
    for word, instead in words.items():
        found = [command.replace(word, instead) for command in found]
    return found
