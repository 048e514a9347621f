"""What is said of a run first: how it came out, decided from the record alone."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode
from runner.report.record import EntryDocument, ErrorDocument, RecordDocument, ServiceDocument
from runner.report.status import REFUSALS, Tone, status_of

Action = Literal["publish", "skip", "refuse"]


def row(action: Action = "publish", *, written: bool = False, service: str = "s3") -> EntryDocument:
    name = f"h/ns/{service}:{action}"
    return EntryDocument(service=service, kind="image", name=name, action=action, reason="x", written=written)


def service(name: str = "s3", *, selected: bool = True) -> ServiceDocument:
    return ServiceDocument(name=name, selected=selected, reason=f"why of {name}")


def error(code: int, name: str | None = "s3") -> ErrorDocument:
    return ErrorDocument(code="x", cause="c", remedy="r", exit=code, service=name)


def document(
    *entries: EntryDocument, services: tuple[ServiceDocument, ...] = (service(),), **fields: object
) -> RecordDocument:
    """The record of a release of 1.2.3 that came to a good end, unless ``fields`` say otherwise."""
    values = {"ref": "v1.2.3", "version": "1.2.3", "path": "release", "registry": "h/ns", "exit": 0}
    return RecordDocument.model_validate({**values, "entries": entries, "services": services, **fields})


def failed(*errors: ErrorDocument, **fields: Any) -> RecordDocument:
    return document(row(), errors=errors, error=errors[0], exit=errors[0].exit, **fields)


STATES: dict[str, tuple[RecordDocument, Tone, str]] = {
    "running": (document(row(), exit=None), "quiet", "Running"),
    "written": (document(row(written=True)), "good", "Released"),
    "restored": (document(row("skip"), row().model_copy(update={"restored": True})), "good", "Restored"),
    "all there": (document(row("skip")), "quiet", "Nothing to send"),
    "nothing selected": (document(services=(service(selected=False),)), "quiet", "Nothing to do"),
    "no services": (document(services=()), "quiet", "Nothing to do"),
    "planned": (document(row(), command="plan"), "quiet", "Planned"),
    "folder": (document(row(written=True), layout_folder="out"), "good", "Written"),
    "ended": (failed(error(ExitCode.ENDED)), "refused", "Stopped"),
    "failed": (failed(error(ExitCode.BUILD_FAILED)), "failed", "Failed"),
}


@pytest.mark.parametrize("state", STATES)
def test_tone_and_word(state: str) -> None:
    """Each way a run can come out has its tone and its word."""
    found, tone, word = STATES[state]
    status = status_of(found)
    assert (status.tone, status.word) == (tone, word)


@pytest.mark.parametrize("code", [code for code in ExitCode if code not in {ExitCode.DONE, ExitCode.ENDED}])
def test_refused_or_failed(code: ExitCode) -> None:
    """What was not allowed is refused; what did not work has failed."""
    status = status_of(failed(error(code)))
    assert (status.tone, status.word) == (("refused", "Refused") if code in REFUSALS else ("failed", "Failed"))


def test_refusals_are_those_of_the_release() -> None:
    """A run is refused for what the release is; for usage, credentials, build and registry it fails."""
    assert {3, 4, 5} == REFUSALS


def test_what_is_released_names_service_and_version() -> None:
    """The headline of a release names what is released, in which version, and where it was written."""
    status = status_of(document(row(written=True), staging=True))
    assert status.headline == "s3 1.2.3 is released"
    assert status.meaning.endswith("written to h/ns (staging).")


def test_one_is_not_several() -> None:
    """What was written is counted in words that agree with the number."""
    one, two = (status_of(document(*(row(written=True),) * number)).meaning.split() for number in (1, 2))
    assert (one[0], two[0]) == ("1", "2")
    assert f"{one[1]}s" == two[1]


def test_what_was_there_is_counted() -> None:
    """What was there before is counted beside what was written."""
    found = status_of(document(row(written=True), row("skip"), row("skip")))
    assert found.meaning.startswith("1 ")
    assert found.meaning.endswith("written to h/ns, 2 already there.")
    assert "already there" not in status_of(document(row(written=True))).meaning


@pytest.mark.parametrize(
    ("names", "who"),
    [(("s3",), "s3 1.2.3 is"), (("ecr", "s3"), "ecr, s3 1.2.3 are"), (("a", "b", "c", "d"), "4 services 1.2.3 are")],
)
def test_who_is_released(names: tuple[str, ...], who: str) -> None:
    """Few services are named, many are counted, and the words agree."""
    found = document(row(written=True), services=tuple(map(service, names)))
    assert status_of(found).headline == f"{who} released"


def test_what_is_told_of_without_services() -> None:
    """Before a service is known the headline names the version that is planned, else the ref, else the release."""
    for fields, what in (
        ({"version": None, "as_tag": "v1.2.3"}, "v1.2.3"),
        ({"version": None}, "main"),
        ({"version": None, "ref": None}, "The release"),
    ):
        found = failed(error(ExitCode.NOT_A_RELEASE, None), services=(), **{"ref": "main", **fields})
        assert status_of(found).headline.startswith(f"{what} ")


def test_one_of_several_services() -> None:
    """Where some services failed and others did not, they are counted, whatever they failed for."""
    services = tuple(map(service, ("ecr", "eks", "s3")))
    for code in (ExitCode.CONFLICT, ExitCode.BUILD_FAILED):
        one = status_of(failed(error(code, "ecr"), services=services))
        assert (one.tone, one.headline) == ("failed", "1 of 3 services was not released")
    two = failed(error(ExitCode.CONFLICT, "ecr"), error(ExitCode.BUILD_FAILED, "eks"), services=services)
    assert status_of(two).headline == "2 of 3 services were not released"


def test_all_of_several_services() -> None:
    """Where every service failed, the release as a whole did."""
    errors = (error(ExitCode.BUILD_FAILED, "ecr"), error(ExitCode.BUILD_FAILED, "s3"))
    found = status_of(failed(*errors, services=(service("ecr"), service("s3"))))
    assert found.headline == "ecr, s3 1.2.3 were not released"


def test_service_that_failed_before_it_was_selected() -> None:
    """A service that failed before it was selected counts among those that are released."""
    services = (service("ecr"), service("s3", selected=False), service("eks", selected=False))
    found = status_of(failed(error(ExitCode.INVALID_RELEASE, "s3"), services=services))
    assert found.headline == "1 of 2 services was not released"


@pytest.mark.parametrize(
    ("fields", "headline"),
    [
        ({}, "1 of 2 services was not moved"),
        ({"command": "plan"}, "1 of 2 services cannot be moved"),
        ({"path": "release", "command": "plan"}, "1 of 2 services cannot be released"),
    ],
    ids=["moved", "plan of a move", "plan of a release"],
)
def test_some_services_of_stable_or_a_plan(fields: dict[str, object], headline: str) -> None:
    """What did not happen is said in the words of the path, and of a plan that it cannot."""
    found = failed(error(ExitCode.CONFLICT, "s3"), services=(service("ecr"), service()), **{"path": "stable", **fields})
    assert status_of(found).headline == headline


STABLE: dict[str, tuple[RecordDocument, str]] = {
    "running": (document(row(), path="stable", exit=None), "s3 stable is being moved"),
    "moved": (document(row(written=True), path="stable"), "s3 stable moved to 1.2.3"),
    "there": (document(row("skip"), path="stable"), "s3 stable is already 1.2.3"),
    "planned": (document(row(), path="stable", command="plan"), "s3 stable can move to 1.2.3"),
    "folder": (
        document(row(written=True), path="stable", layout_folder="out"),
        "s3 stable 1.2.3 was written to a folder",
    ),
    "refused": (failed(error(ExitCode.CONFLICT), path="stable"), "s3 stable may not move"),
    "failed": (failed(error(ExitCode.REGISTRY_FAILED), path="stable"), "s3 stable was not moved"),
    "refused plan": (failed(error(ExitCode.CONFLICT), path="stable", command="plan"), "s3 stable cannot move"),
    "versions differ": (document(row(written=True), path="stable", version=None), "s3 stable moved to their versions"),
}


def test_stable_of_several_services() -> None:
    """The words agree with the number of services."""
    services = (service("ecr"), service("s3"))
    there = document(row("skip"), services=services, path="stable")
    assert status_of(there).headline == "ecr, s3 stable are already 1.2.3"
    errors = (error(ExitCode.REGISTRY_FAILED, "ecr"), error(ExitCode.REGISTRY_FAILED, "s3"))
    assert status_of(failed(*errors, services=services, path="stable")).headline == "ecr, s3 stable were not moved"


@pytest.mark.parametrize("case", STABLE)
def test_stable_is_a_move(case: str) -> None:
    """Of stable it is said that it moves, to which version."""
    found, headline = STABLE[case]
    assert status_of(found).headline == headline


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (document(row(), command="plan"), "s3 1.2.3 can be released"),
        (document(row("skip"), command="plan"), "s3 1.2.3 is already released"),
        (failed(error(ExitCode.CONFLICT), command="plan"), "s3 1.2.3 cannot be released"),
        (failed(error(ExitCode.REGISTRY_FAILED), command="plan"), "s3 1.2.3 could not be planned"),
        (failed(error(ExitCode.ENDED), command="plan"), "The plan of s3 1.2.3 was stopped"),
    ],
    ids=["to publish", "all there", "refused", "failed", "ended"],
)
def test_a_plan_is_told_as_a_plan(found: RecordDocument, headline: str) -> None:
    """Of a plan it is said what a run would do, and that nothing was changed."""
    status = status_of(found)
    assert status.headline == headline
    assert status.meaning[0].isupper()
    assert "changed" in status.meaning or status.meaning.startswith("A plan changes nothing.")


@pytest.mark.parametrize(("written", "so_far"), [(0, "Nothing was written by this run."), (1, "1 of 2 ")])
def test_how_far_a_failed_run_came(written: int, so_far: str) -> None:
    """Of a run that failed it is said how much it had written, or that it was nothing."""
    entries = tuple(row(written=number < written, service=f"s{number}") for number in range(2))
    found = failed(error(ExitCode.REGISTRY_FAILED)).model_copy(update={"entries": (*entries, row("skip"))})
    assert status_of(found).meaning.startswith(so_far)


def test_an_ended_run_can_be_finished() -> None:
    """A run that was ended says that a rerun finishes it, after how far it came."""
    assert status_of(failed(error(ExitCode.ENDED))).meaning == "Nothing was written by this run. A rerun finishes it."


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        (0, "No service is released."),
        (1, "s0: why of s0"),
        (3, "s0: why of s0; s1: why of s1; s2: why of s2"),
        (4, "None of 4 services is released; the reasons are below."),
    ],
)
def test_why_there_is_nothing_to_do(number: int, meaning: str) -> None:
    """Where no service is released each is told with its reason, or many of them are counted."""
    found = document(services=tuple(service(f"s{place}", selected=False) for place in range(number)))
    assert status_of(found).meaning == meaning


rows = st.builds(
    lambda action, written: row(action, written=written and action == "publish"),
    st.sampled_from(["publish", "skip", "refuse"]),
    st.booleans(),
)
errors = st.builds(error, st.sampled_from([code for code in ExitCode if code]), st.sampled_from(["s3", "ecr", None]))


@given(
    st.lists(rows, max_size=4),
    st.lists(errors, max_size=3),
    st.lists(st.builds(service, st.sampled_from(["a", "b", "ecr", "s3"]), selected=st.booleans()), max_size=5),
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["release", "stable", None]),
            "version": st.sampled_from(["1.2.3", None]),
            "ref": st.sampled_from(["v1.2.3", None]),
            "as_tag": st.sampled_from(["from-chart", None]),
            "command": st.sampled_from(["run", "plan"]),
            "layout_folder": st.sampled_from(["out", None]),
            "running": st.booleans(),
        }
    ),
)
def test_any_record_has_a_status(
    entries: list[EntryDocument],
    failures: list[ErrorDocument],
    services: list[ServiceDocument],
    fields: dict[str, object],
) -> None:
    """Whatever is recorded, there is a headline and a sentence; neither has a gap, and no failure is told as good."""
    running = fields.pop("running")
    first = failures[0] if failures and not running else None
    code = None if running else (first.exit if first else 0)
    status = status_of(
        document(*entries, services=tuple(services), **fields, errors=tuple(failures), error=first, exit=code)
    )
    for text in (status.word, status.headline, status.meaning.removeprefix("None of ")):
        assert text
        assert "None" not in text
        assert "  " not in text
    assert (status.tone in {"refused", "failed"}) == (first is not None)
