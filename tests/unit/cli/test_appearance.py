from __future__ import annotations

import io

import click
import pytest
from click.testing import CliRunner

from runner.cli.appearance import Appearance, with_appearance
from runner.report.at_terminal import TerminalOutlet
from runner.report.console import ATTENTION, EVERY_LEVEL

XTERM = {"TERM": "xterm"}


class Terminal(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(
    ("appearance", "levels"),
    [
        (Appearance(), None),
        (Appearance(quiet=True), ATTENTION),
        (Appearance(verbose=True), EVERY_LEVEL),
        (Appearance(quiet=True, verbose=True), EVERY_LEVEL),
    ],
)
def test_levels(appearance: Appearance, levels: frozenset[str] | None) -> None:
    """Quiet leaves what needs attention, verbose shows all; without either, QUIET decides."""
    assert appearance.levels == levels


def test_where_there_is_a_terminal() -> None:
    """Only a terminal that can move its cursor gets more than lines: whatever reads a pipe gets what it always got."""
    assert isinstance(Appearance().outlet(Terminal(), XTERM), TerminalOutlet)
    for stream, environment in ((io.StringIO(), XTERM), (Terminal(), {"TERM": "dumb"})):
        assert Appearance(colour="always").outlet(stream, environment) is stream


def test_quiet() -> None:
    """The option is as QUIET=true, and verbose wins over both."""
    assert not Appearance().is_quiet({})
    assert Appearance().is_quiet({"QUIET": "true"})
    assert Appearance(quiet=True).is_quiet({})
    assert not Appearance(quiet=True, verbose=True).is_quiet({"QUIET": "true"})


@pytest.mark.parametrize(
    ("arguments", "appearance"),
    [
        ([], Appearance()),
        (["-q"], Appearance(quiet=True)),
        (["--verbose", "--color", "never"], Appearance("never", verbose=True)),
    ],
)
def test_options(arguments: list[str], appearance: Appearance) -> None:
    """The options of a command arrive as one value."""
    found = []

    @click.command()
    @with_appearance
    def command(*, appearance: Appearance) -> int:
        found.append(appearance)
        return 0

    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert found == [appearance]
