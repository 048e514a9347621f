"""``make pages``: the pictures in the docs are of real runs, and can be taken again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from hack.page_pictures import PICTURES, make_runs, take
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from pathlib import Path


def test_pictures_are_taken_of_runs_that_end_with_every_code(tmp_path: Path) -> None:
    """Each run ends with its exit code and says so on its page; each picture is there, as wide as it should be."""
    for tool in ("chromium", "chromedriver", "crane", "helm4", "go", "git", "docker-registry"):
        require_tool(tool)
    pages = make_runs(tmp_path / "runs")
    for code in range(1, 10):
        page = LexborHTMLParser(pages[f"exit {code}"].read_text("utf-8"))
        [told] = page.css(".failure .code")
        assert told.text().startswith(f"Exit code {code}, ")
    taken = tmp_path / "pictures"
    take(pages, taken)
    assert {file.stem for file in taken.iterdir()} == set(PICTURES)
    for name, picture in PICTURES.items():
        with Image.open(taken / f"{name}.png") as image:
            assert image.width == picture.width
            assert image.height > 300
