from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from runner.cli.options import options_of
from runner.config.settings import OPTIONS, Options

GIVEN: dict[str, tuple[list[str], Any]] = {
    "config": (["--config", "x.yaml"], Path("x.yaml")),
    "workspace": (["--workspace", "w"], Path("w")),
    "registry": (["--registry", "h.example/n"], "h.example/n"),
    "artifacts": (["--artifacts", "a"], Path("a")),
    "builder": (["--builder", "go"], "go"),
    "base_image": (["--base-image", "oci:base"], "oci:base"),
    "to_layout": (["--to-layout", "l"], Path("l")),
    "services": (["--service", "s3", "--service", "sns"], ("s3", "sns")),
    "adopt_existing": (["--adopt-existing"], True),
    "as_tag": (["--as-tag", "from-chart"], "from-chart"),
    "as_json": (["--json"], True),
}
"""How each option is given, and what its field of ``Options`` is then."""


def parsed(command: str, *arguments: str) -> Options:
    """Parse the arguments of a command that has its options."""

    @click.command()
    @options_of(command)
    def one(**given: Any) -> int:
        parsed_to.append(Options(**given))
        return 0

    parsed_to: list[Options] = []
    one.main(list(arguments), standalone_mode=False)
    return parsed_to[0]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_nothing_given(command: str) -> None:
    """What the command line does not give is as in an Options that is given nothing."""
    assert parsed(command) == Options()


@pytest.mark.parametrize("name", OPTIONS)
def test_one_given(name: str) -> None:
    """Each option that is declared arrives in its field, with the type of that field, and nothing else does."""
    arguments, value = GIVEN[name]
    assert parsed("plan", *arguments) == Options(**{name: value})


@pytest.mark.parametrize("name", OPTIONS)
def test_which_commands_have_it(name: str) -> None:
    """A command that an option is not declared for refuses it."""
    arguments, value = GIVEN[name]
    if "run" in OPTIONS[name].commands:
        assert parsed("run", *arguments) == Options(**{name: value})
    else:
        with pytest.raises(click.NoSuchOption):
            parsed("run", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [["--builder", "make"], ["--config", "/"], ["--artifacts", __file__], ["--json", "yes"]],
    ids=["choice", "folder for a file", "file for a folder", "flag with a value"],
)
def test_what_an_option_does_not_take(arguments: list[str]) -> None:
    """A value that cannot be meant is a mistake on the command line, before anything is read."""
    with pytest.raises(click.UsageError):
        parsed("plan", *arguments)
