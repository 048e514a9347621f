"""release.html as a person sees it: in a real Chromium, in both themes, on a phone and on a wide screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.report.html import render_html
from tests.support.records import HOSTILE, built, everywhere, record_of, record_of_many

if TYPE_CHECKING:
    from pathlib import Path

    from runner.report.record import RecordDocument
    from testbed.browser import Browser, Theme


def ended() -> RecordDocument:
    """A run that a signal ended."""
    record = record_of(command="run", action="publish")
    with record.step("publish image", "s3"):
        record.end("SIGTERM")
    return record.close()


RECORDS = {
    "good": record_of().close(),
    "rerun": record_of(action="skip").close(),
    "failed": record_of(error=built, text="main.go:3:7: undefined: x").close(),
    "refused": record_of(error=built, action="refuse").close(),
    "ended": ended(),
    "plan": record_of(command="plan").close(),
    "77 services": record_of_many(77),
    "5,000 letters": everywhere("x" * 5000),
    "all that is hostile": everywhere(" ".join(HOSTILE)),
}

FAINT = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const channel = (value) => value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] !== 0) throw new Error("half transparent");
    }
    throw new Error("no ground");
  };
  for (const details of document.querySelectorAll("details")) details.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    seen += 1;
    const [text, behind] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return [seen, faint];
})()
"""
"""Texts with less than the contrast of WCAG 2 AA, 4.5 to 1, by their real colours; and how many were checked."""

WIDER = """
[...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))
"""
"""What reaches beyond the right edge, even where it is cut off."""

NOTIFIER = """<script>addEventListener("load", () => {
  parent.document.title = document.getElementById("wrapper").offsetHeight;
});</script>"""


def open_page(chromium: Browser, folder: Path, document: RecordDocument, *, width: int, theme: Theme = "light") -> None:
    """Show the page of a run by itself."""
    file = folder / "release.html"
    file.write_text(render_html(document), encoding="utf-8")
    chromium.show(file.as_uri(), width=width, theme=theme)


def open_in_frame(chromium: Browser, folder: Path, document: RecordDocument, *, theme: Theme = "light") -> None:
    """Show it as Prow's html lens does: wrapped, in a frame, with nothing escaped but the double quote."""
    wrapped = f'<div id="wrapper">{render_html(document)}</div>{NOTIFIER}'.replace('"', "&quot;")
    sandbox = "allow-scripts allow-popups allow-same-origin"
    file = folder / "deck.html"
    frame = f'<iframe srcdoc="{wrapped}" sandbox="{sandbox}" width="100%" height="3000" scrolling="no"></iframe>'
    file.write_text(f'<!doctype html><meta charset="utf-8"><title>-</title>{frame}', encoding="utf-8")
    chromium.show(file.as_uri(), theme=theme)


@pytest.mark.parametrize("width", [400, 700, 1600])
@pytest.mark.parametrize("name", RECORDS)
def test_nothing_is_wider_than_the_window(chromium: Browser, tmp_path: Path, name: str, width: int) -> None:
    """Whatever the run says, there is nothing to scroll sideways for, not even with all parts open."""
    open_page(chromium, tmp_path, RECORDS[name], width=width)
    chromium.value("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert chromium.content_size()[0] == width
    assert chromium.value(WIDER) == []


def test_a_release_of_many_is_no_long_page(chromium: Browser, tmp_path: Path) -> None:
    """Of 77 services only what went wrong and what there is stands open; the rest can be opened."""
    open_page(chromium, tmp_path, RECORDS["77 services"], width=1600)
    folded = chromium.content_size()[1]
    chromium.value("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert folded < 12_000
    assert chromium.content_size()[1] > 3 * folded
    assert "undefined: x" in chromium.value("document.querySelector('.cause').innerText")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["good", "rerun", "failed", "refused", "ended", "plan"])
def test_every_text_can_be_read(chromium: Browser, tmp_path: Path, name: str, theme: Theme) -> None:
    """In both themes every text stands out from what is behind it as WCAG 2 AA asks of the smallest."""
    open_page(chromium, tmp_path, RECORDS[name], width=1600, theme=theme)
    seen, faint = chromium.value(FAINT)
    assert seen > 40
    assert faint == []


def test_themes_are_two(chromium: Browser, tmp_path: Path) -> None:
    """The dark page is dark, and the light one light, whatever is around it."""
    grounds = []
    for theme in ("light", "dark"):
        open_page(chromium, tmp_path, RECORDS["good"], width=700, theme=theme)
        colour = chromium.value("getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(map(int, colour[4:-1].split(","))))
    assert grounds[0] > 700
    assert grounds[1] < 100


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["good", "failed", "refused", "plan"])
def test_the_page_is_dark_in_prows_frame(chromium: Browser, tmp_path: Path, name: str, theme: Theme) -> None:
    """Prow's page of a run is dark in any theme, and so is this one in its frame, where each text can be read, too."""
    open_in_frame(chromium, tmp_path, RECORDS[name], theme=theme)
    chromium.driver.switch_to.frame(0)
    ground = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, ground[4:-1].split(","))) < 70
    assert chromium.value("getComputedStyle(document.documentElement).colorScheme") == "dark"
    seen, faint = chromium.value(FAINT)
    assert seen > 40
    assert faint == []


def test_links_that_would_lead_astray_are_not_in_prows_frame(chromium: Browser, tmp_path: Path) -> None:
    """A file beside the page is a link when the page is read from its folder; in Prow's frame it is a name."""
    links = "[...document.querySelectorAll('.files a')].filter((one) => one.checkVisibility()).length"
    names = "document.querySelector('.files').innerText.trim()"
    open_page(chromium, tmp_path, RECORDS["good"], width=1600)
    assert (chromium.value(links), chromium.value(names)) == (2, "record.json\ngo-build-log.txt")
    open_in_frame(chromium, tmp_path, RECORDS["good"])
    chromium.driver.switch_to.frame(0)
    assert (chromium.value(links), chromium.value(names)) == (0, "record.json\ngo-build-log.txt")


def test_folded_steps_open_in_prows_frame(chromium: Browser, tmp_path: Path) -> None:
    """The row of short steps opens at a click, without any script of ours, and the frame is told to grow."""
    record = record_of()
    for name in ("event", "checkout"):
        with record.step(name):
            pass
    open_in_frame(chromium, tmp_path, record.close())
    chromium.driver.switch_to.frame(0)
    height, shown = "document.querySelector('#wrapper').offsetHeight", "document.querySelectorAll('.short li')[0]"
    before = chromium.value(height)
    assert not chromium.value(f"{shown}.checkVisibility()")
    chromium.value("document.querySelector('.short summary').click()")
    assert chromium.value(f"{shown}.checkVisibility()")
    assert chromium.value(height) > before


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_value_is_seen_as_text(chromium: Browser, tmp_path: Path, text: str) -> None:
    """Nothing that a value says is carried out, alone or in Prow's frame, and both show the same words."""
    document = everywhere(text.replace("alert(1)", "(top.document.title='hit')"))
    open_page(chromium, tmp_path, document, width=1600)
    assert chromium.value("document.scripts.length") == 0
    assert chromium.value("document.title").startswith("Failed")
    alone = chromium.value("document.body.textContent.replace(/\\s+/g, ' ').trim()")
    open_in_frame(chromium, tmp_path, document)
    frame = "document.querySelector('iframe').contentDocument"
    assert chromium.value(f"{frame}.scripts.length") == 1  # Prow's own
    assert chromium.value("document.title").isdigit()
    shown = chromium.value(f"{frame}.querySelector('#wrapper .page').textContent.replace(/\\s+/g, ' ').trim()")
    assert shown in alone


def test_the_frame_is_as_high_as_the_page(chromium: Browser, tmp_path: Path) -> None:
    """Prow makes its frame as high as the page says it is, and lets nobody scroll in it: nothing is below."""
    open_in_frame(chromium, tmp_path, RECORDS["good"])
    said = int(chromium.value("document.title"))
    lowest = chromium.value(
        "Math.max(...[...document.querySelector('iframe').contentDocument.querySelectorAll('.page *')]"
        ".map((one) => one.getBoundingClientRect().bottom))"
    )
    assert 0 < said - lowest < 100
