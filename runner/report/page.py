"""From the record to what the page says, in words: pure. How it looks is in ``release.html.jinja``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runner.errors import ExitCode
from runner.record import is_published, short_name, summary
from runner.report.links import commit_address, gallery_address, source_address, tag_address
from runner.report.pull import pull_commands
from runner.report.timeline import Bar, bars, span_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.record import EntryDocument, ErrorDocument, RecordDocument

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


@dataclass(frozen=True)
class Failure:
    """One error. ``place`` is the step, and of which service; ``detail`` a tool's last lines, oldest first."""

    cause: str
    remedy: str
    place: str | None
    code: str
    exit: int
    detail: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A term and what it is, with an address where there is one."""

    term: str
    value: str
    address: str | None = None


@dataclass(frozen=True)
class Artifact:
    """Content that is published, under all its names; ``pulls`` are commands, each with what it is good for."""

    title: str
    names: tuple[str, ...]
    digest: str
    state: str
    pulls: tuple[tuple[str, str], ...]
    address: str | None


@dataclass(frozen=True)
class Decision:
    """What was decided for a name, and why."""

    name: str
    word: str
    tone: Tone
    reason: str


@dataclass(frozen=True)
class Page:
    """All that the page says, in its order."""

    status: Status
    failures: tuple[Failure, ...]
    facts: tuple[Fact, ...]
    artifacts: tuple[Artifact, ...]
    decisions: tuple[Decision, ...]
    bars: tuple[Bar, ...]
    seconds: float
    is_of_several: bool


def make_page(document: RecordDocument) -> Page:
    """Decide what the page of a run says."""
    return Page(
        status=_status(document),
        failures=tuple(_failures(document)),
        facts=tuple(_facts(document)),
        artifacts=tuple(_artifacts(document)),
        decisions=tuple(_decisions(document)),
        bars=bars(document.steps),
        seconds=span_seconds(document.steps),
        is_of_several=len({step.service for step in document.steps if step.service}) > 1,
    )


def in_words(seconds: float) -> str:
    """A time as a person says it: ``12 ms``, ``1.3 s``, ``2 min 05 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


# --- status -----------------------------------------------------------------------------------------------------------


def _status(document: RecordDocument) -> Status:
    say = _headlines(document)
    publishes = sum(entry.action == "publish" for entry in document.entries)
    written = sum(entry.written for entry in document.entries)
    if document.exit is None:
        return Status("quiet", "Running", say["running"], "The run has not come to its end.")
    if document.error is not None:
        return _failed(document.error, say, written, publishes)
    if not any(row.selected for row in document.services):
        return Status("quiet", "Nothing to do", "There is nothing to release", _left_out(document))
    if document.command == "plan" or document.layout_folder is not None:
        tone, word, headline = _aside(document, publishes)
        return Status(tone, word, say[headline], _sentence(summary(document)))
    return _done(document, say, written)


def _aside(document: RecordDocument, publishes: int) -> tuple[Tone, str, str]:
    if document.command == "plan":
        return "quiet", "Planned", "planned" if publishes else "before"
    return "good", "Written", "folder"


def _done(document: RecordDocument, say: Mapping[str, str], written: int) -> Status:
    if not written:
        meaning = "Nothing was sent: every name holds this already. A rerun is always safe."
        return Status("quiet", "Nothing to send", say["before"], meaning)
    there = len(document.entries) - written
    meaning = f"{_names(written)} written to {_registry(document)}" + (f", {there} there before." if there else ".")
    return Status("good", "Released", say["done"], meaning)


def _failed(error: ErrorDocument, say: Mapping[str, str], written: int, publishes: int) -> Status:
    so_far = f"{written} of {_names(publishes)} written; what is written is whole."
    meaning = so_far if written else "Nothing was written by this run."
    if error.exit == ExitCode.ENDED:
        return Status("refused", "Stopped", say["stopped"], f"{meaning} A rerun finishes it.")
    if error.exit in REFUSALS:
        return Status("refused", "Refused", say["refused"], meaning)
    return Status("failed", "Failed", say["failed"], meaning)


def _headlines(document: RecordDocument) -> Mapping[str, str]:
    """What can be said of the run as a whole, by how it came out."""
    selected = [row.name for row in document.services if row.selected]
    who = f"{len(selected)} services" if len(selected) > NAMED_SERVICES else ", ".join(selected)
    if document.path == "stable" and selected:
        version = document.version or "their versions"
        return {
            "running": f"{who} stable is being moved",
            "planned": f"{who} stable can move to {version}",
            "folder": f"{who} stable {version} is in a folder",
            "before": f"{who} stable is {version} already",
            "done": f"{who} stable moved to {version}",
            "stopped": f"Moving {who} stable was stopped",
            "refused": f"{who} stable may not move",
            "failed": f"{who} stable was not moved",
        }
    what = f"{who} {document.version or ''}".strip() or document.as_tag or document.ref or "The release"
    return {
        "running": f"{what} is being released",
        "planned": f"{what} can be released",
        "folder": f"{what} is in a folder",
        "before": f"{what} is released already",
        "done": f"{what} is released",
        "stopped": f"{what} was stopped on its way",
        "refused": f"{what} was refused",
        "failed": f"{what} was not released",
    }


def _left_out(document: RecordDocument) -> str:
    if len(document.services) > NAMED_SERVICES:
        return f"None of {len(document.services)} services is in it; each with its reason below."
    return "; ".join(f"{row.name}: {row.reason}" for row in document.services) or "No service is in it."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _registry(document: RecordDocument) -> str:
    return f"{document.registry} (staging)" if document.staging else f"{document.registry}"


def _names(number: int) -> str:
    return "1 name" if number == 1 else f"{number} names"


# --- parts ------------------------------------------------------------------------------------------------------------


def _failures(document: RecordDocument) -> Iterator[Failure]:
    """All errors, the one that decided the exit code first."""
    for error in sorted(document.errors, key=lambda error: error != document.error):
        of = f" of {error.service}" if error.service else ""
        place = f"{error.step}{of}" if error.step else error.service
        yield Failure(error.cause, error.remedy, place, error.code, error.exit, error.detail)


def _facts(document: RecordDocument) -> Iterator[Fact]:
    tag = None if document.as_tag else tag_address(document.source, document.version and f"v{document.version}")
    if document.ref:
        what = "Branch" if document.as_tag or document.path == "stable" else "Tag" if document.path else "Ref"
        yield Fact(what, document.ref, tag if what == "Tag" else None)
    if document.as_tag:
        yield Fact("Planned as", document.as_tag)
    if document.path == "stable" and document.version:
        yield Fact("Version", document.version, tag)
    if document.commit:
        yield Fact("Commit", document.commit, commit_address(document.source, document.commit))
    if document.source:
        yield Fact("Repository", document.source.removeprefix("https://"), source_address(document.source))
    if document.registry:
        yield Fact("Registry", _registry(document))
    if document.layout_folder:
        yield Fact("Folder", document.layout_folder)
    if document.steps:
        yield Fact("Began", document.steps[0].started[:19].replace("T", " ") + " UTC")
    if "total" in document.timings:
        yield Fact("Took", in_words(document.timings["total"]))


def _artifacts(document: RecordDocument) -> Iterator[Artifact]:
    """What is published, in the order of the plan; names of one content together."""
    groups: dict[tuple[str, str, str], list[EntryDocument]] = {}
    for entry in document.entries:
        if entry.digest and is_published(document, entry):
            groups.setdefault((entry.service, entry.kind, entry.digest), []).append(entry)
    several = len({service for service, _, _ in groups}) > 1
    for (service, kind, digest), found in groups.items():
        # What stable was before stands after what it is: its name goes on where the other's ends.
        entries = sorted(found, key=lambda entry: _is_history(entry, found))
        written = sum(entry.written for entry in entries)
        yield Artifact(
            title=f"{kind.capitalize()} of {service}" if several else kind.capitalize(),
            names=tuple(entry.name for entry in entries),
            digest=digest,
            state="there before" if not written else "written" if written == len(entries) else "completed",
            pulls=tuple(_pulls(entries)),
            address=gallery_address(entries[0].name),
        )


def _pulls(entries: Sequence[EntryDocument]) -> Iterator[tuple[str, str]]:
    now = [entry for entry in entries if not _is_history(entry, entries)]
    commands = [found for entry in now if (found := pull_commands(entry.kind, entry.name, entry.digest))]
    for found in commands:
        if "@" not in found[0]:
            yield "Pull by name", found[0]
    for found in commands[:1]:
        yield "Pull by digest: always this content", found[-1]


def _is_history(entry: EntryDocument, among: Sequence[EntryDocument]) -> bool:
    return any(entry.name.startswith(f"{other.name}-") for other in among)


def _decisions(document: RecordDocument) -> Iterator[Decision]:
    for entry in document.entries:
        yield Decision(short_name(document, entry), *_decided(document, entry), entry.reason)


def _decided(document: RecordDocument, entry: EntryDocument) -> tuple[str, Tone]:
    if entry.action == "refuse":
        return "refused", "refused"
    if entry.action == "skip":
        return "skipped", "quiet"
    if entry.written:
        return "written", "good"
    return "to publish" if document.command == "plan" else "not written", "quiet"
