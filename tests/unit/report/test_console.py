"""What the person at the Prow page reads: single lines, of which only the last is highlighted."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BuildFailed, CredentialsRefused, RunEnded
from runner.report.console import LINE_BYTES, Outlet, cut, error_lines, open_log, released_line
from runner.report.record import Record, RecordDocument, ServiceDocument, error_document
from tests.support.records import DIGEST, ended_run, failed_run, good_run


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
    """A long cause is cut in the line and stands whole before it; a line over the limit says how much is missing."""
    *_, whole, last = error_lines(error_document(BuildFailed("é" * 20_000), None, None))
    assert last == f"ERROR: {'é' * 398} … {BuildFailed.remedy} exit=6 code=build-failed"
    assert len(whole.encode()) < LINE_BYTES + 50
    assert "more bytes)" in whole
    remedy = "x" * 2_900
    *_, last = error_lines(error_document(BuildFailed("é" * 5000, remedy=remedy), None, None))
    assert last.endswith(f"{remedy} exit=6 code=build-failed")


@given(st.text(), st.text(), st.text(), st.integers(1, 3000))
def test_an_error_line_has_a_bound_whatever_is_in_it(cause: str, remedy: str, step: str, times: int) -> None:
    """Cause, remedy and step are cut, each for itself: the code is always there, and the line is within the limit."""
    error = BuildFailed(cause * times, remedy=remedy * times, detail=[cause * times])
    *_, last = lines = list(error_lines(error_document(error, "s3", step * times)))
    assert last.startswith("ERROR: ")
    assert last.endswith(" service=s3")
    assert " exit=6 code=build-failed" in last
    assert all(len(line.encode()) < 10_000 and line.isprintable() for line in lines)


def test_an_error_line_names_the_step_once() -> None:
    """The step stands in the line, with several words in quotes, also where a run was ended."""
    error = error_document(CredentialsRefused("401"), "s3", "publish chart")
    assert list(error_lines(error))[-1].endswith('exit=8 code=credentials-refused step="publish chart" service=s3')
    [ended] = ended_run().errors
    assert list(error_lines(ended)) == [
        f'ERROR: {ended.cause}. {RunEnded.remedy} exit=9 code=run-ended step="build, publish chart"'
    ]


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


def test_what_cannot_be_printed_is_spelt_out() -> None:
    """A character that a terminal would act on is spelt out in the lines that end a run, as in every other."""
    error = error_document(BuildFailed("\x1b[31mred", detail=["\u202eleft"]), None, None)
    detail, last = error_lines(error)
    assert detail == "  | \\u202eleft"
    assert last.startswith("ERROR: \\u001b[31mred. ")


class Broken(io.StringIO):
    """A stream that fails from the second write on."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.attempts = 0

    def write(self, text: str, /) -> int:
        """Take the first text."""
        self.attempts += 1
        if self.attempts > 1:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "full"), ValueError("I/O operation on closed file")])
def test_stream_that_goes_away(error: Exception) -> None:
    """A stream that takes no more, for whatever reason, stops nobody and is left alone; the log goes on elsewhere."""
    out, lines = Broken(error), io.StringIO()
    log = open_log(Outlet(out), lines)
    for event in ("one", "two", "three"):
        log.info(event)
    assert (out.getvalue().count("\n"), out.attempts) == (1, 2)
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["one", "two", "three"]


def test_file_that_takes_no_more() -> None:
    """A full disk under the log's file stops nobody, and stdout goes on."""
    out, file = io.StringIO(), Broken(OSError(28, "full"))
    log = open_log(Outlet(out), file)
    for event in ("one", "two", "three"):
        log.info(event)
    assert out.getvalue().count("\n") == 3
    assert (json.loads(file.getvalue())["event"], file.attempts) == ("one", 2)


class Flushed(io.StringIO):
    """A stream that shows what was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = ""

    def flush(self) -> None:
        """Show all so far."""
        self.seen = self.getvalue()


def test_every_line_is_flushed() -> None:
    """Each line is seen as soon as it is written: a run that is killed has said what it did."""
    out, lines = Flushed(), Flushed()
    log = open_log(Outlet(out), lines)
    for event in ("one", "two"):
        log.info(event)
        assert (f"event={event}" in out.seen, f'"event": "{event}"' in lines.seen) == (True, True)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "value=plain"),
        ("two words", 'value="two words"'),
        ("a=b", 'value="a=b"'),
        ("", 'value=""'),
        (7, "value=7"),
        ('say "x"', 'value="say \\"x\\""'),
        ("a\\b", "value=a\\\\b"),
        ("one\ntwo\x1b", "value=one\\ntwo\\u001b"),
        (None, None),
    ],
    ids=["plain", "space", "equals", "empty", "number", "quote", "backslash", "control", "nothing"],
)
def test_values_in_a_line(value: object, written: str | None) -> None:
    """A value stands as it is, in quotes where it would not end at the next space, on one line; nothing is left out."""
    out = io.StringIO()
    open_log(Outlet(out), None).info("told", value=value)
    assert out.getvalue().split(" ", 1)[1] == f"level=info event=told{'' if written is None else f' {written}'}\n"


def test_step_and_service_come_first() -> None:
    """After time, level and event stand step and service, wherever they were given."""
    out = io.StringIO()
    open_log(Outlet(out), None).warning("told", digest="d", service="s3", step="build")
    assert out.getvalue().split(" ", 1)[1] == "level=warning event=told step=build service=s3 digest=d\n"


def test_programs_get_any_value() -> None:
    """A value that JSON has no form for is its text in the file."""
    lines = io.StringIO()
    open_log(Outlet(io.StringIO()), lines).info("told", value={1}, path=BuildFailed("x"))
    assert json.loads(lines.getvalue())["value"] == "{1}"


@given(st.text(), st.integers(0, 60))
def test_cut_lines(line: str, limit: int) -> None:
    """A line within the limit stays; of another no byte more than the limit is kept, and the rest is counted."""
    shown = cut(line, limit)
    size = len(line.encode())
    if size <= limit:
        assert shown == line
        return
    kept, _, _ = shown.rpartition("…")
    assert line.startswith(kept)
    assert limit - 3 <= len(kept.encode()) <= limit
    assert shown == f"{kept}… ({size - limit} more bytes)"


def test_release_of_nothing() -> None:
    """A good run that released no service says so."""
    record = Record(lambda _: None)
    record.set_service(ServiceDocument(name="s3", selected=False, reason="x"))
    record.update(path="release")
    assert released_line(record.close()).startswith("RELEASED: nothing  (release, ")


def test_many_names_are_cut() -> None:
    """However many names a run wrote, its last line is one that the lens still searches."""
    document = good_run()
    names = tuple(document.entries[0].model_copy(update={"name": f"h/r:{number}"}) for number in range(500))
    assert len(released_line(RecordDocument(entries=names, path="release")).encode()) < 10_000
