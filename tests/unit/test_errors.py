from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import errors
from runner.errors import (
    SEVERITY,
    Acts,
    CloneUnclean,
    CommitRefused,
    ExitCode,
    NotARelease,
    PushRefused,
    ReleaseError,
    TagMoved,
    worst,
)

CLASSES = sorted(
    (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ReleaseError)),
    key=lambda one: one.__name__,
)
FAILURES = [one for one in CLASSES if one is not ReleaseError]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda one: one.__name__)


@each_failure
def test_every_error_says_what_to_do(failure: type[ReleaseError]) -> None:
    """Each error says when it is raised, has a failing exit code, and a remedy of whole sentences."""
    error = failure("something happened")
    assert failure.__doc__
    assert error.exit_code in set(ExitCode) - {ExitCode.DONE, ExitCode.BUG}
    assert re.fullmatch(r"[A-Z].*[^.]\.", error.remedy)
    assert "\n" not in error.remedy


@each_failure
def test_how_an_error_is_recognised(failure: type[ReleaseError]) -> None:
    """Each error says in one sentence of its own what the program has seen, and who acts."""
    for field in ("acts", "recognised"):
        assert field in vars(failure)
    assert re.fullmatch(r"[\w`].*[^.]\.", failure.recognised)
    assert len(failure.recognised) < 110
    assert [one for one in FAILURES if one.recognised == failure.recognised] == [failure]


FITTING = {
    Acts.AUTHOR: r"next version|[Cc]ommit|[Pp]ush|[Ss]et version|the tag stable|branch stable|version package"
    r"|versions named here|that branch",
    Acts.ADMINISTRATOR: (
        r"jobs\.yaml|the job|[Cc]redentials|variable|folder|prowjobs generate|option|[Ii]nstall|rule|workspace|role"
        r"|second job|JOB_SPEC|REPO_OWNER|clone_depth|Docker config|runner image|kubeconfig|rbac\.yaml"
        r"|jobs list|jobs show|jobs abort|[Oo]pen the job's page"
    ),
    Acts.NOBODY: r"[Rr]erun|[Nn]othing to (repair|do)|in some minutes|([Cc]all|[Rr]un) the command again",
}
FOREIGN = {
    Acts.AUTHOR: r"jobs\.yaml|prow\.|Docker config|clone_depth",
    Acts.ADMINISTRATOR: r"next version|tag that commit|[Rr]epair the source",
    Acts.NOBODY: r"next version|jobs\.yaml|commit|[Cc]orrect",
}


@each_failure
def test_a_remedy_fits_who_acts(failure: type[ReleaseError]) -> None:
    """A remedy asks for what the one who acts can do, and for nothing that only another can."""
    assert re.search(FITTING[failure.acts], failure.remedy), failure.remedy
    assert not re.search(FOREIGN[failure.acts], failure.remedy), failure.remedy


OF_AUTHORS = {CloneUnclean, CommitRefused, PushRefused}
"""What can be wrong on the machine of an author, who prepares a release there."""


@each_failure
def test_an_exit_code_fits_who_acts(failure: type[ReleaseError]) -> None:
    """A wrong job or wrong credentials are never the author's; what only needs a rerun never asks for a new version."""
    by_code = {
        ExitCode.USAGE: {Acts.AUTHOR if failure in OF_AUTHORS else Acts.ADMINISTRATOR},
        ExitCode.CREDENTIALS: {Acts.ADMINISTRATOR},
        ExitCode.REGISTRY_FAILED: {Acts.NOBODY},
        ExitCode.ENDED: {Acts.NOBODY},
    }
    assert failure.acts in by_code.get(failure.exit_code, set(Acts))


@each_failure
def test_every_error_has_a_stable_code(failure: type[ReleaseError]) -> None:
    """An error's code is its class's name in lower-case words."""
    code = failure("something happened").code
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert code.replace("-", "") == failure.__name__.lower()


def test_codes_are_unique() -> None:
    """No two errors share a code."""
    assert len({failure("x").code for failure in FAILURES}) == len(FAILURES) > 20


def test_an_error_carries_cause_and_detail() -> None:
    """The cause is the exception's text, and the detail keeps its order."""
    error = TagMoved("the tag moved", detail=["first", "second"])
    assert (str(error), error.cause, error.detail) == ("the tag moved", "the tag moved", ("first", "second"))


def test_a_remedy_given_where_it_is_raised_is_that_errors_alone() -> None:
    """A more precise remedy replaces the class's own, for this one error."""
    assert NotARelease("x", remedy="Do this.").remedy == "Do this."
    assert NotARelease("x").remedy == NotARelease.remedy != "Do this."


def test_the_exit_codes_are_the_outside_contract() -> None:
    """The numbers never change, and none is one that Prow's entrypoint gives a meaning to."""
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "BUG": 1,
        "USAGE": 2,
        "NOT_A_RELEASE": 3,
        "INVALID_RELEASE": 4,
        "CONFLICT": 5,
        "BUILD_FAILED": 6,
        "REGISTRY_FAILED": 7,
        "CREDENTIALS": 8,
        "ENDED": 9,
    }


def test_severity_orders_every_failure() -> None:
    """Of several failures 9 wins, then 1, 2, 3, 8, 5, 4, 6, 7."""
    assert [int(code) for code in SEVERITY] == [9, 1, 2, 3, 8, 5, 4, 6, 7]
    assert set(SEVERITY) == set(ExitCode) - {ExitCode.DONE}


@given(st.lists(st.sampled_from([int(code) for code in ExitCode])))
def test_the_worst_code_wins_whatever_came_first(codes: list[int]) -> None:
    """A run ends with the first code of SEVERITY that occurred, in whatever order; with 0 when none did."""
    expected = min((SEVERITY.index(ExitCode(code)) for code in codes if code), default=None)
    assert worst(codes) == (ExitCode.DONE if expected is None else SEVERITY[expected])
    assert worst(codes) == worst(reversed(codes))
