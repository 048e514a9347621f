"""Small disks for tests, or the test is skipped with a reason; and what a run says of one that it cannot use."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from testbed.small_disk import MountRefused, small_disk
from tests.support.refusals import check_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.release_harness import Ended

SPACE = re.compile(r"\(\d+(\.\d [KMGT]i| )B of \d+(\.\d [KMGT]i| )B free[^)]* now\)")


@contextlib.contextmanager
def disk_of(folder: Path, size: int, *, files: int = 0) -> Iterator[Path]:
    """A small disk; skips where nothing can be mounted."""
    try:
        with small_disk(folder, size, files=files) as made:
            yield made
    except MountRefused as error:
        pytest.skip(f"no small file system can be mounted: {error}")


def check_storage(ended: Ended, disk: Path, words: str = "no space left on device") -> None:
    """Check that a run ended with 2, and named the disk's folder, what is wrong with it and its free space."""
    check_refusal(ended, 2, "storage-unusable", words)
    cause = ended.record["error"]["cause"]
    assert re.search(rf"(^|: ){re.escape(str(disk))}(/\S*)?: {re.escape(words)} ", cause), cause
    assert SPACE.search(cause), cause
    assert "bug" not in ended.out
    assert "Repair" not in ended.out
