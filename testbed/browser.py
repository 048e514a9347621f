"""Chromium without a window, for looking at pages: in a theme, at a width, and as pictures.

Debian's packages chromium and chromium-driver are used; pages from elsewhere than this machine are not reached.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Theme = Literal["light", "dark"]

LOAD_SECONDS = 60
HEIGHT = 900
COLOURS = 256
"""A PNG with a palette has at most so many; a page of text needs fewer."""


class BrowserMissing(Exception):
    """Chromium or its driver is not on PATH; the message names the packages."""


@dataclass(frozen=True)
class Request:
    """What a page asked for; ``problem`` is why there was no answer, or the status of a bad one, else None."""

    address: str
    problem: str | None


@dataclass(frozen=True)
class Browser:
    """A running Chromium; `driver` is for what only one caller needs."""

    driver: Chrome

    def show(self, address: str, *, width: int = 1600, theme: Theme = "light") -> None:
        """Load a page as a person with this theme sees it in a window this many CSS pixels wide."""
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.resize(width, HEIGHT)
        self.driver.get(address)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size, in CSS pixels."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def value(self, expression: str) -> Any:  # noqa: ANN401 - whatever JSON the expression gives
        """What a JavaScript expression gives in the page that is shown."""
        return self.driver.execute_script(f"return ({expression})")

    def requests(self) -> list[Request]:
        """What the pages and their frames have asked for since the last call, in a browser that was told to log it."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call] # Selenium's has no types
        said = [json.loads(entry["message"])["message"] for entry in entries]
        asked: dict[str, Request] = {}
        for event in said:
            given, method = event["params"], event["method"]
            if method == "Network.requestWillBeSent":
                asked[given["requestId"]] = Request(given["request"]["url"], None)
            elif (known := asked.get(given.get("requestId", ""))) is not None:
                if method == "Network.loadingFailed":
                    asked[given["requestId"]] = Request(known.address, given["errorText"])
                elif method == "Network.responseReceived" and given["response"]["status"] >= HTTPStatus.BAD_REQUEST:
                    asked[given["requestId"]] = Request(known.address, str(given["response"]["status"]))
        return list(asked.values())

    def content_size(self) -> tuple[int, int]:
        """Width and height in CSS pixels that the page needs; wider than the window means a scroll bar below."""
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        return round(size["width"]), round(size["height"])

    def picture(self, target: Path, *, height: int | None = None) -> None:
        """Write the whole page, or its first `height` pixels, as a PNG with a palette."""
        width, whole = self.content_size()
        clip = {"x": 0, "y": 0, "width": width, "height": min(whole, height or whole), "scale": 1}
        # It gives the window another size for a moment, to which a page with frames answers when that has passed.
        beyond = self.value("innerHeight") < clip["height"]
        taken = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=beyond, clip=clip)
        with Image.open(io.BytesIO(base64.b64decode(taken["data"]))) as image:
            flat = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        target.parent.mkdir(parents=True, exist_ok=True)
        flat.save(target, optimize=True)

    def _ask(self, command: str, **arguments: object) -> dict[str, Any]:
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(command, arguments)
        return answer


@contextlib.contextmanager
def browser(*switches: str, log_requests: bool = False) -> Iterator[Browser]:
    """Run a Chromium that ends with the block and leaves nothing behind.

    Args:
        switches: of its command line, beside those that every page here needs.
        log_requests: whether ``requests`` tells what pages ask for.

    Raises:
        BrowserMissing: a package is not installed.
    """
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        raise BrowserMissing("chromium or chromedriver is not on PATH: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        options = ChromeOptions()
        options.binary_location = chromium
        for argument in (
            *("--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--no-proxy-server"),
            *("--disable-dev-shm-usage", "--force-color-profile=srgb", f"--user-data-dir={home}/profile"),
            # Its sandbox refuses to work for root, as whom containers and CI run; only our own pages are loaded.
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),
            *switches,
        ):
            options.add_argument(argument)
        if log_requests:
            options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        environment = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
        driver = Chrome(options=options, service=Service(chromedriver, env=environment))
        try:
            driver.set_page_load_timeout(LOAD_SECONDS)
            yield Browser(driver)
        finally:
            driver.quit()
