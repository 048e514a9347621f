"""What a run shows that was refused: on the Prow page, in its record and in its reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.foreign.shown import spelled_out

if TYPE_CHECKING:
    from testbed.release_harness import Ended


def check_refusal(ended: Ended, code: int, name: str, says: str) -> None:
    """Check what every refusal has."""
    assert ended.code == code, ended.out
    [line] = ended.errors
    assert ended.lines[-1] == line
    assert f"exit={code} code={name}" in line
    assert says in line
    error = ended.record["error"]
    assert (error["exit"], error["code"]) == (code, name)
    assert error["cause"]
    assert error["remedy"].split()[0] in line
    assert ended.metadata["Cause"] == spelled_out(error["cause"])
    assert ended.metadata["Remedy"] == spelled_out(error["remedy"])
    [shown] = ended.page.css(".remedy")
    assert shown.text() == error["remedy"]
    failures = list(ended.junit.iter("failure"))
    assert len(failures) == 1
    assert error["remedy"] in (failures[0].text or "")
    assert sum("ERROR:" in one for one in ended.lines) == 1
    assert all(len(one.encode()) < 10_000 and "\r" not in one for one in ended.lines)
