"""What Deck shows in a browser, as it was made from the pinned Prow."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from testbed.paths import ROOT
from testbed.prow.prowjobs import prow_source
from tests.support.tools import require_deck_pages, require_tool

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = {"cmd/deck/static": "static", "pkg/spyglass/lenses": "lenses"}


@pytest.fixture
def pages() -> Path:
    return require_deck_pages()


def test_every_page_and_lens_has_its_script(pages: Path) -> None:
    """Each script that Prow's own build makes is there, and is one that a browser could parse."""
    named = yaml.safe_load((prow_source() / "cmd/deck/.ts-packages").read_bytes())["packages"]
    assert len(named) == 17
    for one in named:
        source, place = next((source, place) for source, place in FOLDERS.items() if one["dir"].startswith(source))
        script = pages / place / one["dir"].removeprefix(source).strip("/") / one["dst"]
        subprocess.run([require_tool("node"), "--check", script.resolve()], check=True, capture_output=True)


def test_the_pages_own_files_are_prows(pages: Path) -> None:
    """Style sheets, pictures and templates are there as Prow has them; sources are not."""
    for source, place in (*FOLDERS.items(), ("cmd/deck/template", "template")):
        origin = prow_source() / source
        for path in origin.rglob("*"):
            copied = pages / place / path.relative_to(origin)
            if path.suffix in {".css", ".html", ".png", ".svg", ".ico"}:
                assert copied.read_bytes() == path.read_bytes()
            elif path.suffix in {".go", ".ts"}:
                assert not copied.exists()


def test_what_the_pages_load_from_elsewhere_is_there(pages: Path) -> None:
    """Each address on another host that a page or lens loads is a file, as is what a style sheet loads from there."""
    sources = (prow_source() / "cmd/deck/template", prow_source() / "pkg/spyglass/lenses")
    texts = [path.read_text(encoding="utf-8") for source in sources for path in source.rglob("*.html")]
    tag = re.compile(r'<(?:link|script)[^>]* (?:href|src)="https://([^"{]+)"')
    loaded = {address for text in texts for address in tag.findall(text)}
    assert len(loaded) == 4
    for address in loaded:
        file = pages / "web" / address.partition("?")[0]
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r"url\(['\"]?(\./[^'\")]+\.woff2)", text):
            assert (file.parent / name).stat().st_size > 10_000
    families = {
        name: re.findall(r"font-family: ['\"]([^'\"]+)", (pages / "web/fonts.googleapis.com" / name).read_text("utf-8"))
        for name in ("css", "icon")
    }
    assert families == {"css": ["Roboto", "Roboto"], "icon": ["Material Icons", "Material Icons"]}


def test_the_packages_come_from_npms_own_registry() -> None:
    """The lock file names no other place to fetch a package from, and gives each package's hash."""
    lock = json.loads((ROOT / "hack/tools/deck-pages/package-lock.json").read_bytes())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert package.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/")
