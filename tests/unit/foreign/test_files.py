from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from runner.foreign.files import open_file, read_file_within

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file(tmp_path: Path) -> None:
    """A file of at most the limit is read, through links that stay in the folder, too."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        assert read_file_within(tmp_path / name, 5, below=tmp_path) == b"12345"
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_file_within(tmp_path / "file", 4)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "missing", "loop", "out", "absolute", "folder out"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """What could give anything or nothing is an error at once, and so is a link that leads out of the folder."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_text("secret")
    path = inside / "file"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to("file")
        case "out":
            path.symlink_to("../secret")
        case "absolute":
            path.symlink_to(tmp_path / "secret")
        case "folder out":
            (inside / "below").symlink_to("..")
            path = inside / "below" / "secret"
    with pytest.raises(OSError, match=r"."):
        read_file_within(path, 100, below=inside)
    if kind in {"pipe", "folder", "device", "missing", "loop"}:
        with pytest.raises(OSError, match=r"."):
            open_file(path)
