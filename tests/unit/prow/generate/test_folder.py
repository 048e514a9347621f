from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import FolderUnusable, GeneratedFilesDiffer
from runner.prow.generate.folder import MARK, Changed, Compared, check_folder, write_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {"deck.yaml": f"{MARK} 1\na: 1\n", "jobs/a.yaml": f"{MARK} 2\nb: 1\n"}


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


def differences(folder: Path, files: Mapping[str, str] = FILES) -> tuple[str, ...]:
    error = check_folder(folder, files).error
    assert isinstance(error, GeneratedFilesDiffer)
    assert error.exit_code == 2
    return (error.cause, *error.detail)


def test_what_was_written_is_what_is_checked(tmp_path: Path) -> None:
    """A folder is made, holds the files, passes the check, and is not written again."""
    folder = tmp_path / "prowjobs"
    assert write_folder(folder, FILES) == Changed(("deck.yaml", "jobs/a.yaml"), (), 0)
    assert tree(folder) == FILES
    assert check_folder(folder, FILES) == Compared(None, ())
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


def many(value: str, number: int = 5) -> dict[str, str]:
    """Files that differ in their names, and have one line in common."""
    return {f"jobs/{name}.yaml": f"{MARK}\nname: {name}\nimage: {value}\n" for name in "abcdefgh"[:number]}


@pytest.mark.parametrize(("number", "last"), [(1, None), (2, "1 other file"), (5, "4 other files")])
def test_a_change_of_many_files(tmp_path: Path, number: int, last: str | None) -> None:
    """A change that several files have in common is shown for the first of them, and counted for the others."""
    write_folder(tmp_path, many("old", number))
    cause, *detail = differences(tmp_path, many("new", number))
    assert cause == f"{tmp_path}/jobs/a.yaml differs" + (f" (and {number - 1} more)" if number > 1 else "")
    assert detail == [
        f"{tmp_path}/jobs/a.yaml differs",
        "  @@ -2,2 +2,2 @@",
        "   name: a",
        "  -image: old",
        "  +image: new",
        *([f"  {last}: the same change"] if last else []),
    ]


def test_another_change_is_shown_by_itself(tmp_path: Path) -> None:
    """What differs otherwise is not counted as the same; each file that is missing is named."""
    wanted = many("new")
    write_folder(tmp_path, many("old") | {"jobs/c.yaml": wanted["jobs/c.yaml"].replace("name: c", "name: C")})
    (tmp_path / "jobs" / "d.yaml").unlink()
    cause, *detail = differences(tmp_path, wanted)
    assert cause.endswith("a.yaml differs (and 4 more)")
    assert [line for line in detail if "jobs/" in line or "same" in line] == [
        f"{tmp_path}/jobs/a.yaml differs",
        "  2 other files: the same change",
        f"{tmp_path}/jobs/c.yaml differs",
        f"{tmp_path}/jobs/d.yaml is missing",
    ]


@given(st.lists(st.sampled_from(["same", "old", "older", "missing"]), min_size=1, max_size=8))
def test_every_file_is_accounted_for(states: list[str]) -> None:
    """Each file that is not as it should be is named or counted exactly once."""
    with TemporaryDirectory() as name:
        folder, wanted = Path(name), many("same", len(states))
        write_folder(
            folder,
            {path: text.replace("same", state) for (path, text), state in zip(wanted.items(), states, strict=True)},
        )
        for path, state in zip(wanted, states, strict=True):
            if state == "missing":
                (folder / path).unlink()
        error = check_folder(folder, wanted).error
        wrong = sum(state != "same" for state in states)
        lines = error.detail if error else ()
        named = sum(line.startswith(name) for line in lines)
        counted = sum(int(line.split()[0]) for line in lines if "other file" in line)
        assert named + counted == wrong
        assert named == states.count("missing") + len({"old", "older"} & set(states))


def test_somebody_elses_file_in_the_way(tmp_path: Path) -> None:
    """A file that was not generated where a generated one belongs is told as that, with what to do about it."""
    write_folder(tmp_path, FILES)
    (tmp_path / "deck.yaml").write_text("deck: {}\n", encoding="utf-8")
    (tmp_path / "own.yaml").write_text("", encoding="utf-8")
    compared = check_folder(tmp_path, FILES)
    assert compared.foreign == ("own.yaml",)
    assert compared.error is not None
    assert compared.error.cause == f"{tmp_path}/deck.yaml was not generated, but a generated file belongs there"
    assert compared.error.remedy.startswith(f"Move {tmp_path}/deck.yaml away, then run ack-release prowjobs generate")


def test_a_folder_that_is_not_there_lacks_everything(tmp_path: Path) -> None:
    """Without the folder each file is missing."""
    assert differences(tmp_path / "none")[0] == f"{tmp_path}/none/deck.yaml is missing (and 1 more)"


def test_only_generated_files_are_removed(tmp_path: Path) -> None:
    """A generated file that is no longer wanted goes; what somebody else put there stays, and is reported."""
    write_folder(tmp_path, {**FILES, "jobs/old.yaml": f"{MARK} 3\n"})
    (tmp_path / "jobs" / "own.yaml").write_text("periodics: []\n", encoding="utf-8")
    assert write_folder(tmp_path, FILES) == Changed((), ("jobs/old.yaml",), 2)
    assert set(tree(tmp_path)) == {*FILES, "jobs/own.yaml"}
    assert check_folder(tmp_path, FILES) == Compared(None, ("jobs/own.yaml",))


def test_another_file_is_never_written_over(tmp_path: Path) -> None:
    """Where a file without the generator's first line is in the way, nothing at all is written."""
    (tmp_path / "deck.yaml").write_text("deck: {}\n", encoding="utf-8")
    with pytest.raises(FolderUnusable, match="was not generated, but a generated file belongs there"):
        write_folder(tmp_path, FILES)
    assert tree(tmp_path) == {"deck.yaml": "deck: {}\n"}


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file in the place of a folder is an error that names it, or a file that is missing; it is not a bug."""
    (tmp_path / "jobs").write_text("", encoding="utf-8")
    with pytest.raises(FolderUnusable, match=r"jobs: File exists"):
        write_folder(tmp_path, FILES)
    compared = check_folder(tmp_path, FILES)
    assert compared.error is not None
    assert compared.error.detail[-1] == f"{tmp_path}/jobs/a.yaml is missing"
    assert compared.foreign == ("jobs",)


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
