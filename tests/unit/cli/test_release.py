from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.cli import release
from runner.cli.release import (
    plan,
    print_plan,
    print_refused_plan,
    run,
    say_planned,
    say_planned_quietly,
    say_released,
)
from runner.config.settings import Options
from runner.errors import UsageInvalid
from runner.report.console import Outlet, open_log
from runner.report.record import RecordDocument

if TYPE_CHECKING:
    import click


def called(monkeypatch: pytest.MonkeyPatch, command: click.Command, *arguments: str) -> dict[str, Any]:
    """Call a command; return what it hands to its session, and with what its work calls the pipeline."""
    seen: dict[str, Any] = {}

    def run_session(name: str, work: Any, **given: Any) -> int:
        seen.update(given, name=name)
        work("the session")
        return 7

    def pipeline(options: Options, session: object, *, only_plan: bool) -> None:
        seen.update(options=options, session=session, only_plan=only_plan)

    monkeypatch.setattr(release, "run_session", run_session)
    monkeypatch.setattr(release, "release", pipeline)
    assert command.main(list(arguments), standalone_mode=False) == 7
    return seen


def test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run supervises the whole pipeline, tells of it on stdout, and ends with the line that Deck highlights."""
    monkeypatch.setenv("ARTIFACTS", "given")
    seen = called(monkeypatch, run, "--registry", "h.example/n")
    assert (seen["name"], seen["only_plan"], seen["session"]) == ("run", False, "the session")
    assert seen["options"] == Options(registry="h.example/n")
    assert (seen["out"], seen["artifacts"], seen["conclude"]) == (sys.stdout, Path("given"), say_released)
    assert "show" not in seen


@pytest.mark.parametrize("as_json", [False, True], ids=["for people", "for programs"])
def test_plan(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Plan supervises the pipeline up to the plan; with --json stdout has the document alone, and stderr the log."""
    seen = called(monkeypatch, plan, "--artifacts", "asked", *(["--json"] if as_json else []))
    assert (seen["name"], seen["only_plan"], seen["conclude"]) == ("plan", True, say_planned)
    assert seen["artifacts"] == Path("asked")
    assert seen["out"] is (sys.stderr if as_json else sys.stdout)
    assert seen["show"] is (print_plan if as_json else None)


@pytest.mark.parametrize("quiet", [False, True])
def test_a_plan_ends_with_what_it_found(*, quiet: bool) -> None:
    """The last line of a plan that went well says what it found, with QUIET too."""
    out = io.StringIO()
    say = say_planned_quietly if quiet else say_planned
    say(RecordDocument(command="plan"), Outlet(out), open_log(Outlet(out), None, quiet=quiet))
    [line] = out.getvalue().splitlines()
    found = "planned, nothing was changed: 0 to publish, 0 to skip"
    assert line == found if quiet else line.endswith(f'event="plan done" summary="{found}"')


def test_a_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan is one JSON document, whose text is not escaped."""
    print_plan(RecordDocument(command="plan", warnings=("é",)))
    printed = capsys.readouterr().out
    assert json.loads(printed)["warnings"] == ["é"]
    assert "é" in printed


def test_a_refused_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """What keeps a plan from being made is in the same document, with the exit code."""
    print_refused_plan(UsageInvalid("no such option"))
    document = json.loads(capsys.readouterr().out)
    assert (document["exit"], document["error"]["cause"], document["entries"]) == (2, "no such option", [])
