from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from runner.cli import inspecting as module
from runner.cli.inspecting import Inspection, inspecting, print_refused, report
from runner.errors import CredentialsRefused, RunEnded, UsageInvalid
from runner.terminal.screen import ReaderGone, Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call a command that does this; its exit code is the result's return value. Signals are nobody's here."""

    def supervise(work: Callable[[], int], _: object, __: object) -> int:
        return work()

    monkeypatch.setattr(module, "supervise", supervise)

    def called(work: Callable[[Inspection], int | None], *arguments: str) -> Result:
        command = click.command()(inspecting(work))
        return CliRunner().invoke(command, list(arguments), standalone_mode=False, catch_exceptions=False)

    return called


def test_what_is_done(call: Callable[..., Result]) -> None:
    """What comes to its end is exit 0, or what it returns."""
    assert call(lambda _: None).return_value == 0
    assert call(lambda _: 5).return_value == 5


def test_what_is_refused(call: Callable[..., Result]) -> None:
    """An error is one line on stderr and its exit code; a program reads it, too, unless it has its document."""

    def refuse(_: Inspection) -> None:
        raise CredentialsRefused("nobody may", detail=("x\x1b[2J",))

    plain = call(refuse)
    assert (plain.return_value, plain.stdout) == (8, "")
    assert plain.stderr.splitlines()[0].startswith("  | x")
    assert plain.stderr.splitlines()[-1].startswith("ERROR: nobody may. ")
    assert plain.stderr.endswith("exit=8 code=credentials-refused\n")
    document = json.loads(call(refuse, "--json").stdout)
    assert document["error"]["exit"] == 8
    assert set(document["error"]) == {"code", "cause", "remedy", "exit", "detail"}

    def refuse_late(inspection: Inspection) -> None:
        inspection.screen.json([1])
        refuse(inspection)

    assert json.loads(call(refuse_late, "--json").stdout) == [1]


def test_a_bug(call: Callable[..., Result]) -> None:
    """What is no refusal is a bug: exit 1, with where it happened."""

    def fail(_: Inspection) -> None:
        raise KeyError("colour")

    result = call(fail)
    assert result.return_value == 1
    assert "test_inspecting.py" in result.stderr
    assert "ERROR: KeyError('colour'). This is a bug in ack-release" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(("raised", "code"), [(ReaderGone(), 0), (RunEnded("it was ended"), 9)])
def test_what_ends_it(call: Callable[..., Result], raised: Exception, code: int) -> None:
    """Nobody who reads on is no failure, and what was ended from outside is told by whoever ended it."""

    def end(_: Inspection) -> None:
        raise raised

    result = call(end)
    assert (result.return_value, result.stdout, result.stderr) == (code, "", "")


def test_the_options(call: Callable[..., Result]) -> None:
    """The common options say how it prints."""
    seen: list[Screen] = []

    def look(inspection: Inspection) -> None:
        seen.append(inspection.screen)
        inspection.log.debug("request", host="a.example")

    assert "event=request host=a.example" in call(look, "--color", "always", "-v").stderr
    assert call(look, "--json", "-q").stderr == ""
    assert [screen.has_colour for screen in seen] == [True, False]
    assert [(screen.as_json, screen.quiet) for screen in seen] == [(False, False), (True, True)]


def test_its_folder(call: Callable[..., Result]) -> None:
    """A tool that needs a session has one whose folder is gone afterwards."""
    seen: list[Any] = []

    def look(inspection: Inspection) -> None:
        seen.append(inspection.session)
        assert inspection.session is seen[0]
        assert seen[0].folder.is_dir()

    call(look)
    assert not seen[0].folder.exists()


def test_a_mistake_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with the command line is a document for who asked for one."""
    print_refused(UsageInvalid("no such option"))
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage-invalid"


def test_a_report() -> None:
    """An error is reported even where nobody reads stdout."""
    out, err = io.StringIO(), io.StringIO()
    out.close()
    assert report(UsageInvalid("no such option"), Screen(out, err, {}, as_json=True)) == 2
    assert "ERROR: no such option." in err.getvalue()
