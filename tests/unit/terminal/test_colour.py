from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.terminal.colour import uses_colour

VARIABLES = ("NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "CLICOLOR", "TERM")
environments = st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(["", "0", "1", "dumb", "xterm"]))


@given(environment=environments, is_terminal=st.booleans())
def test_the_option(environment: dict[str, str], *, is_terminal: bool) -> None:
    """What the option says counts, whatever the environment says."""
    assert uses_colour("always", environment, is_terminal=is_terminal)
    assert not uses_colour("never", environment, is_terminal=is_terminal)


@pytest.mark.parametrize(
    ("environment", "terminal", "pipe"),
    [
        ({}, True, False),
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": "0"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"FORCE_COLOR": "3"}, True, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"CLICOLOR_FORCE": "0", "FORCE_COLOR": ""}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR": "1"}, True, False),
    ],
)
def test_the_environment(*, environment: dict[str, str], terminal: bool, pipe: bool) -> None:
    """NO_COLOR wins over what forces colour, and that over CLICOLOR; else a terminal has it, and a pipe has not."""
    assert uses_colour("auto", environment, is_terminal=True) == terminal
    assert uses_colour("auto", environment, is_terminal=False) == pipe
