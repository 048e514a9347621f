"""Writing reports: whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.report.metadata import render_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from runner.record import RecordDocument


def write_whole(file: Path, text: str) -> None:
    """Write by rename, so that a reader (Prow's sidecar reads at the moment of an abort) never sees half a file.

    What a broken file name put into the text as a lone surrogate is written as JSON's escape of it.
    """
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    partial.replace(file)


def write_progress(folder: Path, document: RecordDocument) -> None:
    """Write what must be there at any moment: the record, and the metadata that Prow shows."""
    record = json.dumps(document.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    write_whole(folder / "record.json", record + "\n")
    write_whole(folder / "metadata.json", render_metadata(document))


def write_reports(folder: Path, document: RecordDocument) -> None:
    """Write every report of a finished run."""
    # Only a finished run needs junitparser, whose import would delay the first log line.
    from runner.report.junit import render_junit  # noqa: PLC0415 - see above

    write_progress(folder, document)
    write_whole(folder / "junit_release.xml", render_junit(document))
