"""Files that others wrote: read only where they are files, and within a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO


def open_file(path: Path, *, below: Path | None = None) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device, which could give anything or nothing, is refused.

    Args:
        path: the file; a link is followed.
        below: the folder that it must be in once all links are followed; None for any.

    Raises:
        OSError: it cannot be opened, is no regular file, or a link leads out of the folder.
    """
    if below is not None and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(below)):
        raise OSError(errno.ELOOP, "a link leads out of its folder", str(path))
    # Without O_NONBLOCK a pipe that nobody writes to would never be opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        problem = _problem(os.fstat(descriptor).st_mode, path)
    except OSError as error:
        problem = error
    if problem is not None:
        os.close(descriptor)
        raise problem
    return os.fdopen(descriptor, "rb")


def _problem(mode: int, path: Path) -> OSError | None:
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return None if stat.S_ISREG(mode) else OSError(errno.EINVAL, "not a regular file", str(path))


def read_file_within(path: Path, limit: int, *, below: Path | None = None) -> bytes:
    """Return what a regular file holds; OSError as ``open_file``, and when it is longer than ``limit`` bytes."""
    with open_file(path, below=below) as file:
        body = file.read(limit + 1)
    if len(body) > limit:
        raise OSError(errno.EFBIG, f"longer than {limit} bytes", str(path))
    return body
