from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click
import pytest
from click.testing import CliRunner

from runner.cli import main
from runner.cli.main import COMMANDS, cli, load, start

if TYPE_CHECKING:
    from collections.abc import Callable


class Left(BaseException):
    """The process was left, with this exit code."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Start the program with these arguments, and return the exit code with which it leaves."""

    def leave(code: int) -> NoReturn:
        raise Left(code)

    def begin(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ack-release", *arguments])
        with pytest.raises(Left) as left:
            start()
        code: int = left.value.args[0]
        return code

    monkeypatch.setattr(main, "leave", leave)
    return begin


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table(name: str) -> None:
    """Each command is in its module under its own name, and its help begins with the sentence of the table."""
    command = load(name)
    assert command.name == name
    assert inspect.cleandoc(command.help or "").splitlines()[0] == COMMANDS[name].help


def test_the_order() -> None:
    """The table is in the order of the help."""
    assert list(COMMANDS) == sorted(COMMANDS)


def test_help_lists_the_commands() -> None:
    """Help shows each command with the beginning of its sentence."""
    lines = CliRunner().invoke(cli, ["--help"]).stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    for line, entry in zip(lines, COMMANDS.values(), strict=True):
        assert entry.help.startswith(line.split(maxsplit=1)[1].removesuffix("..."))


def test_help_loads_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lists the commands loads none of them, nor does a command that is not there; a call loads that one."""
    loaded: list[str] = []

    def remember(name: str) -> click.Command:
        loaded.append(name)
        return load(name)

    monkeypatch.setattr(main, "load", remember)
    for arguments in (["--help"], ["--version"], [], ["publish"]):
        CliRunner().invoke(cli, arguments)
    assert loaded == []
    CliRunner().invoke(cli, ["schema", "--help"])
    assert loaded == ["schema"]


def test_an_entry_that_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of the table that names something else is a bug, reported with the name."""
    monkeypatch.setitem(main.COMMANDS, "EXAMPLES", COMMANDS["schema"])
    with pytest.raises(TypeError, match=r"runner\.cli\.schema\.EXAMPLES is no command"):
        load("EXAMPLES")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no command was given. ack-release --help"),
        (("publish",), "No such command 'publish'. ack-release --help"),
        (("schemas",), "schema"),
        (("run", "--registri", "h.example/n"), "--registri"),
        (("prowjobs",), "no command was given. ack-release prowjobs --help"),
    ],
    ids=["none", "unknown", "misspelt", "option", "none of a group"],
)
def test_a_mistake(
    started: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    """A mistake on the command line is exit 2 and one line on stderr, with what is wrong and where help is."""
    assert started(*arguments) == 2
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert (line.startswith("ERROR: "), printed.out) == (True, "")
    assert says in line
    assert line.endswith("--help shows what it takes. exit=2 code=usage-invalid")


def test_a_mistake_in_a_plan_for_programs(started: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks for a plan as JSON gets the mistake as JSON, too."""
    assert started("plan", "--json", "--registri", "x") == 2
    assert '"code": "usage-invalid"' in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help"), ("schema",)])
def test_what_is_printed_is_a_success(
    started: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Help, version and a product on stdout are exit 0."""
    assert started(*arguments) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert printed.err == ""


@pytest.mark.parametrize("code", [0, 5, 9])
def test_the_exit_code_is_the_commands(started: Callable[..., int], monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The process leaves with what the command returns."""

    @click.command()
    def audit() -> int:
        return code

    monkeypatch.setattr(main, "load", lambda _: audit)
    assert started("schema") == code


def test_an_interrupted_prompt_is_an_end(started: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is interrupted where it asks is exit 9, never the 130 that Prow reads as an abort."""

    @click.command()
    def asking() -> Any:
        raise click.Abort

    monkeypatch.setattr(main, "load", lambda _: asking)
    assert started("schema") == 9
