"""What Deck's pages load from other hosts is loaded from Deck."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from testbed.prow.web import BELOW, loaded_here, write_pages

if TYPE_CHECKING:
    from pathlib import Path

FONTS = '<link rel="stylesheet" href="https://fonts.googleapis.com/css?family=Roboto:400,700">'


def test_what_is_loaded_comes_from_here() -> None:
    """A style sheet and a script of another host have an address on this one, without what was asked beside it."""
    page = (
        f'{FONTS}<link href="https://fonts.googleapis.com/icon?family=A+B" rel="stylesheet">'
        '<script defer src="https://code.getmdl.io/1.3.0/material.min.js"></script>'
    )
    assert loaded_here(page) == (
        f'<link rel="stylesheet" href="{BELOW}/fonts.googleapis.com/css.css">'
        f'<link href="{BELOW}/fonts.googleapis.com/icon.css" rel="stylesheet">'
        f'<script defer src="{BELOW}/code.getmdl.io/1.3.0/material.min.js"></script>'
    )


def test_what_a_person_follows_stays() -> None:
    """Links, text, what is framed, and what is of this host already are as they were."""
    page = (
        '<a href="https://docs.prow.k8s.io/docs/">Documentation</a><p>href="https://a.example/b"</p>'
        '<link rel="stylesheet" href="/static/style.css"><script src="bundle.js"></script>'
        '<iframe srcdoc="<link href=&quot;https://a.example/b.css&quot;>"></iframe>'
    )
    assert loaded_here(page) == page


@given(
    st.lists(st.tuples(st.sampled_from(["a.example", "b-c.example"]), st.from_regex(r"/[a-z]{1,5}", fullmatch=True)))
)
def test_no_page_loads_from_elsewhere(addresses: list[tuple[str, str]]) -> None:
    """However many there are, each address is one of this host by its own path; a second time changes none."""
    page = "".join(f'<link rel="stylesheet"\n  href="https://{host}{path}?x#y">' for host, path in addresses)
    found = [link.attributes["href"] for link in LexborHTMLParser(loaded_here(page)).css("link")]
    assert found == [f"{BELOW}/{host}{path}.css" for host, path in addresses]
    assert loaded_here(loaded_here(page)) == loaded_here(page)


def test_pages_for_deck(tmp_path: Path) -> None:
    """Deck's folder has templates that load from it, its static files and lenses, and a file for each such address."""
    pages = tmp_path / "pages"
    for name, text in {
        "template/base.html": FONTS,
        "static/style.css": "own",
        "static/prow/logo.svg": "<svg/>",
        "lenses/html/template.html": "lens",
        "web/fonts.googleapis.com/css": "font",
        "web/fonts.googleapis.com/files/a.woff2": "a",
        "web/code.getmdl.io/1.3.0/material.min.js": "script",
    }.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(text, encoding="utf-8")
    folder = tmp_path / "deck"
    write_pages(pages, folder)
    assert (folder / "template/base.html").read_text() == loaded_here(FONTS)
    assert (pages / "template/base.html").read_text() == FONTS
    served = {
        "style.css": "own",
        "prow/logo.svg": "<svg/>",
        "web/fonts.googleapis.com/css.css": "font",
        "web/fonts.googleapis.com/files/a.woff2": "a",
        "web/code.getmdl.io/1.3.0/material.min.js": "script",
    }
    assert {name: (folder / "static" / name).read_text() for name in served} == served
    assert (folder / "lenses/html/template.html").read_text() == "lens"
