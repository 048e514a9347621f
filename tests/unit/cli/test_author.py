"""The command line of ``prepare`` and ``tag``: what it hands on, and how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from runner.author.outcome import NextStep, Outcome
from runner.cli import author, inspecting
from runner.errors import BranchTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from runner.author.outcome import Output
    from runner.session import Session

DONE = Outcome("done", "pushed", version="1.3.0", next=NextStep("tag it", ("ack-release", "tag", "v1.3.0")))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, list[Any]]]:
    """Call a command with this outcome; return its result and what was asked for. Signals are nobody's here."""

    def call(outcome: Outcome | Exception | str | None, command: str, *arguments: str) -> tuple[Result, list[Any]]:
        asked: list[Any] = []

        def work(wanted: Any, session: Session, output: Output) -> Outcome | None:
            asked.append(wanted)
            output.show("a  line")
            output.tell("a note")
            output.warn("a warning")
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, str):
                session.record.fail(BranchTaken(outcome), "s3")
                return None
            return outcome

        for name in ("prepare_release", "move_stable", "tag_release"):
            monkeypatch.setattr(author, name, work)
        monkeypatch.setattr(inspecting, "supervise", lambda work, *_: work())
        monkeypatch.setattr(sys, "argv", ["ack-release", command, *arguments])
        result = CliRunner().invoke(
            getattr(author, command), list(arguments), standalone_mode=False, catch_exceptions=False
        )
        return result, asked

    return call


def test_prepare(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """All words but the last are services; every option is handed on; what came of it and what is next are printed."""
    options = (
        "--push-remote",
        "fork",
        "--no-push",
        "--no-pull-request",
        "--remote",
        "up",
        "--base",
        "b",
        "--repo",
        "o/n",
    )
    result, [wanted] = called(DONE, "prepare", "s3", "sns", "v1.3.0", "-v", "--config", "jobs.yaml", *options)
    assert (wanted.services, wanted.version, wanted.whole_diff) == (("s3", "sns"), "v1.3.0", True)
    assert (wanted.push_remote, wanted.push, wanted.propose, wanted.dry_run) == ("fork", False, False, False)
    assert (wanted.where.remote, wanted.where.base, wanted.where.repository) == ("up", "b", "o/n")
    assert (wanted.planning.config, wanted.planning.offline) == (Path("jobs.yaml").absolute(), False)
    assert result.return_value == 0
    assert result.stdout.splitlines() == ["a  line", "Done: pushed.", "Next: tag it:", "", "    ack-release tag v1.3.0"]
    assert result.stderr.splitlines() == ["a note", "! a warning"]


def test_dry_run(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """A dry run knows the command that would do it."""
    _, [wanted] = called(DONE, "prepare", "s3", "v1.3.0", "--dry-run", "--offline")
    assert (wanted.dry_run, wanted.planning.offline) == (True, True)
    assert wanted.arguments == ("prepare", "s3", "v1.3.0", "--offline")


def test_stable(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """With --stable it is the branch that moves, and options of a release branch do not fit."""
    result, [wanted] = called(DONE, "prepare", "--stable", "s3", "v1.3.0")
    assert (type(wanted).__name__, wanted.services, wanted.version) == ("StableMove", ("s3",), "v1.3.0")
    assert result.return_value == 0
    for option in (["--no-push"], ["--no-pull-request"], ["--push-remote", "fork"]):
        result, asked = called(DONE, "prepare", "--stable", "s3", "v1.3.0", *option)
        assert (result.return_value, asked) == (2, [])
        assert f"--stable and {option[0]} exclude each other" in result.stderr


def test_tag(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """A version or --from-chart is tagged, at HEAD or at the commit that is named."""
    result, [wanted] = called(DONE, "tag", "v1.3.0", "--yes")
    assert (wanted.version, wanted.commit, wanted.confirm) == ("v1.3.0", "HEAD", None)
    assert (result.return_value, "Done: pushed." in result.stdout) == (0, True)
    _, [wanted] = called(DONE, "tag", "--from-chart", "--yes", "--commit", "main")
    assert (wanted.version, wanted.commit) == (None, "main")


@pytest.mark.parametrize("arguments", [["--yes"], ["v1.3.0", "--from-chart", "--yes"], ["v1.3.0"]])
def test_refused_tag(called: Callable[..., tuple[Result, list[Any]]], arguments: list[str]) -> None:
    """Neither both nor none may be given, and without a terminal nobody can be asked."""
    result, asked = called(DONE, "tag", *arguments)
    assert (result.return_value, asked) == (2, [])


def test_json(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """A program reads the outcome, and nothing else."""
    result, _ = called(DONE, "tag", "v1.3.0", "--yes", "--json")
    assert json.loads(result.stdout) == json.loads(json.dumps(DONE.document()))


@pytest.mark.parametrize("did", ["done", "nothing", "declined", "dry-run"])
def test_endings(called: Callable[..., tuple[Result, list[Any]]], did: Any) -> None:
    """Each ending is exit 0 and a sentence of its own."""
    result, _ = called(Outcome(did, "words"), "tag", "v1.3.0", "--yes")
    assert result.return_value == 0
    assert result.stdout.splitlines()[-1] == f"{author.BEGINNINGS[did]}: words."


def test_what_the_plan_refuses(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """What was recorded against the release ends the command as it would end its job, for programs, too."""
    result, _ = called("taken", "prepare", "s3", "v1.3.0")
    assert result.return_value == 5
    assert result.stderr.splitlines()[-1].startswith("ERROR: taken. ")
    result, _ = called("taken", "prepare", "s3", "v1.3.0", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "branch-taken"


def test_what_is_refused(called: Callable[..., tuple[Result, list[Any]]]) -> None:
    """An error ends it with its exit code."""
    result, _ = called(BranchTaken("taken"), "prepare", "s3", "v1.3.0")
    assert (result.return_value, "ERROR: taken. " in result.stderr) == (5, True)
