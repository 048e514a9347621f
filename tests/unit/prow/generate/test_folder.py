from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import FolderUnusable, GeneratedFilesDiffer
from runner.prow.generate.folder import MARK, Changed, check_folder, write_folder

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"deck.yaml": f"{MARK} 1\na: 1\n", "jobs/a.yaml": f"{MARK} 2\nb: 1\n"}


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


def differences(folder: Path) -> tuple[str, ...]:
    with pytest.raises(GeneratedFilesDiffer) as raised:
        check_folder(folder, FILES)
    assert raised.value.exit_code == 2
    return (raised.value.cause, *raised.value.detail)


def test_what_was_written_is_what_is_checked(tmp_path: Path) -> None:
    """A folder is made, holds the files, passes the check, and is not written again."""
    folder = tmp_path / "prowjobs"
    assert write_folder(folder, FILES) == Changed(("deck.yaml", "jobs/a.yaml"), (), 0)
    assert tree(folder) == FILES
    assert check_folder(folder, FILES) == ()
    written = (folder / "deck.yaml").stat()
    assert write_folder(folder, FILES) == Changed((), (), 2)
    assert (folder / "deck.yaml").stat() == written


def test_drift_is_shown_file_by_file(tmp_path: Path) -> None:
    """A file that differs, one that is missing and one no longer generated are each named, with a short difference."""
    write_folder(tmp_path, {**FILES, "jobs/old.yaml": f"{MARK} 3\n"})
    (tmp_path / "deck.yaml").write_text(FILES["deck.yaml"].replace("a: 1", "a: 2"), encoding="utf-8")
    (tmp_path / "jobs" / "a.yaml").unlink()
    assert differences(tmp_path) == (
        f"{tmp_path}/deck.yaml differs (and 2 more)",
        f"{tmp_path}/deck.yaml differs",
        "  @@ -1,2 +1,2 @@",
        f"   {MARK} 1",
        "  -a: 2",
        "  +a: 1",
        f"{tmp_path}/jobs/a.yaml is missing",
        f"{tmp_path}/jobs/old.yaml is no longer generated",
    )


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    """Of a file that differs everywhere only the beginning is shown."""
    write_folder(tmp_path, FILES)
    (tmp_path / "deck.yaml").write_text(FILES["deck.yaml"] + "x\n" * 100, encoding="utf-8")
    shown = differences(tmp_path)
    assert len(shown) == 15
    assert shown[-1] == "  … (90 more lines)"


def test_a_folder_that_is_not_there_lacks_everything(tmp_path: Path) -> None:
    """Without the folder each file is missing."""
    assert differences(tmp_path / "none")[0] == f"{tmp_path}/none/deck.yaml is missing (and 1 more)"


def test_only_generated_files_are_removed(tmp_path: Path) -> None:
    """A generated file that is no longer wanted goes; what somebody else put there stays, and is reported."""
    write_folder(tmp_path, {**FILES, "jobs/old.yaml": f"{MARK} 3\n"})
    (tmp_path / "jobs" / "own.yaml").write_text("periodics: []\n", encoding="utf-8")
    assert write_folder(tmp_path, FILES) == Changed((), ("jobs/old.yaml",), 2)
    assert set(tree(tmp_path)) == {*FILES, "jobs/own.yaml"}
    assert check_folder(tmp_path, FILES) == ("jobs/own.yaml",)


def test_another_file_is_never_written_over(tmp_path: Path) -> None:
    """Where a file without the generator's first line is in the way, nothing at all is written."""
    (tmp_path / "deck.yaml").write_text("deck: {}\n", encoding="utf-8")
    with pytest.raises(FolderUnusable, match="was not generated, but a generated file belongs there"):
        write_folder(tmp_path, FILES)
    assert tree(tmp_path) == {"deck.yaml": "deck: {}\n"}


@pytest.mark.parametrize("act", [write_folder, check_folder])
def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, act: object) -> None:
    """A file in the place of a folder is exit 2, not a bug."""
    (tmp_path / "jobs").write_text("", encoding="utf-8")
    assert callable(act)
    with pytest.raises((FolderUnusable, GeneratedFilesDiffer)) as raised:
        act(tmp_path, FILES)
    assert raised.value.exit_code == 2


def test_a_write_that_is_cut_short_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is replaced as a whole, and what is half written has a name that Prow does not read."""
    write_folder(tmp_path, FILES)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "disk")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(FolderUnusable, match="disk: No space left on device"):
        write_folder(tmp_path, {**FILES, "deck.yaml": f"{MARK} new\n"})
    assert FILES.items() <= tree(tmp_path).items()
    assert not [path for path in tree(tmp_path).keys() - FILES.keys() if path.endswith(".yaml")]
