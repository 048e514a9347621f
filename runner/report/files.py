"""Writing reports: each whole or not at all, and none kept back by another that fails."""

from __future__ import annotations

import importlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

from runner.report.metadata import render_metadata
from runner.runtime.storage import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from runner.report.record import RecordDocument


@dataclass(frozen=True)
class Report:
    """Files that are made of the record: what they are called together, and what gives their names and texts."""

    name: str
    files: Callable[[RecordDocument], Mapping[str, str]]

    @classmethod
    def one(cls, name: str, render: Callable[[RecordDocument], str]) -> Report:
        """A report that is one file."""
        return cls(name, lambda document: {name: render(document)})

    @classmethod
    def loaded(cls, name: str, module: str, function: str) -> Report:
        """A report that is one file, whose module is loaded when it is written: what is wrong with it stays with it."""

        def render(document: RecordDocument) -> str:
            text: str = getattr(importlib.import_module(module), function)(document)
            return text

        return cls.one(name, render)


def write_reports(folder: Path, document: RecordDocument, reports: Iterable[Report]) -> Iterable[tuple[str, str]]:
    """Write reports; return the name of each that could not be rendered or written, and why not."""
    problems = []
    for report in reports:
        try:
            for name, text in report.files(document).items():
                write_whole(folder / name, text)
        except OSError as error:
            problems.append((report.name, reason_of(error, folder)))
        except Exception as error:  # noqa: BLE001 - a bug in one report must not prevent the others
            problems.append((report.name, repr(error)))
    return problems


def write_whole(file: Path, text: str) -> None:
    """Write by rename, so that a reader (Prow's sidecar reads at the moment of an abort) never sees half a file.

    What a broken file name put into the text as a lone surrogate is written as JSON's escape of it.
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        partial.replace(file)
    except OSError:
        # On a full disk it would be uploaded beside the reports.
        with suppress(OSError):
            partial.unlink()
        raise


def _record(document: RecordDocument) -> str:
    """The record as JSON; it is written after each step, and pydantic's serializer is five times as fast as json's."""
    try:
        text = document.model_dump_json(by_alias=True, indent=2)
    except PydanticSerializationError:
        # It refuses lone surrogates.
        text = json.dumps(document.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    return f"{text}\n"


PROGRESS = (Report.one("record.json", _record), Report.one("metadata.json", render_metadata))
"""What must be there at any moment: the record, and the metadata that Prow shows."""
