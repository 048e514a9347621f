"""``metadata.json``: what Prow merges into ``finished.json`` and shows at the top of its page.

Prow's metadata lens drops everything but strings (pkg/spyglass/lenses/metadata/lens.go), so everything is a string.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.record import step_in_words, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.record import EntryDocument, RecordDocument


def render_metadata(document: RecordDocument) -> str:
    """Return the file's text: one JSON object of non-empty strings."""
    return json.dumps({key: value for key, value in _lines(document) if value}, indent=2, ensure_ascii=False) + "\n"


def _lines(document: RecordDocument) -> Iterator[tuple[str, str | None]]:
    yield "result", _result(document)
    if document.error is not None:
        yield "error", document.error.cause
        yield "remedy", document.error.remedy
        yield "error code", f"{document.error.code} (exit {document.error.exit})"
    yield "ref", document.ref
    yield "as tag", document.as_tag
    yield "commit", document.commit
    yield "version", document.version
    yield "path", document.path
    yield "registry", f"{document.registry} (staging)" if document.staging else document.registry
    at = "running" if document.exit is None else "failed"
    yield "step", ", ".join(step_in_words(step) for step in document.steps if step.outcome == at)
    yield "layout folder", document.layout_folder
    for step in document.steps:
        if step.name == "select" and step.service is not None and step.outcome == "skipped":
            yield step.service, f"not released: {step.reason}"
    for entry in document.entries:
        at = f" @{entry.digest}" if entry.digest else ""
        yield f"{entry.service} {entry.name}", f"{_done(document, entry)}: {entry.reason}{at}"
    yield "warnings", "; ".join(document.warnings)
    yield "notes", "; ".join(document.notes)


def _done(document: RecordDocument, entry: EntryDocument) -> str:
    if entry.action != "publish":
        return entry.action
    if document.command == "plan":
        return "to publish"
    return "written" if entry.written else "not written"


def _result(document: RecordDocument) -> str:
    if document.exit is None:
        return "running"
    if document.exit:
        return "failed"
    return summary(document)
