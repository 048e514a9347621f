"""``metadata.json``: what Prow merges into ``finished.json`` and shows at the top of its page.

Prow's metadata lens drops everything but strings, and lists keys in the order of their bytes, capitals first
(pkg/spyglass/lenses/metadata). So everything is a string, and what an operator wants first begins with a capital.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.foreign.shown import spelled_out
from runner.report.record import step_in_words, summary
from runner.report.words import registry_in_words, short_name, what_became_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.report.record import EntryDocument, RecordDocument


def render_metadata(document: RecordDocument) -> str:
    """Return the file's text: one JSON object of non-empty strings."""
    lines: dict[str, list[str]] = {}
    for key, value in _lines(document):
        if value and value not in lines.setdefault(key, []):
            lines[key].append(spelled_out(value, kept="\n"))
    found = {key: "; ".join(values) for key, values in sorted(lines.items()) if values}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _lines(document: RecordDocument) -> Iterator[tuple[str, str | None]]:
    for error in document.errors:
        of = "" if error == document.error else f" of {error.service or error.code}"
        yield f"Cause{of}", error.cause
        yield f"Remedy{of}", error.remedy
    yield "Result", _result(document)
    at = "running" if document.exit is None else "failed"
    yield "Step", ", ".join(step_in_words(step) for step in document.steps if step.outcome == at)
    yield "ref", document.ref
    yield "as tag", document.as_tag
    yield "commit", document.commit
    yield "pull request", ", ".join(f"{pull.number} at {pull.commit}" for pull in document.pulls)
    yield "version", document.version
    yield "path", document.path
    yield "registry", registry_in_words(document) if document.registry else None
    yield "layout folder", document.layout_folder
    for step in document.steps:
        if step.name == "select" and step.service is not None and step.outcome == "skipped":
            yield f"service {step.service}", f"not released: {step.reason}"
    for entry in document.entries:
        yield _entry_line(document, entry)
    yield "warnings", "; ".join(document.warnings)
    yield "notes", "; ".join(document.notes)


def _entry_line(document: RecordDocument, entry: EntryDocument) -> tuple[str, str]:
    """The name without its registry, which has a line of its own; what became of it; the whole name, to copy."""
    holds = f": {entry.name}@{entry.digest}" if entry.digest and entry.action != "refuse" else ""
    done, reason = what_became_of(document, entry)
    why = f" ({reason})" if reason else ""
    return f"{entry.kind} {short_name(document, entry)}", f"{done}{why}{holds}"


def _result(document: RecordDocument) -> str:
    if document.exit is None:
        return "running"
    if document.error is not None:
        return f"failed: {document.error.code} (exit {document.error.exit})"
    return summary(document)
