"""Words that several reports have in common: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ExitCode

if TYPE_CHECKING:
    from runner.report.record import EntryDocument, RecordDocument


def registry_in_words(document: RecordDocument) -> str:
    """The registry of a run, and whether it is a staging one."""
    return f"{document.registry} (staging)" if document.staging else f"{document.registry}"


def log_name(tool: str) -> str:
    """The file beside the reports that has what a tool printed; Prow's build-log lens can show files of such names."""
    return f"{tool}-build-log.txt"


def short_name(document: RecordDocument, entry: EntryDocument) -> str:
    """A name without the registry that the record names for all."""
    return entry.name.removeprefix(f"{document.registry}/")


def is_published(document: RecordDocument, entry: EntryDocument) -> bool:
    """Whether a name is in its registry as the entry says: it was there before, or this run wrote it."""
    return (
        (entry.action == "skip" and entry.digest is not None)
        or entry.restored
        or (entry.written and document.layout_folder is None)
    )


def sentence(text: str) -> str:
    """A text that ends as a sentence does: with the mark that it has, else with a full stop."""
    return text if text.endswith(("?", "!", ".", "…")) else f"{text}."


def what_became_of(document: RecordDocument, entry: EntryDocument) -> tuple[str, str]:
    """What became of a name, and the reason, which is empty where the first says it.

    Why a name was to be written says nothing of why it was not: that is why the run did not come so far.
    """
    if entry.action != "publish":
        done = "adopted" if entry.adopted else {"skip": "skipped", "refuse": "refused"}[entry.action]
        return done, entry.reason
    if entry.written or entry.restored:
        return "written" if entry.written else "restored", entry.reason
    if document.command == "plan" or document.exit is None:
        return "to restore" if entry.restores else "to publish", entry.reason
    undone = "not restored" if entry.restores else "not published"
    failed = next((error for error in document.errors if error.service in {None, entry.service}), None)
    if failed is None:
        return undone, entry.reason
    if failed.exit == ExitCode.ENDED:
        return f"{undone}: the run was ended", ""
    return f"{undone}: {failed.step or 'the run'} failed", ""


def in_words(seconds: float) -> str:
    """A time as a person says it: ``12 ms``, ``1.3 s``, ``2 min 05 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


_SHORT = (
    (2 * 60, 1, "s", 0, ""),
    (10 * 60, 60, "m", 1, "s"),
    (3 * 3600, 60, "m", 0, ""),
    (8 * 3600, 3600, "h", 60, "m"),
    (48 * 3600, 3600, "h", 0, ""),
    (8 * 86400, 86400, "d", 3600, "h"),
    (float("inf"), 86400, "d", 0, ""),
)
"""Below how many seconds a time is said in which unit, and in which smaller one beside it."""


def in_short(seconds: float) -> str:
    """An age or a duration in little room, ``45s`` or ``3d4h``, as kubectl says it (k8s.io/apimachinery, duration)."""
    total = max(0, round(seconds))
    _, unit, name, smaller, smaller_name = next(row for row in _SHORT if total < row[0])
    rest = total % unit // smaller if smaller else 0
    return f"{total // unit}{name}" + (f"{rest}{smaller_name}" if rest else "")
