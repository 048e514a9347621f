"""``make deck-pictures``: draw Deck's pages of real runs for the documentation, as a browser shows them."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.browser import Browser, BrowserMissing, browser
from testbed.paths import DECK_PAGES, ROOT
from testbed.processes import ProgramFailed, end_on_signals
from testbed.prow.deck import ADDRESS
from testbed.prow.example_runs import deck_with_example_runs
from testbed.prow.servers import PortTaken, ServerFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

PICTURES = ROOT / "docs" / "pages"
WIDTH = 1200
SHOWN_SECONDS = 60.0
LOOK_SECONDS = 0.2
UNCHANGED = 4
"""How many observations in a row must agree before the page counts as finished."""

LENSES = "[...document.querySelectorAll('iframe.lens-container')]"
COMPLETE = (
    f"{LENSES}.every(frame => frame.style.visibility === 'visible' && frame.contentDocument.fonts.status === 'loaded')"
    # A lens tells the page how high it is, sometimes before it is that high.
    f" && {LENSES}.every(frame => Math.abs(frame.clientHeight - frame.contentDocument.body.offsetHeight) < 2)"
    " && document.fonts.status === 'loaded'"
    " && (document.querySelector('#builds') ? document.querySelectorAll('#builds tbody tr').length > 0 : true)"
)
BOTTOM = (
    "24 + Math.ceil("
    "Math.max(...[...document.querySelectorAll('main *')].map(one => one.getBoundingClientRect().bottom)))"
)


def in_lens(name: str, selector: str) -> str:
    """The JavaScript expression of an element in the frame of a lens."""
    return f"document.querySelector('iframe[data-lens-name={name}]').contentDocument.querySelector('{selector}')"


MORE_INFO = in_lens("metadata", "#show-table-link")
RELEASE_PAGE = in_lens("html", ".section-expander")
FAILED_CASE = in_lens("junit", ".failure-name")


@dataclass(frozen=True)
class Picture:
    """A picture: of which run (none: the list of all), and what is clicked before it is taken."""

    file: str
    run: str | None
    clicks: Sequence[str] = ()


ALL = (
    Picture("deck-jobs.png", None),
    Picture("deck-released.png", "released"),
    Picture("deck-released-opened.png", "released", (RELEASE_PAGE,)),
    Picture("deck-stable.png", "stable moved"),
    Picture("deck-failed.png", "does not compile"),
    Picture("deck-failed-opened.png", "does not compile", (MORE_INFO, FAILED_CASE)),
    Picture("deck-too-slow.png", "too slow"),
    Picture("deck-aborted.png", "aborted"),
    Picture("deck-check.png", "check passed", (RELEASE_PAGE,)),
)


class PageUnfinished(Exception):
    """A page of Deck did not come to rest in time; the message names it."""


def show_page(chromium: Browser, address: str) -> None:
    """Load a page of Deck and wait until it and every lens in it is there, in a window that holds all of it.

    Raises:
        PageUnfinished: a lens does not appear, or the page does not come to rest.
    """
    chromium.show(address, width=WIDTH)
    fit(chromium)


def fit(chromium: Browser) -> int:
    """Wait until the page comes to rest, make the window as high as the page, and return that height.

    Deck's pages scroll in themselves, so that a picture of the whole page would hold the window's part only.

    Raises:
        PageUnfinished: a lens does not appear, or the page does not come to rest.
    """
    deadline = time.monotonic() + SHOWN_SECONDS
    seen: list[tuple[bool, int]] = []
    while len(seen) < UNCHANGED or len(set(seen[-UNCHANGED:])) > 1 or not seen[-1][0]:
        if time.monotonic() > deadline:
            raise PageUnfinished(f"{chromium.driver.current_url}: not all of the page appears")
        time.sleep(LOOK_SECONDS)
        complete, bottom = bool(chromium.value(COMPLETE)), int(chromium.value(BOTTOM))
        chromium.resize(WIDTH, max(bottom, 1))
        seen.append((complete, bottom))
    return seen[-1][1]


def main() -> int:
    """Write all pictures; 0 when that went well."""
    end_on_signals()
    if not (DECK_PAGES / "made-from").exists():
        print("deck-pictures: Deck's pages are not built: make tools, with npm on PATH", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="deck-pictures-") as temporary:
            _draw(Path(temporary))
    except (BrowserMissing, PageUnfinished, PortTaken, ProgramFailed, ServerFailed) as error:
        print(f"deck-pictures: {error}", file=sys.stderr)
        return 1
    return 0


def _draw(folder: Path) -> None:
    runs = folder / "runs"
    runs.mkdir()
    with (
        deck_with_example_runs(runs, DECK_PAGES) as addresses,
        browser() as chromium,
    ):
        for picture in ALL:
            show_page(chromium, ADDRESS if picture.run is None else addresses[picture.run])
            for click in picture.clicks:
                chromium.value(f"{click}.click()")
            height = fit(chromium)
            chromium.picture(PICTURES / picture.file, height=height)
            print(f"{picture.file}: {(PICTURES / picture.file).stat().st_size // 1000} kB")


if __name__ == "__main__":
    sys.exit(main())
