"""What came of a command, for people and for programs. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from shlex import join
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Did = Literal["done", "nothing", "declined", "dry-run"]
"""Whether something was changed: it was; there was nothing to do; the author said no; it would have been."""


@dataclass(frozen=True)
class NextStep:
    """What the author does now: in words, and the command where there is one."""

    words: str
    command: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """What a person reads."""
        return (f"Next: {self.words}:", "", f"    {join(self.command)}") if self.command else (f"Next: {self.words}.",)


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        did: whether something was changed.
        words: what was, would be or need not be done: a sentence without its full stop.
        version: of the release, without ``v``; None where there is none.
        services: whose release it is.
        ref: the full ref that is pushed; None where none is.
        commit: what that holds; None where it is not made.
        pull_request: the address of the open one; None without.
        next: what the author does now; None where that is nothing.
    """

    did: Did
    words: str
    version: str | None = None
    services: tuple[str, ...] = ()
    ref: str | None = None
    commit: str | None = None
    pull_request: str | None = None
    next: NextStep | None = None

    def document(self) -> Mapping[str, Any]:
        """What a program reads."""
        return asdict(self)


@dataclass(frozen=True)
class Output:
    """Where a command tells what it does.

    Attributes:
        show: prints a line of what was asked for, as it is.
        tell: says what is done at the moment.
        warn: says what needs attention.
    """

    show: Callable[[str], None]
    tell: Callable[[str], None]
    warn: Callable[[str], None]
