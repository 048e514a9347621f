"""Writing reports: each whole or not at all, and none kept back by another that fails."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.report.metadata import render_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from runner.record import RecordDocument


@dataclass(frozen=True)
class Report:
    """A file that is made of the record: its name, and what renders its text."""

    name: str
    render: Callable[[RecordDocument], str]


def write_reports(folder: Path, document: RecordDocument, reports: Iterable[Report]) -> Iterable[tuple[str, str]]:
    """Write reports; return the name of each that could not be rendered or written, and why not."""
    problems = []
    for report in reports:
        try:
            write_whole(folder / report.name, report.render(document))
        except OSError as error:
            problems.append((report.name, f"{folder}: {error.strerror}"))
        except Exception as error:  # noqa: BLE001 - a bug in one report must take nobody the others
            problems.append((report.name, repr(error)))
    return problems


def write_whole(file: Path, text: str) -> None:
    """Write by rename, so that a reader (Prow's sidecar reads at the moment of an abort) never sees half a file.

    What a broken file name put into the text as a lone surrogate is written as JSON's escape of it.
    """
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    partial.replace(file)


def _record(document: RecordDocument) -> str:
    return json.dumps(document.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False) + "\n"


def _junit(document: RecordDocument) -> str:
    # Only a finished run needs junitparser, whose import would delay the first log line.
    from runner.report.junit import render_junit  # noqa: PLC0415 - see above

    return render_junit(document)


PROGRESS = (Report("record.json", _record), Report("metadata.json", render_metadata))
"""What must be there at any moment: the record, and the metadata that Prow shows."""

REPORTS = (*PROGRESS, Report("junit_release.xml", _junit))
"""Every report of a finished run."""
