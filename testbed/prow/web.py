"""What Deck's pages load from other hosts, style sheets and fonts, from Deck itself: no browser needs the internet."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

BELOW = "/static/web"
"""Where Deck serves them: ``BELOW/HOST/PATH``."""

STYLE_SHEET = ".css"
_LOADED = re.compile(
    r'(?P<tag><(?:link|script)\b[^>]*?\s(?:href|src)=")https?://(?P<host>[a-z0-9.-]+)(?P<path>/[^"?#]*)[^"]*"'
)


def loaded_here(page: str) -> str:
    """Let a page load from Deck what it would load from another host; links that a person follows stay. Pure."""

    def here(found: re.Match[str]) -> str:
        return f'{found["tag"]}{BELOW}/{found["host"]}{_named(found["path"])}"'

    return _LOADED.sub(here, page)


def write_pages(pages: Path, folder: Path) -> None:
    """Write what Deck serves, with nothing in its templates that is loaded from elsewhere.

    Args:
        pages: what ``hack/build-deck-pages`` made.
        folder: a new one; it is good for ``KO_DATA_PATH`` as long as ``pages`` is there.
    """
    for part in ("template", "static"):
        (folder / part).mkdir(parents=True)
    (folder / "lenses").symlink_to(pages.resolve() / "lenses")
    for file in (pages / "template").iterdir():
        (folder / "template" / file.name).write_text(loaded_here(file.read_text(encoding="utf-8")), encoding="utf-8")
    for file in (pages / "static").iterdir():
        (folder / "static" / file.name).symlink_to(file.resolve())
    web = folder / "static" / PurePosixPath(BELOW).name
    for file in (pages / "web").rglob("*"):
        if file.is_file():
            link = web / _named(file.relative_to(pages / "web").as_posix())
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())


def _named(path: str) -> str:
    """The name of a file by which Deck's server knows what is in it: without a suffix they are style sheets."""
    return path if PurePosixPath(path).suffix else f"{path}{STYLE_SHEET}"
