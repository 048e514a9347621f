"""Reports: rendered from the record alone, in the form that Prow's lenses show."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BuildFailed, CredentialsRefused, RunEnded
from runner.report.console import LINE_BYTES, Outlet, error_lines, open_log, released_line
from runner.report.files import write_reports, write_whole
from runner.report.junit import render_junit
from runner.report.metadata import render_metadata
from runner.report.record import EntryDocument, Record, RecordDocument, ServiceDocument, error_document
from runner.report.table import REPORTS

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "a" * 64


def failed_run(
    cause: str = "main.go:3: undefined: x", detail: tuple[str, ...] = ("line 1", "line 2")
) -> RecordDocument:
    """The record of a run in which one of two services failed to build."""
    record = Record(lambda _: None)
    record.update(ref="v1.2.3", commit="c" * 40, version="1.2.3", path="release", registry="registry.example/ns")
    record.update(source="https://github.com/aws-controllers-k8s/s3-controller")
    for service in ("ecr", "s3"):
        with record.step("observe", service):
            pass
    error = BuildFailed(cause, detail=detail)
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise error
    with record.step("publish chart", "ecr") as step:
        step.skip("already published")
    record.fail(error, "s3")
    return record.close()


def good_run(**fields: object) -> RecordDocument:
    """The record of a run that published an image; with fields set, of one that wrote nothing."""
    record = Record(lambda _: None)
    record.update(ref="v1.2.3", version="1.2.3", path="release", registry="127.0.0.1:5000/ns", staging=True)
    record.set_service(ServiceDocument(name="s3", selected=True, reason="only one"))
    row = EntryDocument(
        service="s3", kind="image", name="h/controller:s3-v1.2.3", action="publish", reason="absent", digest=DIGEST
    )
    record.set_entries("s3", (row,))
    record.update(**fields)
    if not fields:
        record.written(row.name)
    return record.close()


def test_junit_has_one_case_per_service_and_step() -> None:
    """Every step is a case named by service and step, failures as failure and never as error."""
    root = ET.fromstring(render_junit(failed_run()))  # noqa: S314 - our own text
    cases = {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        ("ecr", "observe"): [],
        ("s3", "observe"): [],
        ("s3", "build"): ["failure"],
        ("ecr", "publish chart"): ["skipped"],
    }


def test_junit_failure_tells_cause_remedy_and_detail() -> None:
    """The failure's text holds what happened, what to do, and the tool's last lines."""
    failure = next(ET.fromstring(render_junit(failed_run())).iter("failure"))  # noqa: S314 - our own text
    assert failure.get("message") == "main.go:3: undefined: x"
    assert (failure.text or "").splitlines() == ["", BuildFailed.remedy, "", "line 1", "line 2"]


def test_junit_shows_an_error_that_no_step_has() -> None:
    """An error outside of every step has a case of its own."""
    record = Record(lambda _: None)
    record.fail(CredentialsRefused("401"), "s3")
    names = [case.get("name") for case in ET.fromstring(render_junit(record.close())).iter("testcase")]  # noqa: S314
    assert names == ["credentials-refused"]


def ended_run() -> RecordDocument:
    """The record of a run that was ended while one service was built and another published."""
    record = Record(lambda _: None)
    with record.step("describe"):
        pass
    with record.step("build", "ecr"), record.step("publish chart", "s3"):
        record.end("SIGTERM")
    return record.close()


def test_an_end_is_shown_at_the_steps_that_it_hit() -> None:
    """Every step that was going on fails with cause and remedy, in junit and in metadata; no case is added."""
    cause = "the run was ended by SIGTERM during build of ecr, publish chart of s3"
    root = ET.fromstring(render_junit(ended_run()))  # noqa: S314 - our own text
    failures = {
        (case.get("classname"), case.get("name")): [(failed.get("message"), failed.text) for failed in case]
        for case in root.iter("testcase")
    }
    assert failures == {
        ("run", "describe"): [],
        ("ecr", "build"): [(cause, f"\n{RunEnded.remedy}")],
        ("s3", "publish chart"): [(cause, f"\n{RunEnded.remedy}")],
    }
    metadata = json.loads(render_metadata(ended_run()))
    assert (metadata["Cause"], metadata["Remedy"]) == (cause, RunEnded.remedy)
    assert metadata["Step"] == "build of ecr, publish chart of s3"


@given(st.text())
def test_junit_is_xml_whatever_a_tool_says(said: str) -> None:
    """No text of a tool makes the file unreadable, which Prow would hide without a word."""
    ET.fromstring(render_junit(failed_run(said, (said,))))  # noqa: S314 - our own text


@given(st.text())
def test_metadata_is_one_object_of_strings(said: str) -> None:
    """Every value is a non-empty string: Prow's lens drops all else."""
    parsed = json.loads(render_metadata(failed_run(said or "x")))
    assert all(isinstance(value, str) and value for value in parsed.values())


@pytest.mark.parametrize(
    ("document", "first"),
    [
        (failed_run(), {"Cause": "main.go:3: undefined: x", "Remedy": BuildFailed.remedy}),
        (good_run(), {"Result": "1 tag written"}),
        (ended_run(), {"Remedy": RunEnded.remedy}),
    ],
    ids=["failed", "good", "ended"],
)
def test_metadata_stands_in_the_order_in_which_prow_shows_it(document: RecordDocument, first: dict[str, str]) -> None:
    """Sorted by the bytes of their keys, as Prow does, the first lines are cause, remedy, result and step."""
    parsed = json.loads(render_metadata(document))
    assert list(parsed) == sorted(parsed)
    assert first.items() <= parsed.items()
    told = [key for key in ("Cause", "Remedy", "Result", "Step") if key in parsed]
    assert list(parsed)[: len(told)] == told


def test_metadata_says_how_a_run_failed_and_where() -> None:
    """The result is the error's name and exit code, and the step stands with its service."""
    parsed = json.loads(render_metadata(failed_run()))
    assert parsed["Result"] == "failed: build-failed (exit 6)"
    assert parsed["Step"] == "build of s3"


def test_metadata_tells_every_service_that_failed() -> None:
    """The error that decides the exit code comes first; the others stand with their services."""
    record = Record(lambda _: None)
    record.fail(BuildFailed("a"), "s3")
    record.fail(CredentialsRefused("b"), "ecr")
    parsed = json.loads(render_metadata(record.close()))
    assert (parsed["Cause"], parsed["Cause of s3"]) == ("b", "a")
    assert parsed["Remedy of s3"] == BuildFailed.remedy


@pytest.mark.parametrize(
    ("fields", "result", "entry"),
    [
        ({"command": "plan"}, "planned, nothing was changed: 1 to publish, 0 to skip", "to publish (absent)"),
        (
            {"layout_folder": "out"},
            "0 tags written to the layout folder out, nothing published",
            "not written (absent)",
        ),
        ({"notes": ()}, "nothing to send", "not written (absent)"),
    ],
    ids=["plan", "layout", "nothing written"],
)
def test_nothing_is_said_to_be_written_that_was_not(fields: dict[str, object], result: str, entry: str) -> None:
    """A plan, a layout folder and a run that wrote nothing are called what they are, in metadata and the last line."""
    document = good_run(**fields)
    parsed = json.loads(render_metadata(document))
    assert parsed["Result"] == result
    assert parsed["image h/controller:s3-v1.2.3"].startswith(entry)
    assert result in released_line(document)


def test_metadata_says_why_a_change_releases_nothing() -> None:
    """A change that was judged and releases nothing is reported as that, with what it was planned as and the reason."""
    record = Record(lambda _: None)
    record.update(command="plan", as_tag="from-chart")
    record.set_service(ServiceDocument(name="s3", selected=False, reason="v1.2.3 is already tagged"))
    with record.step("select"), record.step("select", "s3") as step:
        step.skip("v1.2.3 is already tagged")
    parsed = json.loads(render_metadata(record.close()))
    assert parsed == {
        "Result": "planned, nothing was changed: this change releases nothing",
        "as tag": "from-chart",
        "service s3": "not released: v1.2.3 is already tagged",
    }


def test_metadata_says_staging_and_digest() -> None:
    """A staging registry is said to be one; a published name is listed without it, and given whole with its digest."""
    parsed = json.loads(render_metadata(good_run(registry="h")))
    assert parsed["registry"] == "h (staging)"
    assert parsed["image controller:s3-v1.2.3"].endswith(f": h/controller:s3-v1.2.3@{DIGEST}")


def test_metadata_loses_no_cause() -> None:
    """Two errors of one service stand under one key, each cause once."""
    record = Record(lambda _: None)
    for service, cause in (("s3", "first"), ("ecr", "x"), ("ecr", "y"), ("ecr", "x")):
        record.fail(BuildFailed(cause), service)
    parsed = json.loads(render_metadata(record.close()))
    assert (parsed["Cause"], parsed["Cause of ecr"]) == ("first", "x; y")
    assert parsed["Remedy of ecr"] == BuildFailed.remedy


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


def test_error_ends_with_one_highlighted_line() -> None:
    """A failed service ends with one line that begins with ERROR: and holds cause, remedy, exit and service."""
    [error] = failed_run().errors
    lines = list(error_lines(error))
    assert lines[-1].startswith("ERROR: main.go:3: undefined: x. ")
    assert BuildFailed.remedy in lines[-1]
    assert lines[-1].endswith("exit=6 code=build-failed step=build service=s3")
    assert lines[:-1] == ["  | line 1", "  | line 2"]


def test_a_cause_is_told_once_and_ends_as_it_should() -> None:
    """A detail that only repeats the cause is left out; a cause that ends with a question mark gets no full stop."""
    asked = "x is not a key; did you mean 'y'?"
    [line] = error_lines(error_document(BuildFailed(asked, detail=[asked]), None, None))
    assert line.startswith(f"ERROR: {asked} {BuildFailed.remedy}")


@given(st.text())
def test_only_the_error_line_is_highlighted_and_no_line_is_too_long(said: str) -> None:
    """Whatever a tool says: ERROR: stands once, no line is over 10,000 bytes, none holds a carriage return."""
    error = error_document(BuildFailed(f"ERROR: {said} RELEASED:", detail=(f"ERROR: {said}",)), "s3", "build")
    lines = list(error_lines(error))
    assert sum(line.count("ERROR:") for line in lines) == 1
    assert all(len(line.encode()) < 10_000 and len(line.splitlines()) <= 1 for line in lines)


def test_long_lines_are_cut_and_say_so() -> None:
    """A cause over the limit is cut and says how much is missing; remedy, exit and code stay."""
    *_, last = error_lines(error_document(BuildFailed("é" * 20_000), None, None))
    assert len(last.encode()) < LINE_BYTES + 50
    assert "more bytes)" in last
    assert last.endswith(f"{BuildFailed.remedy} exit=6 code=build-failed")


def test_an_error_line_names_the_step_once() -> None:
    """The step stands in the line with its value in quotes; a run that was ended has it in its cause."""
    error = error_document(CredentialsRefused("401"), "s3", "publish chart")
    assert list(error_lines(error))[-1].endswith('exit=8 code=credentials-refused step="publish chart" service=s3')
    [ended] = ended_run().errors
    assert list(error_lines(ended)) == [f"ERROR: {ended.cause}. {RunEnded.remedy} exit=9 code=run-ended"]
    stopped = error_document(RunEnded("the run was ended by SIGTERM during publish chart of s3"), "s3", "publish chart")
    assert list(error_lines(stopped))[-1].endswith("exit=9 code=run-ended service=s3")


def test_success_ends_with_what_holds_what() -> None:
    """The last line of a good run begins with RELEASED: and gives each name with its digest."""
    assert released_line(good_run()) == (f"RELEASED: s3 1.2.3 (release, 1 tag written) h/controller:s3-v1.2.3@{DIGEST}")


@given(st.text(), st.text())
def test_log_lines_are_single_and_never_highlighted(event: str, value: str) -> None:
    """Whatever is logged is one line of key=value that neither begins nor contains a highlighted word."""
    out = io.StringIO()
    open_log(Outlet(out), None).info(event + "ERROR:", key=value, other="RELEASED: x")
    assert len(out.getvalue().splitlines()) == 1
    assert "ERROR:" not in out.getvalue()
    assert "RELEASED:" not in out.getvalue()


def test_log_goes_to_people_and_to_programs() -> None:
    """One event is one key=value line on stdout and one JSON object in the file."""
    out, lines = io.StringIO(), io.StringIO()
    open_log(Outlet(out), lines).info("tag written", service="s3", name="h/r:t")
    assert out.getvalue().split(" ", 1)[1] == 'level=info event="tag written" service=s3 name=h/r:t\n'
    parsed = json.loads(lines.getvalue())
    assert {"level": "info", "event": "tag written", "service": "s3", "name": "h/r:t"}.items() <= parsed.items()


def test_nothing_follows_the_last_line() -> None:
    """What is logged or written once the outlet is closed is not printed, and disturbs nobody."""
    out = io.StringIO()
    outlet = Outlet(out)
    log = open_log(outlet, None)
    outlet.write("ERROR: the end\n")
    outlet.close()
    log.warning("trying again")
    outlet.write("more\n")
    assert out.getvalue() == "ERROR: the end\n"


def test_quiet_keeps_warnings_on_stdout_and_everything_in_the_file() -> None:
    """QUIET leaves out what is no warning on stdout only."""
    out, lines = io.StringIO(), io.StringIO()
    log = open_log(Outlet(out), lines, quiet=True)
    log.info("a")
    log.warning("b")
    assert out.getvalue().count("\n") == 1
    assert "event=b" in out.getvalue()
    assert lines.getvalue().count("\n") == 2
