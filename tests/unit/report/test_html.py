"""release.html: what it says, and that no value can be more than text, neither on its own nor in Prow's frame."""

from __future__ import annotations

import itertools
import json
import re
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from runner.errors import (
    AlreadyPublished,
    BuildFailed,
    CredentialsRefused,
    NotARelease,
    RegistryFailed,
    ReleaseError,
    RunEnded,
)
from runner.report.html import render_html, safe_address, safe_text, safe_word
from runner.report.record import (
    EntryDocument,
    JobDocument,
    PullDocument,
    Record,
    RecordDocument,
    ServiceDocument,
    short_cause,
)
from tests.support.records import DIGEST, HOSTILE, NAMES, REGISTRY, built, everywhere, record_of, record_of_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selectolax.lexbor import LexborNode

ANY_TEXT = st.sampled_from(HOSTILE) | st.text(min_size=1) | st.text("<>&\"';#ltscrip/ =", min_size=1)


JOB = "https://prow.example/view/s3/logs-of-prow/logs/s3-release/12"


def alone(text: str) -> LexborHTMLParser:
    """The page opened by itself."""
    return LexborHTMLParser(text)


def in_prow(text: str) -> LexborHTMLParser:
    """The page as Prow's html lens shows it: in an attribute of a frame, with nothing escaped but the double quote."""
    quoted = text.replace('"', "&quot;")
    frame = LexborHTMLParser(f'<iframe srcdoc="{quoted}" title="release.html"></iframe>').css_first("iframe")
    assert frame is not None
    return LexborHTMLParser(f'<div id="wrapper">{frame.attributes["srcdoc"]}</div>')


VIEWS = pytest.mark.parametrize("view", [alone, in_prow])


def words(view: LexborHTMLParser, where: str = "body") -> str:
    """The text of a part of the page, each run of white space as one space."""
    node = view.css_first(where)
    assert node is not None, where
    for style in view.css("style"):
        style.decompose()
    return " ".join(node.text(deep=True, separator="").split())


def skeleton(view: LexborHTMLParser) -> list[tuple[str, tuple[tuple[str, str | None], ...]]]:
    """Every element with its attributes, but those that only keep a character apart."""

    def walk(node: LexborNode) -> Iterator[LexborNode]:
        for child in node.iter(include_text=False):
            yield child
            yield from walk(child)

    assert view.root is not None
    moving = ("style",)
    return [
        (str(node.tag), tuple(item for item in sorted(node.attributes.items()) if item[0] not in moving))
        for node in walk(view.root)
        if node.tag != "i"
    ]


def headline(record: Record) -> tuple[str, str, str]:
    """Status, headline and meaning of a page."""
    page = alone(render_html(record.close()))
    return words(page, ".status .word"), words(page, "h1"), words(page, ".meaning")


# --- escaping ---------------------------------------------------------------------------------------------------------


@VIEWS
@given(text=ANY_TEXT)
def test_no_value_becomes_an_element(view: Callable[[str], LexborHTMLParser], text: str) -> None:
    """Whatever the values, the page has the elements and attributes that it has with harmless ones."""
    assert skeleton(view(render_html(everywhere(text)))) == skeleton(view(render_html(everywhere("x"))))


@VIEWS
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_value_is_seen_as_it_is(view: Callable[[str], LexborHTMLParser], text: str) -> None:
    """Each value is read as the text that it is, with what cannot be seen spelt out."""
    page = view(render_html(record_of(error=built, text=text).close()))
    seen = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    expected = " ".join(seen.split())
    assert words(page, ".cause") == short_cause(expected)
    assert expected in words(page, "pre")
    assert expected in words(page, "main")


@given(st.text())
def test_a_text_is_the_same_however_often_it_is_decoded(text: str) -> None:
    """An escaped text gives one text when it is decoded once, and when it is decoded twice."""
    escaped = str(safe_text(text))
    assert alone(f"<p>{escaped}</p>").text() == in_prow(f"<p>{escaped}</p>").text()


@given(ANY_TEXT)
def test_the_title_can_stand_anywhere(text: str) -> None:
    """Prow shows the title unescaped: it holds nothing that means something in HTML, and is not long."""
    title = alone(render_html(record_of(error=built, ref=text, version=text).close())).css_first("title")
    assert title is not None
    assert re.fullmatch(r"Failed: [A-Za-z0-9 .,:()_-]{0,120}", title.text())


@pytest.mark.parametrize("address", ["javascript:alert(1)", 'https://a/"', "https://a/<b>", "https://a/?a&b", "x"])
def test_only_addresses_that_need_no_escape_stand_in_attributes(address: str) -> None:
    """An address with a letter that means something in HTML, or that is no web address, is not let in."""
    with pytest.raises(ValueError, match="needs no escape"):
        safe_address(address)


def test_nothing_but_text_and_numbers_is_shown() -> None:
    """A value of another kind, such as one that is missing, fails instead of being shown as Python writes it."""
    with pytest.raises(TypeError):
        safe_text(None)


@pytest.mark.parametrize("record", [record_of(), record_of(error=built)], ids=["good", "failed"])
def test_the_page_needs_nothing_but_itself(record: Record) -> None:
    """There is no script, no picture, no style sheet and no font from elsewhere; links open beside Prow's frame."""
    text = render_html(record.close())
    page = alone(text)
    assert not page.css("script, img, link, iframe, object, embed, base, form, input")
    assert not re.search(r"url\(|@import|javascript:|\son[a-z]+=", text)
    links = page.css("a")
    assert links
    assert {(link.attributes["target"], link.attributes["rel"]) for link in links} == {
        ("_blank", "noopener noreferrer")
    }


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_failure_begins_with_cause_and_remedy() -> None:
    """Before anything else stand what went wrong, at which step, what to do, and what the tool said."""
    page = alone(render_html(record_of(error=built, text="main.go:3: undefined: x").close()))
    text = words(page)
    order = [
        "Failed",
        "s3 1.2.3 was not released",
        "Nothing was written by this run.",
        "What went wrong at build of s3",
        "main.go:3: undefined: x",
        "What to do now",
        BuildFailed.remedy,
        "line 1",
        "Exit code 6, build-failed",
        "Plan",
    ]
    places = [text.find(one) for one in order]
    assert -1 not in places
    assert places == sorted(places)


def test_every_failure_is_told_and_the_worst_one_first() -> None:
    """With several errors the one that decided the exit code comes first."""
    record = record_of(error=built)
    record.fail(CredentialsRefused("401"), "ecr")
    causes = alone(render_html(record.close())).css(".cause")
    assert [cause.text() for cause in causes] == ["401", "x"]


def test_a_release_says_what_from_where_and_how_to_pull_it() -> None:
    """A good release shows tag, commit, digests, names, and commands that pull them; the gallery is linked."""
    page = alone(render_html(record_of().close()))
    text = words(page)
    assert headline(record_of()) == ("Released", "s3 1.2.3 is released", f"3 tags written to {REGISTRY}.")
    commands = [node.text() for node in page.css(".pulls code")]
    assert commands == [
        f"docker pull {REGISTRY}/controller:s3-v1.2.3",
        f"docker pull {REGISTRY}/controller@{DIGEST}",
        f"helm pull oci://{REGISTRY}/s3-chart --version 1.2.3",
        f"helm pull oci://{REGISTRY}/chart@{DIGEST}",
    ]
    assert all(f"{REGISTRY}/{name}" in text for name in NAMES)
    assert text.count(DIGEST) == 4
    addresses = {link.attributes["href"] for link in page.css("a")}
    source = "https://github.com/aws-controllers-k8s/s3-controller"
    assert {
        source,
        f"{source}/commit/{'c' * 40}",
        f"{source}/releases/tag/v1.2.3",
        "https://gallery.ecr.aws/ack/controller",
    } <= addresses


def test_a_rerun_says_that_all_was_there() -> None:
    """A run that found everything says that nothing was sent, and how to pull what is there."""
    record = record_of(action="skip", text="already published from this commit")
    status, told, meaning = headline(record)
    assert (status, told) == ("Nothing to send", "s3 1.2.3 is already released")
    assert meaning.startswith("Nothing was sent")
    page = alone(render_html(record.document))
    assert [node.text() for node in page.css("td.quiet .word")] == ["skipped"] * 3
    assert page.css(".pulls code")
    assert "already published from this commit" in words(page, ".plan")


def test_a_refusal_shows_each_name_with_its_reason() -> None:
    """A refused release says so, and shows no command for what is not this release."""
    record = record_of(error=AlreadyPublished, action="refuse", text="published from commit d")
    assert headline(record)[:2] == ("Refused", "s3 1.2.3 was refused")
    page = alone(render_html(record.document))
    assert [node.text() for node in page.css("td.refused .word")] == ["refused"] * 3
    assert words(page, ".plan").count("published from commit d") == 3
    assert not page.css(".pulls")


def test_a_plan_changes_nothing_and_says_so() -> None:
    """A plan says what a run would publish; there is nothing to pull."""
    record = record_of(command="plan")
    status, told, meaning = headline(record)
    assert (status, told) == ("Planned", "s3 1.2.3 can be released")
    assert meaning == "Planned, nothing was changed: 3 to publish, 0 to skip."
    assert not alone(render_html(record.document)).css(".pulls")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotARelease("x"), "s3 1.2.3 cannot be released"),
        (RegistryFailed("x"), "s3 1.2.3 could not be planned"),
        (None, "The plan of s3 1.2.3 was stopped"),
    ],
)
def test_a_plan_that_fails_is_no_release_that_failed(error: ReleaseError | None, told: str) -> None:
    """A plan that came to no good end says so of the plan, and that nothing was changed."""
    record = record_of(command="plan")
    if error is None:
        record.end("SIGTERM")
    else:
        record.fail(error, "s3")
    assert headline(record)[1] == told
    assert headline(record)[2].startswith("A plan changes nothing.")


@pytest.mark.parametrize(("command", "told"), [("run", "The release was stopped"), ("plan", "The plan was stopped")])
def test_a_run_stopped_before_anything_is_known(command: str, told: str) -> None:
    """A run that is ended before its ref is known speaks of the release or the plan alone."""
    record = Record(lambda _: None)
    record.update(command=command)
    record.end("SIGTERM")
    assert headline(record)[:2] == ("Stopped", told)


@pytest.mark.parametrize(
    ("path", "others", "told"),
    [
        ("release", ("ecr",), "The release of ecr, s3 1.2.3 was stopped"),
        ("release", ("ecr", "eks", "iam"), "The release of 4 services 1.2.3 was stopped"),
        ("stable", (), "The move of s3 stable was stopped"),
        ("stable", ("ecr",), "The move of ecr, s3 stable was stopped"),
    ],
)
def test_a_stopped_run_of_any_number_of_services(path: str, others: tuple[str, ...], told: str) -> None:
    """What was stopped is the release or the move, so the headline is singular however many services it has."""
    record = record_of(action="publish", path=path)
    for service in others:
        record.set_service(ServiceDocument(name=service, selected=True, reason="x"))
    record.end("SIGTERM")
    assert headline(record)[:2] == ("Stopped", told)


def test_a_plan_of_stable_that_is_refused() -> None:
    """A plan says of stable that it cannot move."""
    record = record_of(command="plan", path="stable", ref="stable")
    record.fail(NotARelease("x"), "s3")
    assert headline(record)[1] == "s3 stable cannot move"


def test_a_service_that_failed_before_it_was_chosen_counts() -> None:
    """Of a change whose one service cannot be released, the others are not reported as refused."""
    record = record_of(command="plan", as_tag="from-chart", ref="main", version=None)
    record.set_service(ServiceDocument(name="ecr", selected=False, reason="x"))
    record.fail(NotARelease("x"), "ecr")
    assert headline(record)[1] == "1 of 2 services cannot be released"
    only = Record(lambda _: None)
    only.update(command="plan", as_tag="from-chart", ref="main")
    only.set_service(ServiceDocument(name="ecr", selected=False, reason="x"))
    only.fail(NotARelease("x"), "ecr")
    assert headline(only)[1] == "ecr cannot be released"


def test_a_check_leads_to_the_pull_request() -> None:
    """A check shows which pull request it is of, and links that; the commit that was merged for it leads nowhere."""
    pull = PullDocument(number="7", commit="d" * 40)
    page = alone(render_html(record_of(command="plan", ref="main", as_tag="from-chart", pulls=(pull,)).document))
    assert "7 at ddddddd" in words(page, ".facts")
    assert [node.attributes["title"] for node in page.css(".facts [title]")] == ["d" * 40, "c" * 40]
    addresses = {str(link.attributes["href"]) for link in page.css("a")}
    assert "https://github.com/aws-controllers-k8s/s3-controller/pull/7" in addresses
    assert not [address for address in addresses if "/commit/" in address]


def test_an_ended_run_says_where_and_that_a_rerun_finishes_it() -> None:
    """A run that a signal ended says at which step, what was written, and that a rerun completes it."""
    record = record_of(action="publish", command="run")
    record.written(f"{REGISTRY}/controller:s3-v1.2.3", DIGEST)
    with record.step("publish image", "s3"):
        record.end("SIGTERM")
    status, told, meaning = headline(record)
    assert (status, told) == ("Stopped", "The release of s3 1.2.3 was stopped")
    assert meaning == "1 of 3 tags written; each of them is complete. A rerun finishes it."
    page = alone(render_html(record.document))
    assert words(page, ".cause") == "the run was ended by SIGTERM during publish image of s3"
    assert words(page, ".remedy") == RunEnded.remedy
    assert words(page, "li.failed .step") == "publish image"


def test_of_several_services_it_is_told_how_many_failed() -> None:
    """When one of many services fails, the headline does not say that all of them did; what went wrong names it."""
    page = alone(render_html(record_of_many(5)))
    assert (words(page, ".status .word"), words(page, "h1")) == ("Failed", "1 of 6 services was not released")
    assert words(page, ".meaning") == "10 of 12 tags written; each of them is complete."
    assert words(page, ".failure h2") == "What went wrong at build of broken"


def test_several_services_are_told_as_several() -> None:
    """A headline about several services names them while there are few, and counts them where there are many."""
    record = record_of()
    record.set_service(ServiceDocument(name="ecr", selected=True, reason="x"))
    assert headline(record)[1] == "ecr, s3 1.2.3 are released"
    record = record_of()
    for service in ("ecr", "eks", "iam"):
        record.set_service(ServiceDocument(name=service, selected=True, reason="x"))
    assert headline(record)[1] == "4 services 1.2.3 are released"


def test_a_step_names_its_service_where_its_name_is_not_enough() -> None:
    """A step that the run has, too, says of which service it is; one that only the service has needs not."""
    record = record_of()
    for service in (None, "s3"):
        with record.step("describe", service):
            pass
    page = alone(render_html(record.close()))
    told = [" ".join(one.text(deep=True).split()) for one in page.css(".short .steps > li > span:first-child")]
    assert told == ["○ publish chart skipped", "✓ describe", "✓ describe s3"]


def test_short_steps_are_folded_into_one_row() -> None:
    """Steps that took no time stand in one row, closed, that says how many there are and what they took together."""
    times = iter(count(0, 0.03))
    record = Record(lambda _: None, clock=lambda: next(times))
    for name in ("event", "configuration"):
        with record.step(name):
            pass
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise BuildFailed("x")
    page = alone(render_html(record.close()))
    [row] = page.css(".steps > .short")
    [details] = row.css("details")
    assert "open" not in details.attributes
    assert words(page, ".short summary") == "2 steps under 100 ms 60 ms together"
    assert [node.text() for node in page.css(".steps > li.failed > span .step")] == ["build"]
    assert not row.css(".failed")


@pytest.mark.parametrize("view", [alone, in_prow])
def test_a_sign_stands_beside_every_colour(view: Callable[[str], LexborHTMLParser]) -> None:
    """Status, decisions and steps have a mark of their own; where no word says the same it has a name."""
    page = view(render_html(record_of(error=built, action="refuse").close()))
    coloured = page.css("header .status, td.good, td.quiet, td.refused, td.failed, .steps li:not(.short)")
    assert len(coloured) == 1 + 3 + 2
    signs = [one.css(".sign") for one in coloured]
    assert all(len(found) == 1 for found in signs)
    assert [found[0].text() for found in signs] == ["✗", "!", "!", "!", "○", "✗"]
    assert all(found[0].attributes.get("aria-hidden") == "true" for found in signs)
    passed = Record(lambda _: None)
    with passed.step("event"):
        pass
    [sign] = view(render_html(passed.close())).css(".steps .sign")
    assert (sign.text(), sign.attributes["role"], sign.attributes["aria-label"]) == ("✓", "img", "passed")


def test_the_page_leads_to_its_job_and_to_the_files_beside_it() -> None:
    """The job's address is the one of the record; files are linked as what lies beside, and only those that exist."""
    record = record_of()
    record.update(job=JobDocument(name="s3-release", build="12", page=JOB), tools={"helm": "v4", "other": "1"})
    page = alone(render_html(record.close()))
    [job] = [link for link in page.css(".facts a") if link.text() == "s3-release 12"]
    assert job.attributes["href"] == JOB
    assert [link.attributes["href"] for link in page.css(".files .beside a")] == ["record.json", "helm-build-log.txt"]
    assert [name.text() for name in page.css(".files .framed")] == ["record.json", "helm-build-log.txt"]


def test_a_job_whose_page_is_not_known() -> None:
    """A job is named without a link where its address is not known, or could be more than an address."""
    for address in (None, "javascript:alert(1)", f'{JOB}"'):
        record = record_of()
        record.update(job=JobDocument(name="s3-release", page=address))
        page = alone(render_html(record.close()))
        assert "s3-release" in words(page, ".facts")
        assert "s3-release" not in [link.text() for link in page.css("a")]


@pytest.mark.parametrize("word", ["", ".", "../x", "a b", "a/b", "a:b", 'a"', "<a>", "a&b", "-a"])
def test_only_words_that_need_no_escape_stand_in_attributes(word: str) -> None:
    """What is no plain id or name of a file is not let into an attribute."""
    with pytest.raises(ValueError, match="needs no escape"):
        safe_word(word)


def test_the_long_parts_of_a_long_page_are_folded() -> None:
    """With many services the artifacts, the plan and the steps are folded; with one they are not."""
    assert not alone(render_html(record_of().close())).css("details.part")
    page = alone(render_html(record_of_many(40)))
    titles = [one.text(deep=False).strip() for one in page.css("details.part h2, details.part h3")]
    assert {"Plan", "Steps", "Image of service0", "Chart of service39"} <= set(titles)


def test_what_is_no_release_is_told_by_its_ref() -> None:
    """Before any service is known, the page speaks of the ref."""
    record = Record(lambda _: None)
    record.update(ref="main")
    record.fail(NotARelease("the ref main is no release"))
    assert headline(record) == ("Refused", "main was refused", "Nothing was written by this run.")


def test_a_service_that_is_not_in_the_tag_is_told_with_the_reason() -> None:
    """A job whose service is left out ends well, and says why there was nothing to do."""
    record = Record(lambda _: None)
    record.set_service(ServiceDocument(name="s3", selected=False, reason="its chart has 1.2.2"))
    assert headline(record) == ("Nothing to do", "There is nothing to release", "s3: its chart has 1.2.2")


def test_many_services_that_are_left_out() -> None:
    """Of many services that are left out the headline counts them; where none was found it says so."""
    assert headline(Record(lambda _: None))[2] == "No service is released."
    record = Record(lambda _: None)
    for service in ("ecr", "eks", "iam", "s3"):
        record.set_service(ServiceDocument(name=service, selected=False, reason="its chart has 1.2.2"))
    assert headline(record)[2] == "None of 4 services is released; the reasons are below."


@pytest.mark.parametrize(
    ("action", "told"), [("publish", "s3 stable moved to 1.2.3"), ("skip", "s3 stable is already 1.2.3")]
)
def test_stable_is_told_as_a_move(action: str, told: str) -> None:
    """What moves is the stable chart, and the version is what it moves to."""
    assert headline(record_of(action=action, path="stable", ref="stable"))[1] == told


def test_what_stable_was_stands_after_what_it_is() -> None:
    """The history of a move is listed after the name that consumers use, and is not offered to be pulled."""
    record = Record(lambda _: None)
    record.update(path="stable", ref="stable", version="1.2.3", registry=REGISTRY)
    record.set_service(ServiceDocument(name="s3", selected=True, reason="x"))
    moving, history = f"{REGISTRY}/s3-chart:v1-stable", f"{REGISTRY}/s3-chart:v1-stable-20260102T030405Z-ccccccc"
    rows = (
        EntryDocument(service="s3", kind="chart", name=name, action="publish", reason="x", digest=DIGEST)
        for name in (history, moving)
    )
    record.set_entries("s3", tuple(rows))
    for name in (history, moving):
        record.written(name, DIGEST)
    page = alone(render_html(record.close()))
    assert [node.text() for node in page.css(".names code")] == [moving, history]
    assert [node.text() for node in page.css(".pulls code")] == [
        f"helm pull oci://{REGISTRY}/s3-chart --version v1-stable",
        f"helm pull oci://{REGISTRY}/s3-chart@{DIGEST}",
    ]


def test_a_folder_is_told_as_a_folder() -> None:
    """What went into a layout folder is not said to be published, and cannot be pulled."""
    record = record_of(layout_folder="out")
    assert headline(record)[:2] == ("Written", "s3 1.2.3 was written to a folder")
    assert not alone(render_html(record.document)).css(".pulls")


@pytest.mark.parametrize("document", [RecordDocument(), Record(lambda _: None).close(), record_of().document])
def test_any_record_has_a_page(document: RecordDocument) -> None:
    """A run that failed at once, one that knows nothing, and one that goes on have a page, too."""
    assert alone(render_html(document)).css("h1")


def test_headings_and_tables_are_what_they_are() -> None:
    """The page has one h1, no level of headings is left out, and its table has a caption and headers with scopes."""
    page = alone(render_html(record_of(error=built).close()))
    levels = [int(str(node.tag)[1]) for node in page.css("h1, h2, h3, h4")]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.css("table")) == len(page.css("table > caption"))
    assert all(cell.attributes.get("scope") for cell in page.css("th"))
