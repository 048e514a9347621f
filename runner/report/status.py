"""From the record to what is said of a run first: how it came out, in a headline and a sentence. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runner.errors import ExitCode
from runner.report.record import summary
from runner.report.words import registry_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.report.record import ErrorDocument, RecordDocument

Tone = Literal["good", "quiet", "refused", "failed"]
"""What a status is like: something was done; nothing had to be; it was not allowed; it did not work."""

REFUSALS = frozenset({ExitCode.NOT_A_RELEASE, ExitCode.INVALID_RELEASE, ExitCode.CONFLICT})
NAMED_SERVICES = 3


@dataclass(frozen=True)
class Status:
    """How the run came out: a word, a headline, and what that means."""

    tone: Tone
    word: str
    headline: str
    meaning: str


def status_of(document: RecordDocument) -> Status:
    """Decide what is said of a run first."""
    say = _headlines(document, _concerned(document))
    if document.exit is None:
        return Status("quiet", "Running", say["running"], "The run has not ended yet.")
    if document.error is not None:
        return _failed(document, document.error, say)
    if not _concerned(document):
        return Status("quiet", "Nothing to do", "There is nothing to release", _left_out(document))
    if document.command == "plan" or document.layout_folder is not None:
        tone, word, headline = _aside(document)
        return Status(tone, word, say[headline], _sentence(summary(document)))
    return _done(document, say)


def _aside(document: RecordDocument) -> tuple[Tone, str, str]:
    if document.command == "plan":
        publishes = any(entry.action == "publish" for entry in document.entries)
        return "quiet", "Planned", "planned" if publishes else "before"
    return "good", "Written", "folder"


def _done(document: RecordDocument, say: Mapping[str, str]) -> Status:
    written = sum(entry.written for entry in document.entries)
    restored = sum(entry.restored for entry in document.entries)
    if not written and restored:
        meaning = f"What was gone of {_tags(restored)} is there again; the tags themselves were not written."
        return Status("good", "Restored", say["before"], meaning)
    if not written:
        meaning = "Nothing was sent: every tag already holds this. A rerun is always safe."
        return Status("quiet", "Nothing to send", say["before"], meaning)
    there = len(document.entries) - written
    before = f", {there} already there" if there else ""
    meaning = f"{_tags(written)} written to {registry_in_words(document)}{before}."
    return Status("good", "Released", say["done"], meaning)


def _failed(document: RecordDocument, error: ErrorDocument, say: Mapping[str, str]) -> Status:
    meaning = _so_far(document)
    if error.exit == ExitCode.ENDED:
        return Status("refused", "Stopped", say["stopped"], f"{meaning} A rerun finishes it.")
    failed, concerned = {one.service for one in document.errors}, _concerned(document)
    if len(concerned) > 1 and failed < set(concerned):
        return Status("failed", "Failed", _some_of(document, len(failed), len(concerned)), meaning)
    if error.exit in REFUSALS:
        return Status("refused", "Refused", say["refused"], meaning)
    return Status("failed", "Failed", say["failed"], meaning)


def _so_far(document: RecordDocument) -> str:
    if document.command == "plan":
        return "A plan changes nothing."
    publishes = sum(entry.action == "publish" for entry in document.entries)
    written = sum(entry.written or entry.restored for entry in document.entries)
    so_far = f"{written} of {_tags(publishes)} written; each of them is complete."
    return so_far if written else "Nothing was written by this run."


def _some_of(document: RecordDocument, failed: int, concerned: int) -> str:
    """What became of those that failed, where others did not."""
    done = "moved" if document.path == "stable" else "released"
    what = f"{failed} of {concerned} services"
    if document.command == "plan":
        return f"{what} cannot be {done}"
    return f"{what} {'was' if failed == 1 else 'were'} not {done}"


def _headlines(document: RecordDocument, concerned: list[str]) -> Mapping[str, str]:
    """What can be said of the run as a whole, by how it came out."""
    who = f"{len(concerned)} services" if len(concerned) > NAMED_SERVICES else ", ".join(concerned)
    if document.path == "stable" and concerned:
        said = _of_stable(document, who, several=len(concerned) > 1)
        planned = _of_plan(f"{who} stable", "move")
    else:
        what = f"{who} {document.version or ''}".strip() or document.as_tag or document.ref
        said = _of_release(what, several=len(concerned) > 1)
        planned = _of_plan(what, "be released")
    return {**said, **planned} if document.command == "plan" else said


def _of_stable(document: RecordDocument, who: str, *, several: bool) -> Mapping[str, str]:
    are, were = ("are", "were") if several else ("is", "was")
    version = document.version or "their versions"
    return {
        "running": f"{who} stable {are} being moved",
        "planned": f"{who} stable can move to {version}",
        "folder": f"{who} stable {version} {were} written to a folder",
        "before": f"{who} stable {are} already {version}",
        "done": f"{who} stable moved to {version}",
        "stopped": f"The move of {who} stable was stopped",
        "refused": f"{who} stable may not move",
        "failed": f"{who} stable {were} not moved",
    }


def _of_release(known: str | None, *, several: bool) -> Mapping[str, str]:
    are, were = ("are", "were") if several else ("is", "was")
    what = known or "The release"
    return {
        "running": f"{what} {are} being released",
        "planned": f"{what} can be released",
        "folder": f"{what} {were} written to a folder",
        "before": f"{what} {are} already released",
        "done": f"{what} {are} released",
        "stopped": f"The release of {known} was stopped" if known else "The release was stopped",
        "refused": f"{what} {were} refused",
        "failed": f"{what} {were} not released",
    }


def _of_plan(known: str | None, happen: str) -> Mapping[str, str]:
    """The headlines of a plan that was stopped, refused, or failed."""
    what = known or "The release"
    return {
        "stopped": f"The plan of {known} was stopped" if known else "The plan was stopped",
        "refused": f"{what} cannot {happen}",
        "failed": f"{what} could not be planned",
    }


def _concerned(document: RecordDocument) -> list[str]:
    """The services that are released, and those that would be but for an error."""
    failed = {error.service for error in document.errors}
    return [row.name for row in document.services if row.selected or row.name in failed]


def _left_out(document: RecordDocument) -> str:
    if len(document.services) > NAMED_SERVICES:
        return f"None of {len(document.services)} services is released; the reasons are below."
    return "; ".join(f"{row.name}: {row.reason}" for row in document.services) or "No service is released."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _tags(number: int) -> str:
    return "1 tag" if number == 1 else f"{number} tags"
