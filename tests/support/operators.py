"""Somebody who gives commands about jobs: the program, as a process of its own, with this person's kubeconfig."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAM = Path(sys.executable).with_name("ack-release")
SECONDS = 120


@dataclass
class Person:
    """Whoever has a kubeconfig.

    Attributes:
        kubeconfig: theirs.
        folder: where they work.
        environment: what else they have set.
        given: the commands that they have given, as they stand in the documentation.
    """

    kubeconfig: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)

    def run(self, command: str, *, code: int = 0, **words: str) -> subprocess.CompletedProcess[str]:
        """Give a command of the documentation, whose words in capitals stand for these; it has to exit so."""
        done = subprocess.run(
            self._argv(command, words),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            env=self._environment(),
            cwd=self.folder,
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    @contextlib.contextmanager
    def started(self, command: str, **words: str) -> Iterator[subprocess.Popen[str]]:
        """Give a command that goes on; it is killed at the end of the block if it still does."""
        with subprocess.Popen(
            self._argv(command, words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
            cwd=self.folder,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def at_terminal(self, command: str, *, columns: int, **words: str) -> str:
        """Give a command at a terminal of this width, and return what is seen there; it has to exit with 0."""
        here, there = os.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {**self._environment(), "TERM": "xterm-256color"}
        with subprocess.Popen(
            self._argv(command, words), stdin=there, stdout=there, stderr=there, env=environment, cwd=self.folder
        ) as process:
            os.close(there)
            seen = b""
            # A terminal whose last program has ended is an error to read on Linux.
            with contextlib.suppress(OSError):
                while chunk := os.read(here, 65536):
                    seen += chunk
            os.close(here)
        assert process.returncode == 0, seen
        return seen.decode().replace("\r\n", "\n")

    def _argv(self, command: str, words: Mapping[str, str]) -> list[str]:
        self.given.add(command)
        program, *arguments = command.replace("'", "").split()
        assert program == "ack-release"
        return [
            str(PROGRAM),
            *(re.sub(r"[A-Z]{3,}", lambda word: words.get(word[0], word[0]), one) for one in arguments),
        ]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LC_ALL", "TZ"}}
        return {**kept, "KUBECONFIG": str(self.kubeconfig), **self.environment}


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read what a command prints up to the line that holds this, and return that line; its end before is a failure."""
    assert process.stdout is not None
    read: list[str] = []
    for line in process.stdout:
        read.append(line)
        if text in line:
            return line
    assert process.stderr is not None
    raise AssertionError(f"no line with {text!r}: {''.join(read)}{process.stderr.read()}")


def documented_commands(page: str) -> set[str]:
    """The commands of this program that a page of the documentation shows, each on a line of its own."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.startswith("    ack-release ")}
