"""The commands ``prowjobs generate`` and ``prowjobs check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from runner.config.load import load_config
from runner.errors import ExitCode, ReleaseError
from runner.prow.generate.files import prow_files
from runner.prow.generate.folder import check_folder, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DETAIL_LINES = 30
"""How many lines about differences are printed."""


def generate(config: Path, folder: Path, out: TextIO, err: TextIO) -> int:
    """Write the folder and return the exit code.

    Args:
        config: jobs.yaml.
        folder: where to.
        out: told what was written and removed.
        err: told what went wrong, and what to do.
    """

    def write() -> None:
        changed = write_folder(folder, prow_files(load_config(config), folder))
        for path in changed.written:
            print(f"wrote {folder / path}", file=out)
        for path in changed.removed:
            print(f"removed {folder / path}", file=out)
        total = changed.unchanged + len(changed.written)
        print(f"{folder}: {total} files, {changed.unchanged} of them as they were", file=out)

    return _run(write, out, err)


def check(config: Path, folder: Path, out: TextIO, err: TextIO) -> int:
    """Compare the folder with what would be written, and return the exit code; arguments as in ``generate``."""

    def compare() -> None:
        files = prow_files(load_config(config), folder)
        for path in check_folder(folder, files):
            print(f"note: {folder / path} was not generated; it is left alone", file=out)
        print(f"{folder}: {len(files)} files, all as generated", file=out)

    return _run(compare, out, err)


def _run(work: Callable[[], None], out: TextIO, err: TextIO) -> int:
    try:
        work()
    except ReleaseError as error:
        for line in error.detail[:DETAIL_LINES]:
            print(f"  | {line}", file=err)
        if len(error.detail) > DETAIL_LINES:
            print(f"  | … ({len(error.detail) - DETAIL_LINES} more lines)", file=err)
        print(f"ERROR: {error.cause}. {error.remedy} exit={error.exit_code} code={error.code}", file=err, flush=True)
        return error.exit_code
    finally:
        out.flush()
    return ExitCode.DONE
