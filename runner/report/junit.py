"""``junit_release.xml``: one case per service and step.

Prow's junit lens shows ``<failure>`` and renders ``<error>`` as ``<nil>`` (pkg/spyglass/lenses/junit), so a failed
step is always a failure; it groups by name, so a step stands once per service. It draws a failure as
``{message type text}`` and keeps line breaks: the cause stands in the first line, the remedy in one of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from runner.foreign.shown import spelled_out

if TYPE_CHECKING:
    from runner.report.record import ErrorDocument, RecordDocument, StepDocument

NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WHOLE_RUN = "run"


def render_junit(document: RecordDocument) -> str:
    """Return the file's text."""
    suite = TestSuite("release")
    told: set[ErrorDocument] = set()
    for step in document.steps:
        errors = tuple(error for error in document.errors if step.outcome == "failed" and _belongs(error, step))
        told.update(errors)
        suite.add_testcase(_case_of_step(step, errors))
    for error in document.errors:
        if error not in told:
            case = TestCase(error.step or error.code, classname=error.service or WHOLE_RUN, time=0.0)
            case.result = [_failure(error)]
            suite.add_testcase(case)
    xml = JUnitXml("ack-release")
    xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call]  # junitparser annotates only part of itself
    text: bytes = xml.tostring()  # type: ignore[no-untyped-call]  # as above
    return text.decode("utf-8")


def _belongs(error: ErrorDocument, step: StepDocument) -> bool:
    """Whether a step failed for this error; where the run was ended, that is every step that was going on."""
    return (error.step, error.service) == (step.name, step.service) or error.cause == step.reason


def _case_of_step(step: StepDocument, errors: tuple[ErrorDocument, ...]) -> TestCase:
    case = TestCase(step.name, classname=step.service or WHOLE_RUN, time=step.seconds or 0.0)
    if step.outcome == "failed":
        case.result = [_failure(error) for error in errors] or [Failure(_text(step.reason or "failed"), "failed")]
    elif step.outcome == "skipped":
        case.result = [Skipped(_text(step.reason or ""))]
    return case


def _failure(error: ErrorDocument) -> Failure:
    failure = Failure(_text(error.cause), error.code)
    failure.text = _text("\n".join(("", error.remedy, *(("", *error.detail) if error.detail else ()))))
    return failure


def _text(value: str) -> str:
    return NOT_XML.sub("\ufffd", spelled_out(value, kept="\n\t"))
