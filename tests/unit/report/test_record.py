"""The record: what a run learned, in the order in which it happened, and which error decides."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import SEVERITY, AlreadyPublished, BuildFailed, ExitCode, ReleaseError, RunEnded, worst
from runner.oci.name import Name
from runner.report.record import (
    CAUSE_LIMIT,
    CHARACTERS_LIMIT,
    TEXTS_LIMIT,
    EntryDocument,
    Record,
    RecordDocument,
    ServiceDocument,
    error_document,
    limited,
    plan_view,
    short_cause,
)
from testbed.paths import ROOT
from tests.support.records import DIGEST


class Clock:
    """A clock that moves when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.seconds


def new_record(saved: list[RecordDocument] | None = None, clock: Clock | None = None) -> Record:
    """A record that keeps what it saves in a list."""
    keep = saved if saved is not None else []
    return Record(keep.append, clock=clock or Clock(), now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def entry(service: str, name: str) -> EntryDocument:
    """An entry of a plan."""
    return EntryDocument(service=service, kind="image", name=name, action="publish", reason="not in the registry")


def test_steps_keep_order_outcome_and_time() -> None:
    """Steps stand in the order in which they began, each with its outcome, reason and seconds."""
    clock = Clock()
    record = new_record(clock=clock)
    with record.step("observe", "s3"):
        clock.seconds += 1.5
    with record.step("publish chart", "s3") as step:
        step.skip("already published")
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise BuildFailed("main.go does not compile")
    steps = record.close().steps
    assert [(step.name, step.outcome, step.reason, step.seconds) for step in steps] == [
        ("observe", "passed", None, 1.5),
        ("publish chart", "skipped", "already published", 0.0),
        ("build", "failed", "main.go does not compile", 0.0),
    ]


def test_a_step_ends_with_the_translated_error() -> None:
    """What a raised error is translated to is what the step says and what goes on; another one goes on as it was."""
    told = BuildFailed("the disk is full")
    record = Record(lambda _: None, translate=lambda error: told if isinstance(error, OSError) else error)
    with pytest.raises(BuildFailed) as caught, record.step("build", "s3"):
        raise OSError(28, "No space left on device")
    assert caught.value is told
    assert isinstance(told.__cause__, OSError)
    with pytest.raises(KeyError) as other, record.step("build", "s3"):
        raise KeyError("x")
    assert other.value.__cause__ is None
    assert [step.reason for step in record.close().steps] == ["the disk is full", "KeyError('x')"]


def test_record_is_saved_after_each_step() -> None:
    """Whoever keeps the record is given it after every step, also a failed one."""
    saved: list[RecordDocument] = []
    record = new_record(saved)
    with record.step("event"):
        pass
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise BuildFailed("no")
    assert [len(document.steps) for document in saved] == [1, 2]


def test_error_belongs_to_the_step_in_which_its_service_failed() -> None:
    """An error is recorded with the failed step of its own service."""
    record = new_record()
    error = BuildFailed("no", detail=["main.go:1"])
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise error
    with record.step("build", "ecr"):
        pass
    record.fail(error, "s3")
    document = record.close()
    assert document.error is not None
    assert (document.error.step, document.error.service, document.error.detail) == ("build", "s3", ("main.go:1",))


def test_an_exception_that_is_no_release_error_is_a_bug() -> None:
    """Anything unexpected is exit 1, with a remedy that says to report it."""
    record = new_record()
    record.fail(KeyError("x"))
    document = record.close()
    assert (document.exit, document.error and document.error.code) == (ExitCode.BUG, "bug")


def test_a_bug_is_told_by_the_programs_own_files() -> None:
    """A traceback names files from the program's folder on, not where that is on this machine."""
    record = new_record()
    with pytest.raises(ValueError, match="no name") as raised:
        Name.parse("no name")
    record.fail(raised.value)
    [told] = record.close().errors
    assert any('File "runner/oci/name.py", line ' in line for line in told.detail)
    assert not any(str(ROOT) in line for line in told.detail)


@given(st.lists(st.sampled_from(SEVERITY), min_size=1))
def test_exit_code_is_the_worst_that_occurred(codes: list[ExitCode]) -> None:
    """Several failures give the first of 9, 1, 2, 3, 8, 5, 4, 6, 7 that occurred, in whatever order they came."""
    assert worst(codes) == min(codes, key=SEVERITY.index)
    assert worst(reversed(codes)) == worst(codes)


def test_error_of_the_exit_code_is_the_one_shown() -> None:
    """With several errors, the one that decided the exit code is the record's error, and all are listed."""
    record = new_record()
    record.fail(BuildFailed("a"), "s3")
    record.fail(AlreadyPublished("b"), "ecr")
    document = record.close()
    assert (document.exit, document.error and document.error.service) == (ExitCode.CONFLICT, "ecr")
    assert [error.service for error in document.errors] == ["s3", "ecr"]


def end_at(record: Record) -> str:
    """End the run, close its record, and return the cause."""
    record.end("SIGTERM")
    document = record.close()
    assert document.exit == ExitCode.ENDED
    assert document.error is not None
    assert document.errors == (document.error,)
    return document.error.cause


def test_ended_run_says_at_which_step_it_ended() -> None:
    """The step that was going on has failed, is the error's step, and has its time; what unwinds changes nothing."""
    saved, clock = list[RecordDocument](), Clock()
    record = new_record(saved, clock)

    def work() -> None:
        with record.step("build", "s3"):
            clock.seconds += 2.5
            assert end_at(record) == "the run was ended by SIGTERM during build of s3"
            raise RunEnded("noticed by a worker")

    with pytest.raises(RunEnded):
        work()
    document = record.document
    assert [(step.name, step.outcome, step.reason, step.seconds) for step in document.steps] == [
        ("build", "failed", "the run was ended by SIGTERM during build of s3", 2.5)
    ]
    assert document.error is not None
    assert (document.error.step, document.error.service) == ("build", "s3")
    assert document.timings == {"total": 2.5, "build": 2.5}
    assert saved == []


def test_several_steps_at_which_a_run_ended_are_all_named() -> None:
    """With services side by side every step that was going on is named and has failed; others stay as they are."""
    record = new_record()
    with record.step("describe"):
        pass
    with record.step("build", "ecr"), record.step("publish chart", "s3"):
        assert end_at(record) == "the run was ended by SIGTERM during build of ecr, publish chart of s3"
    outcomes = {(step.name, step.service): step.outcome for step in record.document.steps}
    assert outcomes == {
        ("describe", None): "passed",
        ("build", "ecr"): "failed",
        ("publish chart", "s3"): "failed",
    }
    error = record.document.error
    assert error is not None
    assert (error.step, error.service) == ("build, publish chart", None)


def test_a_run_that_ends_between_steps_names_the_last_one() -> None:
    """Between two steps the one before is named, and before the first that there was none; no step has failed."""
    record = new_record()
    assert end_at(record) == "the run was ended by SIGTERM before its first step"
    assert [error.step for error in record.document.errors] == ["before the first"]
    record = new_record()
    for step in ("route", "select"):
        with record.step(step):
            pass
    assert end_at(record) == "the run was ended by SIGTERM after select"
    assert [error.step for error in record.document.errors] == ["after select"]
    assert {step.outcome for step in record.document.steps} == {"passed"}


@given(st.text(), st.integers(0, 1000))
def test_short_cause(text: str, times: int) -> None:
    """No cause is longer than the limit; what is cut off stands in the detail, and a short one stays as it is."""
    cause = text * times
    document = error_document(BuildFailed(cause, detail=("more",)), None, None)
    assert len(document.cause) <= CAUSE_LIMIT
    if len(cause) <= CAUSE_LIMIT:
        assert (document.cause, document.detail) == (cause, ("more",))
    else:
        assert document.detail == limited((*cause.splitlines(), "more"))
        assert cause.startswith(document.cause.removesuffix(" …"))


def test_cause_is_cut_between_words() -> None:
    """A word is not cut where there is a space to cut at."""
    assert short_cause("word " * 100) == f"{'word ' * 79}…"


def test_after_the_end_no_step_begins_and_nothing_fails() -> None:
    """What a worker does after the end is no step, and what fails because of it is not recorded."""
    record = new_record()
    record.end("SIGTERM")
    record.end("the deadline")
    with pytest.raises(RunEnded, match="SIGTERM"), record.step("build", "s3"):
        pytest.fail("the step began")
    record.fail(KeyError("gone"), "s3")
    document = record.close()
    assert [error.cause for error in document.errors] == ["the run was ended by SIGTERM before its first step"]
    assert document.steps == ()


def test_a_failure_before_the_end_is_told_beside_it() -> None:
    """A service that had failed before is recorded too; the exit code is that of the end."""
    record = new_record()
    error = BuildFailed("no")
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise error
    record.fail(error, "s3")
    record.end("SIGINT")
    document = record.close()
    assert [error.exit for error in document.errors] == [ExitCode.BUILD_FAILED, ExitCode.ENDED]
    assert document.exit == ExitCode.ENDED


def test_a_name_written_as_the_run_ends_is_remembered() -> None:
    """What was written until the record is closed counts as written."""
    record = new_record()
    record.set_entries("s3", (entry("s3", "h/a:1"),))
    record.end("SIGINT")
    record.written("h/a:1", DIGEST)
    assert [(one.written, one.digest) for one in record.close().entries] == [(True, DIGEST)]


def test_what_was_restored_stays_so_whatever_is_planned_after() -> None:
    """What was gone of a name and is there again is remembered; that is no write of the name."""
    record = new_record()
    planned = (entry("s3", "h/a:1"), entry("s3", "h/b:1"))
    record.set_entries("s3", planned)
    record.restored("h/a:1")
    record.set_entries("s3", planned)
    assert [(one.restored, one.written) for one in record.close().entries] == [(True, False), (False, False)]


NAMES = ("h/a:1", "h/b:1")
EVENTS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"]) | st.none()),
    st.sampled_from(["plan", "fail", "end"]),
)


@given(st.lists(EVENTS, max_size=8))
def test_what_was_written_has_its_digest(events: list[tuple[str, str | None] | str]) -> None:
    """Whatever comes after, a name that holds what this run wrote has that digest in the record, and no other has."""
    record = new_record()
    planned = tuple(entry("s3", name) for name in NAMES)
    record.set_entries("s3", planned)
    held: dict[str, str | None] = {}
    for event in events:
        match event:
            case (name, digest):
                record.written(name, digest)
                held[name] = digest
            case "plan":
                record.set_entries("s3", planned)
            case "fail":
                record.fail(BuildFailed("no"), "s3")
            case _:
                record.end("SIGTERM")
    document = record.close()
    written = {one.name: one.digest for one in document.entries if one.written}
    assert written == {name: digest for name, digest in held.items() if digest is not None}


def test_a_disk_that_hangs_keeps_nobody_from_ending_the_run() -> None:
    """While the record is being saved, a run can be ended and its record closed; who waits for the save waits."""
    saving, go_on = threading.Event(), threading.Event()

    def save(_: RecordDocument) -> None:
        saving.set()
        go_on.wait(5)

    record = Record(save)
    worker = threading.Thread(target=record.save)
    worker.start()
    assert saving.wait(5)
    with record.step("event"):
        record.end("SIGTERM")
    assert record.close().exit == ExitCode.ENDED
    waiting = threading.Thread(target=record.wait_for_save)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    go_on.set()
    waiting.join(5)
    worker.join(5)
    assert not waiting.is_alive()


def test_entries_of_services_do_not_disturb_each_other() -> None:
    """Planning one service again replaces its entries and leaves the others'."""
    record = new_record()
    record.set_entries("s3", (entry("s3", "h/a:1"),))
    record.set_entries("ecr", (entry("ecr", "h/b:1"),))
    record.set_entries("s3", (entry("s3", "h/a:2"),))
    assert [(one.service, one.name) for one in record.document.entries] == [("ecr", "h/b:1"), ("s3", "h/a:2")]


def test_services_are_listed_once_by_name() -> None:
    """What is said of a service is replaced, not repeated."""
    record = new_record()
    for reason in ("first", "second"):
        record.set_service(ServiceDocument(name="s3", selected=True, reason=reason))
    assert [(one.name, one.reason) for one in record.document.services] == [("s3", "second")]


def test_threads_lose_nothing() -> None:
    """Warnings added from many threads at once are all there."""
    record = new_record()

    def warn(number: int) -> None:
        for turn in range(50):
            record.warn(f"{number}-{turn}")

    threads = [threading.Thread(target=warn, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(record.document.warnings) == 400


def test_plan_view_has_the_promised_keys() -> None:
    """What plan --json prints has exactly the keys of the outside contract, also when nothing is known."""
    record = new_record()
    record.fail(AlreadyPublished("x"))
    view = plan_view(record.close())
    assert list(view) == [
        *(
            "schema",
            "ref",
            "as_tag",
            "commit",
            "pulls",
            "path",
            "version",
            "registry",
            "staging",
            "services",
            "entries",
            "settings",
        ),
        *("warnings", "notes", "exit", "error"),
    ]
    error = json.loads(json.dumps(view))["error"]
    assert {"code", "cause", "remedy"} <= error.keys()


@pytest.mark.parametrize("error", ReleaseError.__subclasses__(), ids=lambda error: error.__name__)
def test_every_error_has_code_exit_and_remedy(error: type[ReleaseError]) -> None:
    """Each error class has a name in lower case with dashes, an exit code from the contract, and a remedy."""
    made = error("something happened")
    assert made.code == made.code.lower()
    assert made.exit_code in SEVERITY
    assert made.remedy.endswith(".")


@given(st.lists(st.text(max_size=10), max_size=20), st.integers(1, 500), st.integers(1, 2000))
def test_what_is_kept_of_many_texts(texts: list[str], times: int, longer: int) -> None:
    """A record's size has a bound, whatever a tool or a registry says; what is missing is counted."""
    said = tuple(text * longer for text in texts) * times
    kept = limited(said)
    if len(said) <= TEXTS_LIMIT and sum(map(len, said)) <= CHARACTERS_LIMIT:
        assert kept == said
    else:
        *beginning, last = kept
        assert tuple(beginning) == said[: len(beginning)]
        assert last == f"… ({len(said) - len(beginning)} more)"
        assert len(beginning) <= TEXTS_LIMIT
        assert sum(map(len, beginning)) <= CHARACTERS_LIMIT


def test_bound_of_every_text() -> None:
    """Warnings, reasons and details are cut wherever they enter the record."""
    record = new_record()
    record.warn(*(["w" * 100_000] * 2000))
    record.note("n" * 100_000)
    entry = EntryDocument(service="s3", kind="image", name="r/i:1", action="refuse", reason="r" * 10**7)
    record.set_entries("s3", (entry,))
    record.fail(BuildFailed("c" * 10**7, remedy="m" * 10**7, detail=["d" * 10**6] * 5000))
    assert len(record.close().model_dump_json()) < 2_000_000
