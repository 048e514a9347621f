"""The pictures of release.html that stand in the docs."""

from __future__ import annotations

import re

import pytest

from hack.page_pictures import PAGES, PICTURES
from testbed.paths import ROOT


def test_the_folder_holds_the_pictures_that_are_taken() -> None:
    """Every picture that is taken is there, and beside them only those of Deck's pages and of terminals."""
    there = {file.name for file in PAGES.iterdir()}
    others = ("deck-", "terminal-")
    assert {name for name in there if not name.startswith(others)} == {f"{name}.png" for name in PICTURES}


def test_every_picture_is_shown_and_described() -> None:
    """The guide for operators shows every picture, each with words for those who cannot see it."""
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    shown = dict(re.findall(r"!\[([^\]]{10,})\]\(pages/([a-z0-9-]+)\.png\)", text))
    assert set(PICTURES) <= set(shown.values())


def test_every_exit_code_has_a_picture() -> None:
    """What the operator sees is shown for each way to fail."""
    assert {f"exit {code}" for code in range(1, 10)} <= {picture.run for picture in PICTURES.values()}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small(name: str) -> None:
    """A picture does not make the repository heavy."""
    assert (PAGES / f"{name}.png").stat().st_size < 100_000
