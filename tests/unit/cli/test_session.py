"""The end of a run: what is said last, and in which order."""

from __future__ import annotations

import io
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from runner.cli.session import Finish
from runner.errors import BuildFailed
from runner.report.console import Outlet, open_log
from runner.report.record import Record

if TYPE_CHECKING:
    from pathlib import Path


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
        only_plan=False,
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
    Finish(record, log, outlet, None, patience=1.0, only_plan=False, show=None)()
    assert printed
    assert all(line in text for text in printed)
