"""``release.html``: the run on one page that needs nothing but itself.

Prow's html lens (pkg/spyglass/lenses/html) puts the page into the attribute ``srcdoc`` of a frame and escapes only
``"``, so the browser decodes every escape once more than was meant: ``&lt;script&gt;`` becomes a script, and ``&#34;``
ends an attribute. It also shows ``<title>`` decoded and as it is. Hence values stand only in text, never in an
attribute; what begins a tag or an escape is kept apart from what follows it by an element; and the title holds
nothing but letters, digits and a few marks. Read once or twice, the page says the same.

The lens puts the page into ``<div id="wrapper">``, by which the style sheet knows Deck's frame. There the page is dark
like the pages that Deck frames it in, whatever a person's theme, and files beside it are named without a link.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runner.foreign.shown import spelled_out
from runner.report.links import SAFE_ADDRESS
from runner.report.page import make_page
from runner.report.words import in_words

if TYPE_CHECKING:
    from jinja2 import Template

    from runner.report.record import RecordDocument

KEPT_APART = {"<": "<i>&lt;</i>", "&": "<i>&amp;</i>", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
SPECIAL = re.compile("[<&>\"']")
NOT_IN_A_TITLE = re.compile(r"[^A-Za-z0-9 .,:()_-]+")
TITLE_LENGTH = 120
SAFE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def render_html(document: RecordDocument) -> str:
    """Return the file's text."""
    page = make_page(document)
    title = NOT_IN_A_TITLE.sub("", f"{page.status.word}: {page.status.headline}")[:TITLE_LENGTH]
    return template("release.html.jinja").render(page=page, document=document, title=title)


def safe_text(value: object) -> Markup:
    """Escape a value so that it is the same text however often it is decoded; what cannot be seen is spelt out.

    Raises:
        TypeError: it is neither text nor a number, which a template shows only by mistake.
    """
    if isinstance(value, Markup):
        return value
    if not isinstance(value, str | int | float):
        raise TypeError(f"{value!r} is not to be shown")
    shown = spelled_out(str(value), kept="\n\t")
    return Markup(SPECIAL.sub(lambda found: KEPT_APART[found[0]], shown))  # noqa: S704 - escaped here


def safe_address(value: str) -> Markup:
    """Let an address into an attribute.

    Raises:
        ValueError: it has letters that would need an escape there.
    """
    if not SAFE_ADDRESS.fullmatch(value):
        raise ValueError(f"{value!r} is not an address that needs no escape")
    return Markup(value)  # noqa: S704 - checked here


def safe_word(value: str) -> Markup:
    """Let an id or the name of a file into an attribute.

    Raises:
        ValueError: it has letters that would need an escape there, or that would make an address of it.
    """
    if not SAFE_WORD.fullmatch(value):
        raise ValueError(f"{value!r} is not a word that needs no escape")
    return Markup(value)  # noqa: S704 - checked here


@cache
def template(name: str) -> Template:
    """A template of this folder, in which every value is made safe as ``safe_text`` does it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=safe_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(address=safe_address, word=safe_word, in_words=in_words)
    return environment.get_template(name)
