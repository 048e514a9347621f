from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from testbed.files import tree_of, write_files

NAMES = st.text("abc", min_size=1, max_size=2)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join([*parts, "file"])), st.binary()
)


@given(files=FILES)
def test_what_was_written_is_read(files: dict[str, bytes]) -> None:
    """Every file is read with the bytes that were written, and every folder with a slash at its end."""
    with tempfile.TemporaryDirectory() as folder:
        tree = tree_of(write_files(Path(folder), files))
    assert {path: content for path, (mode, content) in tree.items() if stat.S_ISREG(mode)} == files
    folders = {f"{above}/" for path in files for above in map(str, Path(path).parents) if above != "."}
    assert {path for path, (mode, _) in tree.items() if stat.S_ISDIR(mode)} == folders


def test_a_link_is_read_as_its_target_and_git_is_left_out(tmp_path: Path) -> None:
    """Of a symbolic link the target is read, wherever it leads, and nothing below .git."""
    write_files(tmp_path, {".git/HEAD": b"ref"})
    (tmp_path / "link").symlink_to("/nowhere")
    [(path, (mode, target))] = tree_of(tmp_path).items()
    assert (path, stat.S_ISLNK(mode), target) == ("link", True, b"/nowhere")
