"""What an examination finds, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runner.errors import SEVERITY, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.errors import ReleaseError

State = Literal["good", "note", "warning", "bad"]
"""Fit; worth knowing; a release may do without; a release fails."""


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        about: the thing.
        state: whether it is fit.
        found: what was found, in words.
        remedy: what to do; empty where there is nothing to do.
        exit: the exit code that a release would end with for it; 0 where it would not.
    """

    about: str
    state: State
    found: str
    remedy: str = ""
    exit: ExitCode = ExitCode.DONE


def failure(about: str, error: ReleaseError, *, state: State = "bad") -> Finding:
    """What an error says of a thing; one that is only a warning has no exit code."""
    return Finding(about, state, error.cause, error.remedy, error.exit_code if state == "bad" else ExitCode.DONE)


def exit_code(findings: Iterable[Finding]) -> int:
    """The worst of the exit codes that a release would end with; 0 where none would."""
    codes = {finding.exit for finding in findings} - {ExitCode.DONE}
    return int(next((code for code in SEVERITY if code in codes), ExitCode.DONE))
