from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runner.terminal.screen import ReaderGone, Screen, load_rich, shows
from runner.terminal.table import Column, State, Table, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = (Column("SERVICE"), Column("REF", "cut"), Column("STATE"), Column("CAUSE", "cut"))
CAUSE = "cmd/controller/main.go:33:2: undefined: missing, and the compiler said a lot more than fits in here"
TABLE = Table(
    COLUMNS,
    (("applicationautoscaling", "v1.2.3", State("failure", "bad"), CAUSE), ("s3", "stable", State("ok", "good"), "")),
)
CODES = re.compile(r"\x1b\[[0-9;]*m")


class Stream(io.StringIO):
    """What is printed; a terminal or not, with this encoding."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What it can show."""
        return self._encoding


def shown(
    *, terminal: bool = True, environment: Mapping[str, str] | None = None, encoding: str = "utf-8", **given: Any
) -> tuple[Screen, Stream, Stream]:
    """A screen, and the streams that it prints to."""
    out, err = Stream(terminal=terminal, encoding=encoding), Stream(terminal=terminal, encoding=encoding)
    return Screen(out, err, environment or {"TERM": "xterm"}, **given), out, err


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_pipe() -> None:
    """A pipe gets plain aligned text, whole, without signs and escape codes."""
    screen, out, _ = shown(terminal=False)
    screen.table(TABLE)
    screen.line("done", "good")
    [titles, first, second, last] = out.getvalue().splitlines()
    assert titles.split() == ["SERVICE", "REF", "STATE", "CAUSE"]
    assert first.split(maxsplit=3) == ["applicationautoscaling", "v1.2.3", "failure", CAUSE]
    assert second.split() == ["s3", "stable", "ok", "-"]
    assert last == "done"


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("color", ["never", "always"])
def test_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, color: Any) -> None:
    """A table is never wider than the terminal: what may be cut is cut first, and a row is one line."""
    monkeypatch.setenv("COLUMNS", str(width))
    screen, out, _ = shown(colour=color)
    screen.table(TABLE)
    lines = CODES.sub("", out.getvalue()).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert lines[1].startswith("applicationautoscaling  v1.2.3  ✗ failure  cmd")
    assert ("…" in lines[1]) == (width < 200)
    assert ("\x1b[31m✗ failure" in out.getvalue()) == (color == "always")
    assert (CODES.search(out.getvalue()) is None) == (color == "never")


def test_colour_in_a_pipe() -> None:
    """Colour that is asked for in a pipe cuts nothing."""
    screen, out, _ = shown(terminal=False, colour="always")
    screen.table(TABLE)
    assert CAUSE in out.getvalue()
    assert "\x1b[31m✗ failure" in out.getvalue()


def test_what_is_known_of_one_thing() -> None:
    """A long value goes on below itself."""
    screen, out, _ = shown(colour="never")
    screen.table(fields([("Cause", CAUSE), ("State", State("failure", "bad"))]))
    first, second, last = out.getvalue().splitlines()
    assert first.startswith("Cause:  cmd/controller")
    assert second.startswith("        ")
    assert f"{first} {second.strip()}" == f"Cause:  {CAUSE}"
    assert last == "State:  ✗ failure"


def test_a_terminal_without_the_signs() -> None:
    """A terminal whose encoding lacks the signs gets others."""
    screen, out, err = shown(encoding="ascii", colour="never")
    screen.line("done", "good")
    screen.note("take care", "bad")
    assert (out.getvalue(), err.getvalue()) == ("+ done\n", "x take care\n")
    assert not shows("no such", "x")


def test_foreign_text() -> None:
    """What a terminal would obey is not printed, wherever the text stands."""
    foreign = "\x1b[2Ja\x07 [bold]b[/bold] :smile:"
    for terminal in (True, False):
        screen, out, err = shown(terminal=terminal, colour="never")
        screen.table(Table((Column("X", "wrap"),), ((foreign,),)))
        screen.line(foreign)
        screen.line(foreign, "good")
        screen.log_line(foreign)
        screen.note(foreign)
        printed = out.getvalue() + err.getvalue()
        assert printed.count("a\ufffd [bold]b[/bold] :smile:") == 5
        assert "\x1b" not in printed


def test_a_document() -> None:
    """A program gets one document, whatever the stream's encoding; an error follows only where there was none."""
    screen, out, _ = shown(terminal=False, as_json=True, encoding="ascii")
    screen.json({"name": "é"})
    screen.error_json({"code": "bug"})
    assert json.loads(out.getvalue()) == {"name": "é"}
    assert out.getvalue().isascii()
    screen, out, _ = shown(as_json=True)
    screen.error_json({"code": "bug"})
    assert json.loads(out.getvalue()) == {"error": {"code": "bug"}}
    screen, out, _ = shown()
    screen.error_json({"code": "bug"})
    assert out.getvalue() == ""


def test_quiet() -> None:
    """Quiet leaves out what is said beside, not what went wrong."""
    screen, out, err = shown(quiet=True)
    screen.note("by the way")
    screen.complain("ERROR: it failed")
    assert (out.getvalue(), err.getvalue()) == ("", "ERROR: it failed\n")


@pytest.mark.parametrize(
    ("said", "agreed"), [("y\n", True), (" YES\n", True), ("\n", False), ("", False), ("no", False)]
)
def test_a_question(said: str, *, agreed: bool) -> None:
    """Only a yes is one; the question goes to stderr."""
    screen, out, err = shown()
    assert screen.ask("Abort it?", lambda: said) is agreed
    assert (out.getvalue(), err.getvalue()) == ("", "Abort it? [y/N] ")


def test_rows_that_come_later() -> None:
    """Rows that are printed one after the other have one line of titles, and stand below each other."""
    screen, out, _ = shown(terminal=False)
    for row in TABLE.rows:
        screen.more_rows(Table(COLUMNS, (row,)))
    titles, first, second = out.getvalue().splitlines()
    assert titles.index("REF") == first.index("v1.2.3") == second.index("stable")


def test_a_table_that_changes() -> None:
    """A table that is shown live stands there at the end as it was last."""
    screen, out, _ = shown(colour="never")
    with screen.live() as show:
        show(Table(COLUMNS, (("s3", "stable", State("pending", "running"), ""),)))
        show(TABLE)
    assert "✗ failure" in out.getvalue().rpartition("SERVICE")[2]


def test_a_table_that_is_left() -> None:
    """A terminal is given back with its cursor when a command ends in the middle of a table that changes."""
    screen, _, err = shown(colour="never")
    screen.close()
    assert err.getvalue() == ""
    with screen.live() as show:
        show(TABLE)
        screen.close()
    assert err.getvalue() == "\x1b[?25h"


def test_nobody_reads() -> None:
    """A reader that has gone ends what is printed for it, and nothing that is said beside."""
    screen, out, err = shown(terminal=False)
    out.close()
    err.close()
    screen.note("by the way")
    with pytest.raises(ReaderGone):
        screen.line("text")
    assert not Screen(out, err, {}).is_terminal


def test_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was held back can be loaded where it is wanted."""
    monkeypatch.setitem(sys.modules, "rich", None)
    load_rich()
    assert sys.modules.get("rich", "absent") is not None
