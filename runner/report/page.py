"""From the record to what the page says, in words: pure. How it looks is in ``release.html.jinja``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.report.links import (
    commit_address,
    files_beside,
    gallery_address,
    job_address,
    pull_address,
    source_address,
    tag_address,
)
from runner.report.pull import pull_commands
from runner.report.status import status_of
from runner.report.timeline import bars, fold, span_seconds
from runner.report.words import in_words, is_published, registry_in_words, short_name, what_became_of
from runner.source.git import OBJECT_ID
from runner.versions import release_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.report.record import EntryDocument, RecordDocument, StepDocument
    from runner.report.status import Status, Tone
    from runner.report.timeline import Bar, Folded


TONES: Mapping[str, Tone] = {"refused": "refused", "written": "good", "restored": "good"}
"""What a decision is like, by its word; any other is quiet."""

SHORT_COMMIT = 7
"""How many characters of a commit's id GitHub and Deck show."""


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
    """A term and what it is, with an address where there is one; ``whole`` is the id of which the value is a part."""

    term: str
    value: str
    address: str | None = None
    whole: str | None = None


@dataclass(frozen=True)
class Content:
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
    """All that the page says, in its order.

    ``files`` lie beside the page; ``short`` are steps that are folded; ``ambiguous`` are names of steps that do not say
    whose step it is.
    """

    status: Status
    failures: tuple[Failure, ...]
    facts: tuple[Fact, ...]
    files: tuple[str, ...]
    artifacts: tuple[Content, ...]
    decisions: tuple[Decision, ...]
    bars: tuple[Bar, ...]
    short: Folded | None
    seconds: float
    ambiguous: frozenset[str]


def make_page(document: RecordDocument) -> Page:
    """Decide what the page of a run says."""
    shown, short = fold(bars(document.steps))
    return Page(
        status=status_of(document),
        failures=tuple(_failures(document)),
        facts=tuple(_facts(document)),
        files=files_beside(document),
        artifacts=tuple(_artifacts(document)),
        decisions=tuple(_decisions(document)),
        bars=shown,
        short=short,
        seconds=span_seconds(document.steps),
        ambiguous=_ambiguous(document.steps),
    )


def _ambiguous(steps: Sequence[StepDocument]) -> frozenset[str]:
    """Some steps are of the run and of each service, and all are of each where there are several."""
    several = len({step.service for step in steps if step.service}) > 1
    return frozenset(name for name, number in Counter(step.name for step in steps).items() if several or number > 1)


def _failures(document: RecordDocument) -> Iterator[Failure]:
    """All errors, the one that decided the exit code first."""
    for error in sorted(document.errors, key=lambda error: error != document.error):
        of = f" of {error.service}" if error.service else ""
        place = f"{error.step}{of}" if error.step else error.service
        yield Failure(error.cause, error.remedy, place, error.code, error.exit, error.detail)


def _facts(document: RecordDocument) -> Iterator[Fact]:
    tag = None if document.as_tag else tag_address(document.source, document.version and release_tag(document.version))
    if document.ref:
        what = "Branch" if document.as_tag or document.path == "stable" else "Tag" if document.path else "Ref"
        yield Fact(what, document.ref, tag if what == "Tag" else None)
    if document.as_tag:
        yield Fact("Planned as", document.as_tag)
    if document.path == "stable" and document.version:
        yield Fact("Version", document.version, tag)
    yield from _commits(document)
    if document.source:
        yield Fact("Repository", document.source.removeprefix("https://"), source_address(document.source))
    if document.job is not None:
        yield Fact("Job", " ".join(filter(None, (document.job.name, document.job.build))), job_address(document))
    if document.registry:
        yield Fact("Registry", registry_in_words(document))
    if document.layout_folder:
        yield Fact("Folder", document.layout_folder)
    if document.steps:
        yield Fact("Began", document.steps[0].started[:19].replace("T", " ") + " UTC")
    if "total" in document.timings:
        yield Fact("Took", in_words(document.timings["total"]))


def _commits(document: RecordDocument) -> Iterator[Fact]:
    for pull in document.pulls:
        short, whole = _short(pull.commit)
        yield Fact("Pull request", f"{pull.number} at {short}", pull_address(document.source, pull.number), whole)
    if document.commit:
        # What Prow has merged for the check is in no repository.
        address = None if document.pulls else commit_address(document.source, document.commit)
        short, whole = _short(document.commit)
        yield Fact("Commit", short, address, whole)


def _short(commit: str) -> tuple[str, str | None]:
    """A commit as people know it, and the whole of it; what is no commit is whole already."""
    return (commit[:SHORT_COMMIT], commit) if OBJECT_ID.fullmatch(commit) else (commit, None)


def _artifacts(document: RecordDocument) -> Iterator[Content]:
    """What is published, in the order of the plan; names of one content together."""
    groups: dict[tuple[str, str, str], list[EntryDocument]] = {}
    for entry in document.entries:
        if entry.digest and is_published(document, entry):
            groups.setdefault((entry.service, entry.kind, entry.digest), []).append(entry)
    several = len({service for service, _, _ in groups}) > 1
    for (service, kind, digest), found in groups.items():
        # History tags sort after the moving tag: their names extend its name.
        entries = sorted(found, key=lambda entry: _is_history(entry, found))
        yield Content(
            title=f"{kind.capitalize()} of {service}" if several else kind.capitalize(),
            names=tuple(entry.name for entry in entries),
            digest=digest,
            state=_state(entries),
            pulls=tuple(_pulls(entries)),
            address=gallery_address(entries[0].name),
        )


def _state(entries: Sequence[EntryDocument]) -> str:
    """What became of content under all its names: it was there, or is there now."""
    written = sum(entry.written for entry in entries)
    there = "adopted" if any(entry.adopted for entry in entries) else "already there"
    there = "restored" if any(entry.restored for entry in entries) else there
    return there if not written else "written" if written == len(entries) else "completed"


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
        word, reason = what_became_of(document, entry)
        yield Decision(short_name(document, entry), word, TONES.get(word, "quiet"), reason)
