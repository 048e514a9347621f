"""Which files a release's artifacts are: what the program that writes them may change. Pure."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from typing import TYPE_CHECKING

from runner.config.naming import fill
from runner.errors import OtherFilesChanged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.config.load import Service

SHOWN_AT_MOST = 20
"""How many files an error lists."""


def release_patterns(services: Iterable[Service], templates: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns of the files that belong to a release of these services.

    Args:
        services: whose release it is.
        templates: ``prepare.files`` of jobs.yaml.
    """
    filled = (
        posixpath.normpath(fill(template, service=service.name, path=service.path, chart=service.chart_folder))
        for service in services
        for template in templates
    )
    return tuple(dict.fromkeys(filled))


def fits(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern as a whole.

    ``*`` stands for any characters within one name, ``**`` as a whole name for any folders, none included, and at the
    end for everything below; all else stands for itself.
    """
    return _compiled(pattern).fullmatch(path) is not None


def check_changed(changed: Iterable[str], patterns: Iterable[str]) -> None:
    """Check that only release files were changed.

    Args:
        changed: paths from the repository's root.
        patterns: what ``release_patterns`` gives.

    Raises:
        OtherFilesChanged: there are others; the detail lists them.
    """
    allowed = tuple(patterns)
    others = sorted(path for path in changed if not any(fits(path, pattern) for pattern in allowed))
    if not others:
        return
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    listed = others[:SHOWN_AT_MOST]
    if len(others) > SHOWN_AT_MOST:
        listed.append(f"… ({len(others) - SHOWN_AT_MOST} more)")
    raise OtherFilesChanged(
        f"{others[0]}{more} changed, which is no release file",
        detail=(*listed, f"release files are: {', '.join(allowed)}"),
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    *folders, last = pattern.split("/")
    parts = ["(?:[^/]+/)*" if name == "**" else f"{_name(name)}/" for name in folders]
    parts.append(".+" if last == "**" else _name(last))
    return re.compile("".join(parts), re.DOTALL)


def _name(text: str) -> str:
    return "[^/]*".join(re.escape(part) for part in re.split(r"\*+", text))
