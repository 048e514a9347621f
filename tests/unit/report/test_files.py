"""Reports as files: each written whole or not at all, and none kept back by another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runner.report.files import PROGRESS, write_reports, write_whole
from runner.report.table import REPORTS
from tests.support.records import failed_run

if TYPE_CHECKING:
    from pathlib import Path

    from runner.report.record import RecordDocument


def test_reports_are_written_whole(tmp_path: Path) -> None:
    """All report files are there, and no partial file is left."""
    assert not list(write_reports(tmp_path, failed_run(), REPORTS))
    names = ["commit.link.txt", "junit_release.xml", "metadata.json", "record.json", "release.html", "tag.link.txt"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert json.loads((tmp_path / "record.json").read_text())["exit"] == 6


@pytest.mark.parametrize("broken", range(len(REPORTS)), ids=[report.name for report in REPORTS])
def test_a_report_that_fails_stands_alone(tmp_path: Path, broken: int) -> None:
    """A report that cannot be rendered is named with the reason, and every other one is written."""

    def fail(_: RecordDocument) -> dict[str, str]:
        raise KeyError("colour")

    run = failed_run()
    reports = [replace(report, files=fail) if place == broken else report for place, report in enumerate(REPORTS)]
    names = {name for place, report in enumerate(REPORTS) if place != broken for name in report.files(run)}
    assert list(write_reports(tmp_path, run, reports)) == [(REPORTS[broken].name, "KeyError('colour')")]
    assert {file.name for file in tmp_path.iterdir()} == names


def test_a_report_whose_place_is_taken_is_named(tmp_path: Path) -> None:
    """A report that cannot be written is named with the folder and the system's reason."""
    (tmp_path / "metadata.json").mkdir()
    [(name, reason)] = write_reports(tmp_path, failed_run(), REPORTS)
    assert (name, reason) == ("metadata.json", f"{tmp_path}: Is a directory")


def test_half_a_report_is_left_nowhere(tmp_path: Path) -> None:
    """What cannot be put in its place is not left beside it, where it would be uploaded."""
    (tmp_path / "metadata.json" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=r"metadata\.json"):
        write_whole(tmp_path / "metadata.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.json"]


def test_a_report_is_replaced_at_once(tmp_path: Path) -> None:
    """Writing again replaces the file under its name."""
    file = tmp_path / "metadata.json"
    write_whole(file, "old")
    write_whole(file, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.json"]
    assert file.read_text() == "new"


def test_a_broken_file_name_does_not_break_a_report(tmp_path: Path) -> None:
    """A text that cannot be encoded, as of a file name that is no UTF-8, is written with an escape in its place."""
    write_whole(tmp_path / "record.json", json.dumps({"cause": "a\udcffé"}, ensure_ascii=False))
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8")) == {"cause": "a\udcffé"}


@pytest.mark.parametrize(
    "ref", ["v1.2.3", 'caf\u00e9 \u2028 \x1b \x7f "\\', "a\udcff\u00e9"], ids=["plain", "odd", "broken"]
)
def test_record_as_json(tmp_path: Path, ref: str) -> None:
    """The record is written with every value as it is, in lines, whatever characters it holds."""
    document = failed_run().model_copy(update={"ref": ref})
    assert not list(write_reports(tmp_path, document, PROGRESS))
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert json.loads(text) == document.model_dump(mode="json", by_alias=True)
    assert text.count("\n") > len(document.steps)
    assert text.endswith("}\n")
