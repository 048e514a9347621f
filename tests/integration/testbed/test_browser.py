"""The browser that looks at pages, tried on small pages of which all is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from testbed.browser import Browser, BrowserMissing, browser
from testbed.process_table import processes_with

PAGE = """<!doctype html><title>A page</title><style>
body { margin: 0; background: white } div { height: 2000px; width: 500px }
@media (prefers-color-scheme: dark) { body { background: rgb(0, 0, 40) } }
</style><div></div><p id="written"></p><script>document.getElementById("written").textContent = "by a script"</script>
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    file = tmp_path / "page.html"
    file.write_text(PAGE)
    return file.as_uri()


def test_themes(chromium: Browser, page: str) -> None:
    """A page is shown in the theme that was asked for, one after the other."""
    seen = {}
    for theme in ("dark", "light"):
        chromium.show(page, theme=theme)
        seen[theme] = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert seen == {"dark": "rgb(0, 0, 40)", "light": "rgb(255, 255, 255)"}


@pytest.mark.parametrize(("window", "needed"), [(400, 500), (1600, 1600)])
def test_width(chromium: Browser, page: str, window: int, needed: int) -> None:
    """A page that is wider than its window says so, and one that fits has the window's width."""
    chromium.show(page, width=window)
    assert chromium.value("innerWidth") == window
    assert chromium.content_size()[0] == needed


def test_picture(chromium: Browser, page: str, tmp_path: Path) -> None:
    """A picture holds the whole page in its theme's colours, below the window's edge too, in a palette."""
    chromium.show(page, width=600, theme="dark")
    chromium.picture(tmp_path / "pictures" / "page.png")
    with Image.open(tmp_path / "pictures" / "page.png") as image:
        assert image.mode == "P"
        assert image.width == 600
        assert image.height > 2000
        assert image.convert("RGB").getpixel((300, 1900)) == (0, 0, 40)


def test_first_part(chromium: Browser, page: str, tmp_path: Path) -> None:
    """A picture can be held to the first part of a long page."""
    chromium.show(page, width=600)
    chromium.picture(tmp_path / "page.png", height=300)
    with Image.open(tmp_path / "page.png") as image:
        assert image.size == (600, 300)


def test_scripts_run(chromium: Browser, page: str) -> None:
    """The scripts of a page have run when it is shown."""
    chromium.show(page)
    assert chromium.value("document.getElementById('written').textContent") == "by a script"


def test_nothing_stays(chromium: Browser, page: str) -> None:
    """Neither a process nor a file of the browser outlives its block."""
    del chromium  # wanted for its skip alone
    with browser() as made:
        made.show(page)
        profile = Path(made.driver.capabilities["chrome"]["userDataDir"])
        assert profile.is_dir()
        assert processes_with(str(profile))
    assert not processes_with(str(profile))
    assert not profile.parent.exists()


def test_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Chromium the error names the packages to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserMissing, match="apt-get install chromium chromium-driver"), browser():
        pass
