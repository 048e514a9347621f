"""Whether colour is used: what the option says, else the environment, else whether a terminal is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TextIO, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

ColourChoice = Literal["auto", "always", "never"]
COLOUR_CHOICES: Final[tuple[ColourChoice, ...]] = get_args(ColourChoice)


def uses_colour(choice: ColourChoice, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether what goes to a stream has colour.

    The variables and their order are those of cargo (anstream) and, but for one case, of gh: NO_COLOR
    (https://no-color.org), then CLICOLOR_FORCE (https://bixense.com/clicolors) and FORCE_COLOR
    (https://force-color.org), then CLICOLOR. gh lets CLICOLOR=0 win over CLICOLOR_FORCE.

    Args:
        choice: what ``--color`` says.
        environment: the process's environment; a variable that is empty counts as absent.
        is_terminal: whether the stream is a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in {"", "0"} for name in ("CLICOLOR_FORCE", "FORCE_COLOR")):
        return True
    if environment.get("CLICOLOR") == "0":
        return False
    return is_terminal and environment.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal; one that is closed is none."""
    try:
        return stream.isatty()
    except ValueError:
        return False
