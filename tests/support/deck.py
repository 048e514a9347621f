"""What Deck's pages say, read from their own HTML."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from selectolax.lexbor import LexborHTMLParser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from selectolax.lexbor import LexborNode

ARTIFACTS = re.compile(r"var lensArtifacts = (\{.*?\});")
SOURCE = re.compile(r'var src = "(.*?)";')


@dataclass(frozen=True)
class Lens:
    """A lens of a run's page: its number on the page, and the files that it is given."""

    name: str
    index: int
    artifacts: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The page of a run, as Deck makes it before any script of it runs.

    Attributes:
        deck: Deck's address.
        source: how the page names the run, ``s3/BUCKET/logs/JOB/ID``.
        lenses: by name, in the order of the page.
    """

    deck: str
    source: str
    lenses: Mapping[str, Lens]

    def lens(self, name: str) -> LexborHTMLParser:
        """What stands in the frame of a lens."""
        lens = self.lenses[name]
        request = {"src": self.source, "index": lens.index, "artifacts": lens.artifacts}
        query = urllib.parse.urlencode({"req": json.dumps(request)})
        return LexborHTMLParser(fetch(f"{self.deck}/spyglass/lens/{name}/iframe?{query}"))


def fetch(address: str) -> str:
    """What an address of Deck is answered with; anything but a page fails the test."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - the loopback
            text: str = answer.read().decode()
            return text
    except HTTPError as refused:
        with refused:
            raise AssertionError(f"{address}: {refused.code} {refused.read().decode()}") from refused


def read_view(address: str) -> View:
    """Read the page of a run."""
    text = fetch(address)
    source, artifacts = SOURCE.search(text), ARTIFACTS.search(text)
    assert source, text
    assert artifacts, text
    given = json.loads(artifacts[1])
    frames = LexborHTMLParser(text).css("iframe.lens-container")
    lenses = [
        Lens(str(frame.attributes["data-lens-name"]), int(index), tuple(given[index]))
        for frame in frames
        if (index := frame.attributes["data-lens-index"])
    ]
    return View(address.partition("/view/")[0], json.loads(f'"{source[1]}"'), {lens.name: lens for lens in lenses})


@dataclass(frozen=True)
class BuildLog:
    """A build log as it is shown at first.

    Attributes:
        shown: the lines that one sees, by number.
        highlighted: those of them that stand out.
        folded: how many lines each group has that one does not see.
    """

    shown: Mapping[int, str]
    highlighted: tuple[str, ...]
    folded: tuple[int, ...]


def read_buildlog(view: View) -> BuildLog:
    """Read the lens buildlog."""
    page = view.lens("buildlog")
    lines = {int(_text(line.css_first(".linenum"))): line.css(".linetext")[0] for line in page.css(".shown > div")}
    assert lines or page.css(".show-skipped"), page.html
    return BuildLog(
        {number: _text(line) for number, line in lines.items()},
        tuple(_text(line) for line in lines.values() if line.css_first(".line-highlighted")),
        tuple(int(_text(group).split()[0]) for group in page.css(".show-skipped .linetext button")),
    )


@dataclass(frozen=True)
class Cases:
    """What the lens junit says of the cases of a run: the text of each that failed, and the names of the others."""

    failed: Mapping[str, str]
    passed: tuple[str, ...]
    skipped: tuple[str, ...]


def read_junit(view: View) -> Cases:
    """Read the lens junit."""
    page = view.lens("junit")
    return Cases(
        {
            _text(case.css_first(".test-name")): _text(case.css_first(".failure-text div"))
            for case in page.css("#failed-tbody table.failed-layout")
        },
        tuple(map(_text, page.css("#passed-tbody .test-name"))),
        tuple(map(_text, page.css("#skipped-tbody .test-name"))),
    )


@dataclass(frozen=True)
class Metadata:
    """The lens metadata: its one line, and the table below *more info* in its order."""

    summary: str
    table: Mapping[str, str]


def read_metadata(view: View) -> Metadata:
    """Read the lens metadata."""
    page = view.lens("metadata")
    rows = [row.css("td") for row in page.css("#data-table tr")]
    return Metadata(
        _text(page.css_first(".test-summary")),
        {_text(key): value.text(strip=True) for key, value in rows},
    )


def read_links(view: View) -> dict[str, str]:
    """Read the lens links: where each leads, by its title."""
    page = view.lens("links")
    titles = [_text(title) for title in page.css(".links-expander h6")]
    targets = [str(button.attributes["data-link"]) for button in page.css("button.copy")]
    return dict(zip(titles, targets, strict=True))


def read_html(view: View) -> dict[str, str]:
    """Read the lens html: what one reads in each page that is framed there, by its title."""
    page = view.lens("html")
    titles = [_text(title) for title in page.css(".section-expander h6")]
    framed = [LexborHTMLParser(str(frame.attributes["srcdoc"])) for frame in page.css("iframe")]
    for one in framed:
        one.strip_tags(["title", "style", "script"])
    return dict(zip(titles, (_text(one.body) for one in framed), strict=True))


def read_podinfo(view: View) -> dict[str, dict[str, str]]:
    """Read the lens podinfo: for each container what is said of it, by what that is."""
    page = view.lens("podinfo")
    names = [_text(tab) for tab in page.css(".mdl-tabs__tab")]
    told = {
        name: page.css(f"[id='{name}-panel'] tr") for name in names if name not in {"Pod", "Volumes", "Events", "YAML"}
    }
    return {
        name: {_text(cells[0]): _text(cells[1]) for row in rows if len(cells := row.css("td")) == 2}
        for name, rows in told.items()
    }


def _text(node: LexborNode | None) -> str:
    """The text that one sees: without the names of icons, which are text in the HTML."""
    assert node is not None
    return " ".join("".join(_seen(node)).split())


def _seen(node: LexborNode) -> Iterator[str]:
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            yield child.text()
        elif "material-icons" not in (child.attributes.get("class") or ""):
            yield from _seen(child)
