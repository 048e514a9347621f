"""How a run looks to whoever reads it: the options for that, and what follows from them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from runner.config.settings import is_quiet
from runner.report.console import ATTENTION, EVERY_LEVEL
from runner.terminal.colour import COLOUR_CHOICES, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.report.console import Outlet
    from runner.terminal.colour import ColourChoice


@dataclass(frozen=True)
class Appearance:
    """What is shown of a run, and how; ``quiet`` and ``verbose`` as on the command line."""

    colour: ColourChoice = "auto"
    quiet: bool = False
    verbose: bool = False

    @property
    def levels(self) -> frozenset[str] | None:
        """The levels of the log that are shown; None leaves it to QUIET."""
        if self.verbose:
            return EVERY_LEVEL
        return ATTENTION if self.quiet else None

    def is_quiet(self, environment: Mapping[str, str]) -> bool:
        """Whether only what needs attention is shown, and the end."""
        return not self.verbose and (self.quiet or is_quiet(environment))

    def outlet(self, stream: TextIO, environment: Mapping[str, str]) -> TextIO | Outlet:
        """What shows the run: its steps as they go at a terminal, lines for programs and Prow's page anywhere else."""
        if not is_terminal(stream) or environment.get("TERM") == "dumb":
            return stream
        from runner.report.at_terminal import TerminalOutlet

        return TerminalOutlet(stream, environment, colour=self.colour, quiet=self.is_quiet(environment))


def with_appearance(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options to a command, which is handed them as ``appearance``."""

    @click.option("--color", type=click.Choice(COLOUR_CHOICES), default="auto", help="[default: auto]")
    @click.option("-q", "--quiet", is_flag=True, help="Show warnings, errors and the last line only, as QUIET=true.")
    @click.option("-v", "--verbose", is_flag=True, help="Show every request to registries, too.")
    @functools.wraps(command)
    def called(*, color: ColourChoice, quiet: bool, verbose: bool, **given: Any) -> int:  # noqa: ANN401 - click's
        return command(appearance=Appearance(color, quiet, verbose), **given)

    return called
