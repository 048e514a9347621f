"""metadata.json: what Prow shows at the top of its page."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BuildFailed, CredentialsRefused, RunEnded
from runner.report.console import released_line
from runner.report.metadata import render_metadata
from runner.report.record import EntryDocument, PullDocument, Record, RecordDocument, ServiceDocument
from tests.support.records import DIGEST, ended_run, failed_run, good_run


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
            "not published (absent)",
        ),
        ({"notes": ()}, "nothing to send", "not published (absent)"),
    ],
    ids=["plan", "layout", "nothing written"],
)
def test_nothing_is_said_to_be_written_that_was_not(fields: dict[str, object], result: str, entry: str) -> None:
    """A plan, a layout folder and a run that wrote nothing are told as what they are, in metadata and the last line."""
    document = good_run(**fields)
    parsed = json.loads(render_metadata(document))
    assert parsed["Result"] == result
    assert parsed["image h/controller:s3-v1.2.3"].startswith(entry)
    assert result in released_line(document)


def test_metadata_says_why_a_change_releases_nothing() -> None:
    """A change that was judged and releases nothing is told as that, with what it was planned as and the reason."""
    record = Record(lambda _: None)
    record.update(command="plan", as_tag="from-chart")
    record.set_service(ServiceDocument(name="s3", selected=False, reason="v1.2.3 is tagged already"))
    with record.step("select"), record.step("select", "s3") as step:
        step.skip("v1.2.3 is tagged already")
    parsed = json.loads(render_metadata(record.close()))
    assert parsed == {
        "Result": "planned, nothing was changed: this change releases nothing",
        "as tag": "from-chart",
        "service s3": "not released: v1.2.3 is tagged already",
    }


def test_metadata_says_staging_and_digest() -> None:
    """A staging registry is said to be one; a published name is listed without it, and told whole with its digest."""
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


def test_metadata_of_a_run_that_was_ended() -> None:
    """A run that was ended says at which steps, with cause and remedy."""
    metadata = json.loads(render_metadata(ended_run()))
    cause = "the run was ended by SIGTERM during build of ecr, publish chart of s3"
    assert (metadata["Cause"], metadata["Remedy"]) == (cause, RunEnded.remedy)
    assert metadata["Step"] == "build of ecr, publish chart of s3"


def lines_of(document: RecordDocument) -> dict[str, str]:
    lines: dict[str, str] = json.loads(render_metadata(document))
    return lines


def test_metadata_of_a_run_that_knows_nothing() -> None:
    """A run that has just begun says that it is running, and no more."""
    assert lines_of(RecordDocument()) == {"Result": "running"}


def test_metadata_lists_services_that_are_left_out() -> None:
    """Each service that is left out is told with the reason; the selection as a whole is no service."""
    record = Record(lambda _: None)
    for of in (None, "s3"):
        with record.step("select", of) as step:
            step.skip("not in the tag")
    assert lines_of(record.document) == {"Result": "running", "service s3": "not released: not in the tag"}


def test_metadata_says_which_steps_are_going_on() -> None:
    """While a run goes on its steps stand there with their services."""
    record = Record(lambda _: None)
    with record.step("build", "s3"), record.step("build", "ecr"):
        assert lines_of(record.document)["Step"] == "build of s3, build of ecr"
    assert "Step" not in lines_of(record.document)


def test_metadata_says_what_was_asked_for() -> None:
    """What was asked for and where it went is told under names of its own; warnings and notes are one text each."""
    pulls = (PullDocument(number="7", commit="d" * 40), PullDocument(number="8", commit="e" * 40))
    document = RecordDocument(
        ref="main",
        as_tag="v1.2.3",
        commit="c" * 40,
        pulls=pulls,
        version="1.2.3",
        path="release",
        registry="registry.example/ns",
        layout_folder="out",
        warnings=("one", "two", "one"),
        notes=("three",),
    )
    assert lines_of(document) == {
        "Result": "running",
        "ref": "main",
        "as tag": "v1.2.3",
        "commit": "c" * 40,
        "pull request": f"7 at {'d' * 40}, 8 at {'e' * 40}",
        "version": "1.2.3",
        "path": "release",
        "registry": "registry.example/ns",
        "layout folder": "out",
        "warnings": "one; two; one",
        "notes": "three",
    }


@pytest.mark.parametrize(
    ("action", "written", "line"),
    [
        ("publish", True, f"written (why): h/x:1@{DIGEST}"),
        ("publish", False, f"not published (why): h/x:1@{DIGEST}"),
        ("skip", False, f"skipped (why): h/x:1@{DIGEST}"),
        ("refuse", False, "refused (why)"),
    ],
)
def test_metadata_of_each_decision(action: str, line: str, *, written: bool) -> None:
    """What became of a name is told with the reason; with the digest only where it is this release's."""
    row = {"service": "s3", "kind": "image", "name": "h/x:1", "action": action, "reason": "why", "digest": DIGEST}
    entry = EntryDocument.model_validate({**row, "written": written})
    assert lines_of(RecordDocument(registry="h", entries=(entry,), exit=0))["image x:1"] == line


def test_metadata_says_what_was_adopted() -> None:
    """An image of the former job that was taken as it is stands as adopted, with why, and the result says so."""
    row = EntryDocument(
        service="s3", kind="image", name="h/c:1", action="skip", reason="why", digest=DIGEST, adopted=True
    )
    lines = lines_of(RecordDocument(entries=(row,), exit=0))
    assert lines["image h/c:1"] == f"adopted (why): h/c:1@{DIGEST}"
    assert lines["Result"] == "nothing to send, the former job's image adopted"
