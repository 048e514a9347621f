"""Where a run can be made to stand still: at a program that it calls, at a request, at a file that it reads."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from testbed.programs import find_program
from testbed.release_harness import ReleaseHarness, go_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from testbed.faults.rules import Held

FINISH_SECONDS = 10
WRAPPER = """#!/bin/sh
{ignoring}case " $* " in
  *" {words} "*)
    echo >> {folder}/{program}.calls
    if [ "$(wc -l < {folder}/{program}.calls)" -ge {nth} ]; then
      sleep 300 &
      : > {folder}/{program}.reached
      wait
    fi
    ;;
esac
exec {real} "$@"
"""


class Halt(Protocol):
    """What makes a run stand still once."""

    def options(self) -> Sequence[str | Path]:
        """What the command line needs for it."""

    def environment(self) -> Mapping[str, str]:
        """What the environment needs for it."""

    def is_reached(self) -> bool:
        """Whether the run stands still."""

    def let_go(self, *, carried_out: bool) -> None:
        """Called after the end: what was held is carried out after all, or never."""


class Breakpoint(Protocol):
    """Where a run can be made to stand still."""

    def halt(self, harness: ReleaseHarness, folder: Path) -> Halt:
        """Prepare it for one run; ``folder`` is empty."""


@dataclass(frozen=True)
class Child:
    """A program that waits, with a grandchild, when it is called with these words for the nth time.

    ``deaf`` lets both ignore what asks them to end.
    """

    program: str
    words: str
    nth: int = 1
    deaf: bool = False

    def halt(self, harness: ReleaseHarness, folder: Path) -> Halt:
        """Put a wrapper before the program on the run's PATH."""
        for program in ("git", "go", "helm"):
            real = find_program("helm4" if program == "helm" else program)
            file = folder / program
            if program != self.program:
                file.symlink_to(real)
                continue
            ignoring = "trap '' TERM INT\n" if self.deaf else ""
            text = WRAPPER.format(
                words=self.words, folder=folder, program=program, nth=self.nth, real=real, ignoring=ignoring
            )
            file.write_text(text)
            file.chmod(0o755)
        config = folder / "jobs.yaml"
        config.write_text(harness.config.read_text().replace(f"helm: {find_program('helm4')}", "helm: helm"))
        return _Waiting(folder, self.program)


@dataclass(frozen=True)
class _Waiting:
    folder: Path
    program: str

    def options(self) -> Sequence[str | Path]:
        return ("--config", self.folder / "jobs.yaml")

    def environment(self) -> Mapping[str, str]:
        return {"PATH": f"{self.folder}:{go_environment()['PATH']}"}

    def is_reached(self) -> bool:
        return (self.folder / f"{self.program}.reached").exists()

    def let_go(self, *, carried_out: bool) -> None:
        pass


@dataclass(frozen=True)
class Asked:
    """A request that is held back: the first of its kind, or the one that comes ``skip`` requests after ``after``.

    ``half`` holds it in the middle of its answer.
    """

    method: str
    path: str
    after: tuple[str, str] | None = None
    skip: int = 0
    half: bool = False

    def halt(self, harness: ReleaseHarness, folder: Path) -> Halt:  # noqa: ARG002 - nothing is written
        """Have the proxy before the registry hold it."""
        held = _HeldRequest(self)
        if self.after is None:
            held.arm(harness)
        else:
            harness.proxy.intervene(lambda: held.arm(harness), method=self.after[0], path=self.after[1])
        return held


class _HeldRequest:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._held: list[Held] = []

    def arm(self, harness: ReleaseHarness) -> None:
        asked = self._asked
        self._held.append(harness.proxy.hold(method=asked.method, path=asked.path, skip=asked.skip, half=asked.half))

    def options(self) -> Sequence[str | Path]:
        return ()

    def environment(self) -> Mapping[str, str]:
        return {}

    def is_reached(self) -> bool:
        return any(held.reached.is_set() for held in self._held)

    def let_go(self, *, carried_out: bool) -> None:
        for held in self._held:
            held.let_go(forward=carried_out)
            if held.reached.is_set() and not held.finished.wait(FINISH_SECONDS):
                raise TimeoutError(f"{self._asked} was let go, and is not finished")


@dataclass(frozen=True)
class SlowFile:
    """A jobs.yaml whose content does not come: a named pipe into which nobody writes."""

    def halt(self, harness: ReleaseHarness, folder: Path) -> Halt:  # noqa: ARG002 - the pipe is all
        """Make the pipe."""
        os.mkfifo(folder / "slow.yaml")
        return _Pipe(folder / "slow.yaml")


class _Pipe:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: int | None = None

    def options(self) -> Sequence[str | Path]:
        return ("--config", self._path)

    def environment(self) -> Mapping[str, str]:
        return {}

    def is_reached(self) -> bool:
        try:
            self._writer = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return False  # nobody reads yet
        return True

    def let_go(self, *, carried_out: bool) -> None:  # noqa: ARG002 - nothing is carried out
        if self._writer is not None:
            os.close(self._writer)
