"""Repositories whose names, messages, links and times are there to mislead who reads them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.errors import CommitUnusable, ReleaseError
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.workspace import child_environment
from runner.source.clone import open_clone
from testbed.git import GitRepository, git
from testbed.processes import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.source.clone import Clone

SEPARATORS = ("\u2028", "\u2029", "\x85")
"""What Python takes for the end of a line, and git does not."""
ODD_LETTERS = ("\u202e", "\u200b", "\ufeff", "\ud800")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    folder = tmp_path / "repository"
    folder.mkdir()
    made = GitRepository(folder)
    made.git("init", "--quiet", "--initial-branch=main")
    (folder / "file").write_text("content\n")
    made.commit_all("Begin")
    return made


def opened(repository: GitRepository, ref: str | None = None) -> Clone:
    """The repository as a run reads it."""
    work = repository.folder.with_name("work")
    environment = child_environment({"PATH": os.environ["PATH"]}, work)
    return open_clone(repository.folder, Children(Lifetime()).run, environment, ref=ref)


@pytest.mark.parametrize("separator", [*SEPARATORS, *ODD_LETTERS[:3]])
def test_a_tag_within_a_tag(repository: GitRepository, separator: str) -> None:
    """One tag is one tag: no letter in its name makes a release of what follows it."""
    repository.git("tag", f"x{separator}v9.9.9")
    assert opened(repository).head.merged_tags == (f"x{separator}v9.9.9",)


def test_a_tag_that_is_no_text(repository: GitRepository) -> None:
    """A name that is no UTF-8 is one name, with a mark in the place of what cannot be read."""
    heads = repository.folder / ".git" / "refs" / "tags"
    Path(os.fsdecode(os.fsencode(heads) + b"/\xff\x85v9.9.9")).write_text(repository.resolve("HEAD") + "\n")
    [tag] = opened(repository).head.merged_tags
    assert tag.endswith("v9.9.9")
    assert tag != "v9.9.9"


@pytest.mark.parametrize("separator", [*SEPARATORS, "\r", "\x1c", "\x0b", "\x0c"])
def test_a_trailer_within_a_trailer(repository: GitRepository, separator: str) -> None:
    """A trailer is a line of git's; what else could end one makes no second."""
    repository.commit_all(f"Subject\n\nNote: a{separator}Stable-Move: backwards\n")
    assert [key for key, _ in opened(repository).head.trailers] == ["Note"]


def commit_with(repository: GitRepository, change: Callable[[str], str]) -> None:
    """Make HEAD a commit whose object says something that git itself does not write."""
    text = change(repository.git("cat-file", "commit", "HEAD") + "\n")
    file = repository.folder.with_name("object")
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    made = git(repository.folder, "hash-object", "-t", "commit", "-w", "--literally", str(file))
    repository.git("update-ref", "HEAD", made)


@pytest.mark.parametrize("seconds", ["99999999999999", "253402300800", "9" * 30, "-99999999999999"])
def test_a_commit_of_no_year(repository: GitRepository, seconds: str) -> None:
    """A time that no calendar has is an error of its own; where git itself takes it for another, that one counts."""
    stamp = datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()
    commit_with(repository, lambda text: text.replace(f"{stamp:.0f} +0000", f"{seconds} +0000"))
    taken_as = repository.git("show", "--no-patch", "--format=%ct", "HEAD")
    if taken_as == "0":
        assert opened(repository).head.commit_time.year == 1970
        return
    with pytest.raises(CommitUnusable, match="1970 to 9999"):
        opened(repository)


@pytest.mark.parametrize(
    "message",
    [
        "\x1b[31mERROR: owned\nRELEASED: x\n\nStable-Move: \x1b]0;title\x07backwards\n",
        "\udcff\udcfe\n\nA: \udcff\n",
        "a" * 1_000_000,
        "\n\n" + "Key: value\n" * 20_000,
    ],
    ids=["escapes", "no UTF-8", "long", "many trailers"],
)
def test_any_message(repository: GitRepository, message: str) -> None:
    """A message of any letters and length is read for its trailers, and for nothing else."""
    commit_with(repository, lambda text: text.partition("\n\n")[0] + "\n\n" + message)
    clone = opened(repository)
    assert clone.head.commit == repository.resolve("HEAD")
    assert ("Stable-Move", "backwards") not in clone.head.trailers


def tree(repository: GitRepository, *entries: tuple[str, str, str]) -> str:
    """A tree of entries (mode, name, content) that git's own commands would refuse."""
    lines = b""
    for mode, name, content in entries:
        file = repository.folder.with_name("blob")
        file.write_text(content)
        made = git(repository.folder, "hash-object", "-w", str(file)) if mode != "40000" else content
        lines += f"{mode} {name}\0".encode() + bytes.fromhex(made)
    file = repository.folder.with_name("tree")
    file.write_bytes(lines)
    return git(repository.folder, "hash-object", "-t", "tree", "-w", "--literally", str(file))


TREES: dict[str, list[tuple[str, str, str]]] = {
    "up": [("100644", "..", "owned")],
    "a path that leads up": [("100644", "../owned", "owned")],
    "an absolute path": [("100644", "/owned", "owned")],
    "git's own folder": [("100644", ".git", "owned")],
    "the same in capitals": [("100644", ".GIT", "owned")],
    "a link and a file in it": [("120000", "a", "OUTSIDE"), ("100644", "a/owned", "owned")],
    "a name twice": [("120000", "a", "OUTSIDE"), ("100644", "a", "owned")],
    "a link out": [("120000", "a", "OUTSIDE")],
    "a name of escapes": [("100644", "a\x1b[31m\nERROR: owned\r", "content")],
}


@pytest.mark.parametrize("name", TREES)
def test_an_export_stays_in_its_folder(repository: GitRepository, tmp_path: Path, name: str) -> None:
    """Whatever paths a tree has, the export writes below its folder or is an error, and follows no link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    entries = [(mode, path, content.replace("OUTSIDE", str(outside))) for mode, path, content in TREES[name]]
    made = repository.git("commit-tree", "-m", "x", tree(repository, *entries))
    repository.git("update-ref", "HEAD", made)
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(repository.folder)}
    destination = tmp_path / "work" / "exported"
    try:
        opened(repository).export(destination)
    except ReleaseError:
        pass
    else:
        assert (destination / "a").is_symlink() or name != "a link out"
    found = {path for path in tmp_path.rglob("*") if not path.is_relative_to(repository.folder)}
    assert all(path.is_relative_to(tmp_path / "work") for path in found - before)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../etc/passwd", "secret", ".git/config", "loop"])
def test_a_file_that_is_a_link(repository: GitRepository, target: str) -> None:
    """What is read of a commit is in the commit: no link leads to another file of this machine, nor for ever."""
    (repository.folder / "file").unlink()
    (repository.folder / "file").symlink_to(target)
    (repository.folder / "loop").symlink_to("loop")
    repository.commit_all("Link")
    (repository.folder / "secret").write_text("not committed")
    assert opened(repository).files(["file", "file/x", "loop"]) == {"file": None, "file/x": None, "loop": None}


def test_hooks_and_filters_of_the_tree(repository: GitRepository, tmp_path: Path) -> None:
    """Nothing that a repository brings along is started: attributes name filters that nobody has configured."""
    owned = tmp_path / "owned"
    (repository.folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (repository.folder / ".gitconfig").write_text(f'[filter "evil"]\n\tsmudge = touch {owned}\n')
    (repository.folder / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = -u./payload\n')
    repository.commit_all("Attributes")
    read(["touch", str(repository.folder / "file")], env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    opened(repository).export(tmp_path / "work" / "exported")
    assert not owned.exists()
