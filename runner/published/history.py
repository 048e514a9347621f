"""The history of stable charts: the tags that a move writes beside the one that it moves. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.oci.name import Name
from runner.versions import HistoryTag

if TYPE_CHECKING:
    from collections.abc import Iterable


def history_names(name: Name, tags: Iterable[str]) -> tuple[Name, ...]:
    """Return the history names of a moving name among a repository's tags, oldest first."""
    return tuple(Name(name.repository, str(one)) for one in history_tags(name, tags))


def history_tags(name: Name, tags: Iterable[str]) -> tuple[HistoryTag, ...]:
    """Return what the history tags of a moving name say, oldest first."""
    found = (HistoryTag.of_tag(tag) for tag in tags if tag.startswith(f"{name.tag}-"))
    return tuple(sorted(one for one in found if one is not None and one.stable == name.tag))
