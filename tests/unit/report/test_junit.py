"""junit_release.xml: in the form that Prow's junit lens shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import AlreadyPublished, BuildFailed, CredentialsRefused, RunEnded
from runner.report.junit import render_junit
from runner.report.record import Record, RecordDocument, error_document
from tests.support.records import ended_run, failed_run


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


def test_an_end_is_shown_at_the_steps_that_it_hit() -> None:
    """Every step that was going on fails with cause and remedy; no case is added."""
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


@given(st.text())
def test_junit_is_xml_whatever_a_tool_says(said: str) -> None:
    """No text of a tool makes the file unreadable, which Prow would hide without a word."""
    ET.fromstring(render_junit(failed_run(said, (said,))))  # noqa: S314 - our own text


def cases_of(document: RecordDocument) -> list[ET.Element]:
    return list(ET.fromstring(render_junit(document)).iter("testcase"))  # noqa: S314 - our own text


def test_every_error_of_a_step_is_shown() -> None:
    """A step that failed for two errors shows both, each with its code and its remedy."""
    record = Record(lambda _: None)
    errors = BuildFailed("first"), AlreadyPublished("second")
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise errors[0]
    for error in errors:
        record.fail(error, "s3")
    (case,) = cases_of(record.close())
    assert [(one.get("message"), one.get("type"), one.text) for one in case] == [
        (error.cause, error.code, f"\n{error.remedy}") for error in errors
    ]


def test_step_that_failed_without_an_error() -> None:
    """A step that failed and whose error nobody told is a failure all the same, with its reason."""
    record = Record(lambda _: None)
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise BuildFailed("as told by the step")
    (case,) = cases_of(record.close())
    assert [(one.tag, one.get("message")) for one in case] == [("failure", "as told by the step")]


def test_skipped_step_says_why() -> None:
    """A step that was skipped has its reason."""
    (case,) = (case for case in cases_of(failed_run()) if case.get("name") == "publish chart")
    assert [(one.tag, one.get("message")) for one in case] == [("skipped", "already published")]


def test_counts_are_those_of_the_cases() -> None:
    """The numbers of the suite and of all suites are those of the cases, and there is no error among them."""
    root = ET.fromstring(render_junit(failed_run()))  # noqa: S314 - our own text
    for node, name in ((root, "ack-release"), (root[0], "release")):
        counts = {key: node.get(key) for key in ("name", "tests", "failures", "skipped", "errors")}
        assert counts == {"name": name, "tests": "4", "failures": "1", "skipped": "1", "errors": "0"}


def test_error_of_a_step_that_is_not_recorded() -> None:
    """An error whose step is not among the steps has a case of that name; one of no service belongs to the run."""
    errors = (error_document(BuildFailed("x"), "s3", "build"), error_document(BuildFailed("y"), None, None))
    cases = cases_of(RecordDocument(errors=errors))
    assert [(case.get("classname"), case.get("name")) for case in cases] == [("s3", "build"), ("run", "build-failed")]


def test_times_are_those_of_the_steps() -> None:
    """A case took as long as its step, in seconds; one of an error outside of every step took no time."""
    ticks = iter(range(100))
    record = Record(lambda _: None, clock=lambda: float(next(ticks)))
    with record.step("plan", "s3"):
        next(ticks)
    record.fail(CredentialsRefused("401"), "s3")
    assert [(case.get("name"), float(case.get("time") or -1)) for case in cases_of(record.close())] == [
        ("plan", 2.0),
        ("credentials-refused", 0.0),
    ]
