"""What the page says, decided from the record alone; how it looks, and that it is safe, is test_html's."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import BuildFailed, CredentialsRefused, RegistryFailed
from runner.report.page import Decision, Fact, Failure, make_page
from runner.report.record import EntryDocument, JobDocument, PullDocument, Record, RecordDocument
from runner.report.status import status_of
from runner.report.timeline import bars

DIGEST, OTHER = ("sha256:" + letter * 64 for letter in "ab")
SOURCE = "https://github.com/aws-controllers-k8s/s3-controller"
REGISTRY = "public.ecr.aws/ack"
COMMIT = "c" * 40


def entry(name: str, kind: str = "image", service: str = "s3", **fields: Any) -> EntryDocument:
    """An entry that this run wrote, unless ``fields`` say otherwise."""
    values = {"service": service, "kind": kind, "name": f"{REGISTRY}/{name}", "action": "publish", "reason": "why"}
    return EntryDocument.model_validate({**values, "digest": DIGEST, "written": True, **fields})


def document(*entries: EntryDocument, **fields: Any) -> RecordDocument:
    return RecordDocument.model_validate({"registry": REGISTRY, "entries": entries, "exit": 0, **fields})


def facts(**fields: Any) -> list[tuple[str, str, str | None]]:
    """Term, value and address of each fact, but for the registry's, which is always there."""
    found = make_page(document(**fields)).facts
    return [(one.term, one.value, one.address) for one in found if one.term != "Registry"]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_failures_with_the_worst_first() -> None:
    """The error that decided the exit code comes first, the others in the order in which they occurred."""
    record = Record(lambda _: None)
    for error, service in ((RegistryFailed("b"), "ecr"), (BuildFailed("a", detail=["x"]), "s3")):
        with pytest.raises(type(error)), record.step("build", service):
            raise error
        record.fail(error, service)
    record.fail(CredentialsRefused("c"))
    record.fail(BuildFailed("d"), "eks")
    assert make_page(record.close()).failures == (
        Failure("c", CredentialsRefused.remedy, None, "credentials-refused", 8, ()),
        Failure("b", RegistryFailed.remedy, "build of ecr", "registry-failed", 7, ()),
        Failure("a", BuildFailed.remedy, "build of s3", "build-failed", 6, ("x",)),
        Failure("d", BuildFailed.remedy, "eks", "build-failed", 6, ()),
    )


# --- facts ------------------------------------------------------------------------------------------------------------


def test_facts_of_a_release() -> None:
    """A tag, its commit and its repository lead to where they can be seen."""
    assert facts(ref="v1.2.3", version="1.2.3", path="release", source=SOURCE, commit=COMMIT) == [
        ("Tag", "v1.2.3", f"{SOURCE}/releases/tag/v1.2.3"),
        ("Commit", "ccccccc", f"{SOURCE}/commit/{COMMIT}"),
        ("Repository", SOURCE.removeprefix("https://"), SOURCE),
    ]


def test_facts_of_stable() -> None:
    """Stable is a branch; the version that it moves to leads to its tag."""
    assert facts(ref="stable", version="1.2.3", path="stable", source=SOURCE) == [
        ("Branch", "stable", None),
        ("Version", "1.2.3", f"{SOURCE}/releases/tag/v1.2.3"),
        ("Repository", SOURCE.removeprefix("https://"), SOURCE),
    ]


def test_facts_of_what_is_no_release() -> None:
    """A ref of which nothing is known is told as a ref, and leads nowhere."""
    assert facts(ref="v1.2.3", source=SOURCE)[0] == ("Ref", "v1.2.3", None)


def test_facts_of_a_check() -> None:
    """A check is of a branch and of pull requests, each with its head; tag and merged commit lead nowhere yet."""
    pulls = (PullDocument(number="7", commit="a" * 40), PullDocument(number="8", commit="b" * 40))
    fields = {"version": "1.2.3", "path": "release", "as_tag": "v1.2.3", "commit": COMMIT, "source": SOURCE}
    assert facts(ref="main", pulls=pulls, **fields) == [
        ("Branch", "main", None),
        ("Planned as", "v1.2.3", None),
        ("Pull request", "7 at aaaaaaa", f"{SOURCE}/pull/7"),
        ("Pull request", "8 at bbbbbbb", f"{SOURCE}/pull/8"),
        ("Commit", "ccccccc", None),
        ("Repository", SOURCE.removeprefix("https://"), SOURCE),
    ]


def test_facts_of_a_check_of_stable() -> None:
    """A check of stable names the version without an address: what is planned may be of no tag yet."""
    assert facts(ref="stable", version="1.2.3", path="stable", as_tag="from-chart", source=SOURCE)[:3] == [
        ("Branch", "stable", None),
        ("Planned as", "from-chart", None),
        ("Version", "1.2.3", None),
    ]


def test_facts_of_where_and_when() -> None:
    """Registry and folder, when the run began to the second, and how long it took."""
    step = {"name": "event", "outcome": "passed", "started": "2026-01-02T03:04:05.678+00:00", "seconds": 1.0}
    found = make_page(document(staging=True, layout_folder="out", steps=(step,), timings={"total": 61.0})).facts
    assert found == (
        Fact("Registry", f"{REGISTRY} (staging)"),
        Fact("Folder", "out"),
        Fact("Began", "2026-01-02 03:04:05 UTC"),
        Fact("Took", "1 min 01 s"),
    )


@pytest.mark.parametrize("commit", ["c" * 40, "c" * 64])
def test_a_commit_is_short_and_whole(commit: str) -> None:
    """A commit is shown as GitHub shows it; the whole of it is there, too."""
    [fact] = make_page(RecordDocument(commit=commit)).facts
    assert fact == Fact("Commit", "ccccccc", None, commit)


@pytest.mark.parametrize("text", ["c" * 39, "C" * 40, "c" * 41, "<b>", ""])
def test_what_is_no_commit_is_not_shortened(text: str) -> None:
    """What is no id of an object is shown as it is, and goes into no attribute."""
    assert [(one.value, one.whole) for one in make_page(RecordDocument(commit=text)).facts] == [(text, None)] * bool(
        text
    )


def test_job_of_the_run() -> None:
    """A job is told by its name and its build, and leads to Deck where that is known."""
    job = JobDocument(name="s3-release", build="12", page="https://prow.example/view/gs/b/logs/s3-release/12")
    assert make_page(RecordDocument(job=job)).facts == (Fact("Job", "s3-release 12", job.page),)
    assert make_page(RecordDocument(job=JobDocument(name="s3-release"))).facts == (Fact("Job", "s3-release"),)


def test_no_facts() -> None:
    """Of a run that knows nothing there is nothing to tell."""
    assert make_page(RecordDocument()).facts == ()


# --- artifacts --------------------------------------------------------------------------------------------------------


def test_names_of_one_content_stand_together() -> None:
    """Names of one content are one artifact, in the order of the plan; image and chart are two, whatever they hold."""
    page = make_page(document(entry("x:1"), entry("x:1", "chart"), entry("y:1"), entry("z:1", digest=OTHER)))
    assert [(one.title, one.names, one.digest) for one in page.artifacts] == [
        ("Image", (f"{REGISTRY}/x:1", f"{REGISTRY}/y:1"), DIGEST),
        ("Chart", (f"{REGISTRY}/x:1",), DIGEST),
        ("Image", (f"{REGISTRY}/z:1",), OTHER),
    ]


def test_titles_of_several_services() -> None:
    """Where there are several services each artifact says whose it is."""
    page = make_page(document(entry("x:1"), entry("y:1", "chart", "ecr")))
    assert [one.title for one in page.artifacts] == ["Image of s3", "Chart of ecr"]


@pytest.mark.parametrize(
    ("written", "state"),
    [((True, True), "written"), ((False, False), "already there"), ((False, True), "completed")],
)
def test_state_of_content(written: tuple[bool, bool], state: str) -> None:
    """Content is written when all its names are, was there before when none is, else it was completed."""
    rows = (entry(f"x:{one}", written=one, action="publish" if one else "skip") for one in written)
    numbered = (row.model_copy(update={"name": f"{row.name}-{place}"}) for place, row in enumerate(rows))
    assert [one.state for one in make_page(document(*numbered)).artifacts] == [state]


def test_state_of_an_adopted_image() -> None:
    """An image of the former job is told as adopted; with a further name as completed, like any other."""
    there = entry("x:1", action="skip", written=False, adopted=True)
    assert [one.state for one in make_page(document(there)).artifacts] == ["adopted"]
    assert [one.state for one in make_page(document(there, entry("y:1"))).artifacts] == ["completed"]


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "refuse", "written": False},
        {"action": "publish", "written": False},
        {"action": "skip", "written": False, "digest": None},
    ],
    ids=["refused", "not written", "held back"],
)
def test_what_is_no_artifact(fields: dict[str, Any]) -> None:
    """What is not in the registry as this release is no artifact; nor is what went into a folder."""
    assert make_page(document(entry("x:1", **fields))).artifacts == ()
    assert make_page(document(entry("x:1"), layout_folder="out")).artifacts == ()


def test_how_to_pull() -> None:
    """Content is pulled by each of its names, and once by digest; the gallery's page is that of the first name."""
    (image,) = make_page(document(entry("x:1"), entry("y:1"))).artifacts
    by_name, by_digest = "Pull by name", "Pull by digest: always this content"
    assert image.pulls == (
        (by_name, f"docker pull {REGISTRY}/x:1"),
        (by_name, f"docker pull {REGISTRY}/y:1"),
        (by_digest, f"docker pull {REGISTRY}/x@{DIGEST}"),
    )
    assert image.address == "https://gallery.ecr.aws/ack/x"


def test_chart_under_a_name_that_helm_cannot_find() -> None:
    """A name that a client cannot pull by is left out; the digest always works."""
    (chart,) = make_page(document(entry("chart:s3-v1.2.3", "chart"))).artifacts
    assert chart.pulls == (("Pull by digest: always this content", f"helm pull oci://{REGISTRY}/chart@{DIGEST}"),)


def test_history_stands_after_what_moves() -> None:
    """The name under which a move is remembered stands last, and is not offered."""
    history, moving = "s3-chart:v1-stable-20260102T030405Z-ccccccc", "s3-chart:v1-stable"
    (chart,) = make_page(document(entry(history, "chart"), entry(moving, "chart"))).artifacts
    assert chart.names == (f"{REGISTRY}/{moving}", f"{REGISTRY}/{history}")
    assert not any(history in command for _, command in chart.pulls)
    assert len(chart.pulls) == 2


# --- decisions --------------------------------------------------------------------------------------------------------


def test_decisions() -> None:
    """Each name, without the registry, has what was decided in a word, how that is, and why."""
    entries = (
        entry("a:1"),
        entry("b:1", written=False),
        entry("c:1", action="skip", written=False),
        entry("d:1", action="refuse", written=False),
        entry("e:1", action="skip", written=False, adopted=True),
        entry("f:1", written=False, restores=True, restored=True),
    )
    assert make_page(document(*entries)).decisions == (
        Decision("a:1", "written", "good", "why"),
        Decision("b:1", "not published", "quiet", "why"),
        Decision("c:1", "skipped", "quiet", "why"),
        Decision("d:1", "refused", "refused", "why"),
        Decision("e:1", "adopted", "quiet", "why"),
        Decision("f:1", "restored", "good", "why"),
    )
    assert make_page(document(entries[1], command="plan")).decisions == (Decision("b:1", "to publish", "quiet", "why"),)


# --- steps ------------------------------------------------------------------------------------------------------------


def steps(*places: tuple[str, str | None]) -> RecordDocument:
    started = "2026-01-02T03:04:05.000+00:00"
    rows = ({"name": name, "service": of, "outcome": "passed", "started": started, "seconds": 2} for name, of in places)
    return document(steps=tuple(rows))


@pytest.mark.parametrize(
    ("places", "ambiguous"),
    [
        ((("event", None), ("plan", "s3")), set[str]()),
        ((("describe", None), ("describe", "s3"), ("plan", "s3")), {"describe"}),
        ((("event", None), ("plan", "s3"), ("chart", "ecr")), {"event", "plan", "chart"}),
    ],
    ids=["one service", "run and service", "several services"],
)
def test_steps_that_need_their_service(places: tuple[tuple[str, str | None], ...], ambiguous: set[str]) -> None:
    """A step's name is not enough where the run has it, too, or where there are several services."""
    assert make_page(steps(*places)).ambiguous == ambiguous


def test_the_rest_is_as_others_decide() -> None:
    """Status, bars and the time of all steps are those that are decided elsewhere."""
    found = steps(("plan", "s3"), ("chart", "s3"))
    page = make_page(found)
    assert (page.status, page.bars, page.seconds) == (status_of(found), bars(found.steps), 2.0)
