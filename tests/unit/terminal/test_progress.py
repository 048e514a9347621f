from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from runner.terminal import progress as progress_module
from runner.terminal.progress import SHOWN, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.terminal.colour import ColourChoice


class Written:
    """What a terminal was sent."""

    def __init__(self) -> None:
        self.text = ""
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        """Keep it."""
        with self._lock:
            self.text += text


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def progress(written: Written, now: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Progress]:
    """Without colour, on a clock of its own, and drawn only when something is written."""
    monkeypatch.setattr(progress_module, "PER_SECOND", 0.0001)
    made = Progress(written, "utf-8", {"TERM": "xterm"}, colour="never", clock=lambda: now[0])
    yield made
    made.stop()


def test_lines(progress: Progress, written: Written) -> None:
    """A line has the sign of its tone, and foreign text in it cannot move the cursor."""
    progress.line("done", "good")
    progress.line("as it is", sign=False)
    progress.line("a\x1b[2J  b\nc", "bad", indent=2)
    assert written.text.splitlines() == ["✓ done", "as it is", "  ✗ a  b\ufffdc"]


def test_what_goes_on(progress: Progress, written: Written, now: list[float]) -> None:
    """What goes on stands below the lines with its seconds once it has gone on for a moment, until it ends."""
    progress.begin("a", "build of s3")
    progress.line("first")
    assert "build of s3" not in written.text
    now[0] = 3.0
    progress.refresh()
    assert "● build of s3  3 s" in written.text
    progress.end("a")
    before = len(written.text)
    progress.refresh()
    assert "build" not in written.text[before:]


def test_many_go_on(progress: Progress, written: Written, now: list[float]) -> None:
    """Of many things only some are shown, and the others are counted."""
    for number in range(SHOWN + 5):
        progress.begin(number, f"build of s{number}")
    now[0] = 1.0
    progress.refresh()
    assert written.text.count("build of") == SHOWN
    assert "and 5 more" in written.text


def test_after_the_stop(progress: Progress, written: Written, now: list[float]) -> None:
    """Nothing goes on after the stop, whoever still says that it does; lines are printed all the same."""
    progress.begin("a", "build")
    progress.stop()
    progress.begin("b", "publish")
    now[0] = 9.0
    before = len(written.text)
    progress.line("the end")
    assert written.text[before:] == "the end\n".rjust(len("  the end\n"))


def test_the_cursor_stays(progress: Progress, written: Written) -> None:
    """The cursor is never hidden: a process that is killed could not show it again."""
    progress.begin("a", "build")
    progress.line("x")
    progress.stop()
    assert "\x1b[?25l" not in written.text


def test_threads(progress: Progress, written: Written, now: list[float]) -> None:
    """Threads that begin, tell and end at the same time neither wait for each other for ever nor mix their lines."""
    now[0] = 1.0

    def work(number: int) -> None:
        for turn in range(20):
            progress.begin((number, turn), "work")
            progress.line(f"line {number} {turn}")
            progress.end((number, turn))

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    for number in range(4):
        for turn in range(20):
            assert f"line {number} {turn}" in written.text


@pytest.mark.parametrize(("colour", "has"), [("always", True), ("never", False)])
def test_colour(written: Written, colour: ColourChoice, has: bool) -> None:  # noqa: FBT001 - a case
    """Colour follows the option; without it a sign still says how a line is meant."""
    made = Progress(written, "utf-8", {"TERM": "xterm"}, colour=colour)
    made.line("wrong", "bad")
    assert ("\x1b[31m" in written.text) == has
    assert "✗" in written.text


def test_the_option_wins(written: Written) -> None:
    """Colour that was asked for is there, whatever the environment says."""
    Progress(written, "utf-8", {"TERM": "xterm", "NO_COLOR": "1"}, colour="always").line("wrong", "bad")
    assert "\x1b[31m" in written.text


def test_a_terminal_with_few_characters(written: Written) -> None:
    """A terminal whose encoding lacks the signs gets letters in their place."""
    Progress(written, "ascii", {"TERM": "xterm"}, colour="never").line("done", "good")
    assert written.text == "+ done\n"
