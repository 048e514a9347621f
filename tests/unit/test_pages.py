"""The pages in docs and at the top: what they link to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((*ROOT.glob("*.md"), *DOCS.glob("*.md")))
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        yield (page.parent / path).resolve() if path else page, anchor


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to headings: lower case, without punctuation, a hyphen for each space."""
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)).lower().replace(" ", "-")
        for heading in HEADING.findall(page.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Every link of a page leads to a file of this repository, and to a heading in it where it names one."""
    missing = [
        f"{target.relative_to(ROOT)}#{anchor}"
        for target, anchor in _links(page)
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target))
    ]
    assert missing == []


def test_index() -> None:
    """The index names every page."""
    named = {target for target, _ in _links(DOCS / "index.md")}
    assert set(PAGES) - named == {DOCS / "index.md"}
