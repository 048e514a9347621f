from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import errors
from runner.cli.exit import DETAIL_LINES, exit_code_of, print_error
from runner.errors import ConfigurationInvalid, ReleaseError

EXPECTED = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ReleaseError) and value is not ReleaseError
]


def test_what_is_done() -> None:
    """Work that comes to its end is exit 0."""
    assert exit_code_of(lambda: None) == 0


@pytest.mark.parametrize("error", EXPECTED)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], error: type[ReleaseError]) -> None:
    """Work that refuses is the error's exit code, given on stderr with cause and remedy."""

    def refuse() -> None:
        raise error("the cause")

    assert exit_code_of(refuse) == error.exit_code
    printed = capsys.readouterr()
    assert printed.out == ""
    end = f"exit={int(error.exit_code)} code={error('').code}"
    assert printed.err == f"ERROR: the cause. {error.remedy} {end}\n"


def test_a_bug() -> None:
    """What is no refusal is not taken for one."""
    with pytest.raises(KeyError):
        exit_code_of(lambda: dict[str, str]()["colour"])


@given(st.lists(st.text("abc", min_size=1), max_size=3 * DETAIL_LINES))
def test_the_detail(detail: list[str]) -> None:
    """The first lines of an error's detail are printed before it, and the others are counted."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        print_error(ConfigurationInvalid("the cause", detail=detail))
    *shown, last = err.getvalue().splitlines()
    assert last.startswith("ERROR: the cause. ")
    more = len(detail) - DETAIL_LINES
    assert shown[:DETAIL_LINES] == [f"  | {line}" for line in detail[:DETAIL_LINES]]
    assert shown[DETAIL_LINES:] == ([f"  | … ({more} more lines)"] if more > 0 else [])
