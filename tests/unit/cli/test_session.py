"""The end of a session: what is said last, and in which order; whole sessions are in tests/integration."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from runner.cli.release import say_planned, say_released
from runner.cli.session import Finish, Reports, say_done
from runner.errors import BuildFailed, CredentialsRefused
from runner.report.console import Outlet, open_log
from runner.report.record import Record, RecordDocument

if TYPE_CHECKING:
    from pathlib import Path

    from runner.cli.session import Conclude
    from runner.report.console import Log


def ended(record: Record, *, conclude: Conclude = say_done, quiet: bool = False) -> tuple[int, list[str]]:
    """End a session of this record; return its exit code, and the lines that people read."""
    out = io.StringIO()
    outlet = Outlet(out)
    log = open_log(outlet, None, quiet=quiet)
    code = Finish(record, log, outlet, None, patience=1.0, conclude=conclude, show=None)()
    log.warning("too late")
    return code, out.getvalue().splitlines()


def new_record(**fields: object) -> Record:
    """A record that nobody keeps."""
    record = Record(lambda _: None)
    record.update(**fields)
    return record


def test_what_was_said_is_the_exit_code_while_a_report_hangs(tmp_path: Path) -> None:
    """Once the last line is said, its exit code is known, even if a report never comes to its end."""
    os.mkfifo(tmp_path / ".record.json.partial")
    out = io.StringIO()
    finish = Finish(
        Record(lambda _: None),
        open_log(Outlet(out), None),
        Outlet(out),
        tmp_path,
        patience=0.0,
        conclude=say_released,
        show=None,
    )
    assert finish.code is None
    finishing = threading.Thread(target=finish, daemon=True)
    finishing.start()
    while "RELEASED:" not in out.getvalue():
        time.sleep(0.001)
    assert finish.code == 0
    (tmp_path / ".record.json.partial").read_text()
    finishing.join()


@pytest.mark.parametrize(("error", "line"), [(BuildFailed("main.go:3: undefined: x"), "ERROR:"), (None, "RELEASED:")])
def test_the_last_line_does_not_wait_for_the_log_file(error: BuildFailed | None, line: str) -> None:
    """The person's last line is printed before the programs' log is written, whose disk may hang."""
    out = io.StringIO()
    printed: list[str] = []

    class LogFile(io.StringIO):
        def write(self, text: str) -> int:
            printed.append(out.getvalue())
            return super().write(text)

    record = Record(lambda _: None)
    if error is not None:
        record.fail(error)
    log, outlet = open_log(Outlet(out), LogFile()), Outlet(out)
    Finish(record, log, outlet, None, patience=1.0, conclude=say_released, show=None)()
    assert printed
    assert all(line in text for text in printed)


@pytest.mark.parametrize(
    ("conclude", "fields", "line"),
    [
        (say_done, {"command": "audit"}, "level=info event=done"),
        (
            say_planned,
            {"command": "plan"},
            'event="plan done" summary="planned, nothing was changed: 0 to publish, 0 to skip"',
        ),
        (say_released, {"path": "release", "version": "1.2.3"}, "RELEASED: nothing 1.2.3 (release, nothing to send)"),
    ],
    ids=["any command", "plan", "run"],
)
def test_the_command_tells_of_its_success(conclude: Conclude, fields: dict[str, Any], line: str) -> None:
    """The last line of a success is the command's own, and nothing is said after it."""
    code, [last] = ended(new_record(**fields), conclude=conclude)
    assert code == 0
    assert line in last


def test_quiet() -> None:
    """With QUIET a release still ends with its line, and what is only logged is left out."""
    assert ended(new_record(), conclude=say_released, quiet=True)[1] == ["RELEASED: nothing  (None, nothing to send)"]
    assert ended(new_record(), quiet=True) == (0, [])


def test_an_error_is_no_success() -> None:
    """Each failure has a line of its own, the worst decides the code, and the command is not asked what to say."""

    def conclude(_: RecordDocument, out: Outlet, __: Log) -> None:
        out.write("all is well\n")

    record = new_record()
    record.fail(BuildFailed("main.go:3: undefined: x"), "s3")
    record.fail(CredentialsRefused("registry.example: 401"))
    code, lines = ended(record, conclude=conclude)
    assert code == 8
    assert [line.split(".", 1)[0] for line in lines] == ["ERROR: main", "ERROR: registry"]


def test_the_record_is_shown_last(tmp_path: Path) -> None:
    """Who is shown the finished record is shown it after the last line, once, with the exit code in it."""
    out = io.StringIO()
    shown: list[RecordDocument] = []

    def show(document: RecordDocument) -> None:
        assert "event=done" in out.getvalue()
        shown.append(document)

    outlet = Outlet(out)
    finish = Finish(new_record(), open_log(outlet, None), outlet, tmp_path, patience=1.0, conclude=say_done, show=show)
    assert (finish(), finish()) == (0, 0)
    assert [document.exit for document in shown] == [0]
    assert json.loads((tmp_path / "record.json").read_text("utf-8"))["exit"] == 0


def test_a_report_that_cannot_be_kept_is_told_once(tmp_path: Path) -> None:
    """What cannot be written while the command goes on is a warning, one for each report, and stops nothing."""
    out = io.StringIO()
    reports = Reports(tmp_path / "gone", open_log(Outlet(out), None))
    for _ in range(2):
        reports.save(RecordDocument())
    lines = out.getvalue().splitlines()
    assert [line.partition(" report=")[2].split()[0] for line in lines] == ["record.json", "metadata.json"]
    assert all("level=warning" in line for line in lines)


@pytest.mark.parametrize(
    ("module", "missing"), [("junit", "junit_release.xml"), ("html", "release.html")], ids=["junit", "html"]
)
def test_a_report_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, missing: str
) -> None:
    """A report whose libraries cannot be loaded is a warning, and keeps back no other."""
    monkeypatch.setitem(sys.modules, f"runner.report.{module}", None)
    out = io.StringIO()
    outlet = Outlet(out)
    log = open_log(outlet, None)
    finish = Finish(new_record(), log, outlet, tmp_path, patience=5.0, conclude=say_done, show=None)
    assert finish() == 0
    warning, last = out.getvalue().splitlines()
    assert "level=warning" in warning
    assert f"report={missing}" in warning
    assert "event=done" in last
    written = {"record.json", "metadata.json", "junit_release.xml", "release.html"} - {missing}
    assert {path.name for path in tmp_path.iterdir()} == written
    assert json.loads((tmp_path / "record.json").read_text("utf-8"))["exit"] == 0
