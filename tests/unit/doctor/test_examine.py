from __future__ import annotations

import io
from typing import TYPE_CHECKING, NoReturn

from runner.config.settings import Options
from runner.doctor.examine import examine
from runner.report.console import Outlet, open_log
from runner.report.record import Record
from runner.runtime.lifetime import Lifetime
from runner.session import Session

if TYPE_CHECKING:
    from pathlib import Path


def no_program(*_: object, **__: object) -> NoReturn:
    raise FileNotFoundError(2, "No such file or directory")


def session(folder: Path) -> Session:
    log = open_log(Outlet(io.StringIO()), None)
    return Session({}, Lifetime(), no_program, Record(lambda _: None), log, folder, None)


def test_a_configuration_that_is_wrong(tmp_path: Path) -> None:
    """What does not depend on jobs.yaml is examined although it is wrong, and its line is named."""
    jobs = tmp_path / "jobs.yaml"
    jobs.write_text("registry: registry.example/ack\nservces: {}\n", encoding="utf-8")
    groups = dict(examine(session(tmp_path), Options(config=jobs)))
    assert [*groups] == ["configuration", "machine"]
    [wrong] = groups["configuration"]
    assert (wrong.state, wrong.exit) == ("bad", 2)
    assert f"{jobs}:2" in wrong.found


def test_order(tmp_path: Path) -> None:
    """Subjects come one after the other, so that what is quick is shown before what waits for a registry."""
    jobs = tmp_path / "jobs.yaml"
    jobs.write_text("registry: registry.example/ack\nservices: {s3: , sns: }\n", encoding="utf-8")
    going = examine(session(tmp_path), Options(config=jobs))
    subject, [found] = next(going)
    assert (subject, found.found) == ("configuration", f"{jobs}: 2 services")
    assert [next(going)[0], next(going)[0]] == ["tools", "machine"]
