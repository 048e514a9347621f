from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from runner.cli import completion
from runner.cli.completion import beginning, releases, services, soon
from runner.errors import RegistryFailed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PARAMETER = click.Argument(["service"])


def context(config: Path | None) -> click.Context:
    made = click.Context(click.Command("verify"))
    made.params["config"] = config
    return made


def test_services(tmp_path: Path) -> None:
    """The services of the jobs.yaml that the command line names are offered, those that begin as typed."""
    jobs = tmp_path / "jobs.yaml"
    jobs.write_text("registry: registry.example/ack\nservices: {sns: , s3: , ecr: }\n", encoding="utf-8")
    assert services(context(jobs), PARAMETER, "") == ["ecr", "s3", "sns"]
    assert services(context(jobs), PARAMETER, "s") == ["s3", "sns"]


def test_no_configuration(tmp_path: Path) -> None:
    """A jobs.yaml that is wrong or not there offers nothing, and says nothing."""
    assert services(context(tmp_path / "none.yaml"), PARAMETER, "") == []
    wrong = tmp_path / "jobs.yaml"
    wrong.write_text("servces: {}\n", encoding="utf-8")
    assert services(context(wrong), PARAMETER, "") == []


def test_release_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags of releases are offered, the newest version first; other tags are not."""
    monkeypatch.setattr(completion, "_tags", lambda: ["v1.2.3", "v1.10.0", "v2", "vnext", "v1.2.3-rc1"])
    assert releases(context(None), PARAMETER, "v1") == ["v1.10.0", "v1.2.3"]


def test_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than that, and a failure offers nothing."""
    monkeypatch.setattr(completion, "SECONDS", 0.01)
    never = threading.Event()

    def find() -> list[str]:
        never.wait(60)
        return ["late"]

    assert soon(find) == []
    never.set()

    def fail() -> list[str]:
        raise RegistryFailed("away")

    assert soon(fail) == []


def test_what_is_found() -> None:
    """What is found in time is offered in its order."""
    assert beginning("b", soon(lambda: ["b2", "a", "b1"])) == ["b2", "b1"]
