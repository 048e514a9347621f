from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.pointers import LONGEST, Pointer, find_pointers, is_at, pointer_in

if TYPE_CHECKING:
    from pathlib import Path

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n"
EXTENDED = LFS.replace("oid", f"ext-0-foo sha256:{OID}\next-1-bar sha256:{OID}\noid", 1)
ANNEX = f"/annex/objects/SHA256E-s31390--{OID}.png\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (LFS, "a Git LFS pointer"),
        (LFS.replace("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"), "a Git LFS pointer"),
        (LFS.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"), "a Git LFS pointer"),
        (EXTENDED, "a Git LFS pointer"),
        (LFS.replace("\n", "\r\n"), "a Git LFS pointer"),
        (LFS.rstrip("\n"), "a Git LFS pointer"),
        (ANNEX, "a pointer of git-annex"),
        ("/annex/objects/MD5-s3--acbd18db4cc2f85cedef654fccc4a4d8\n", "a pointer of git-annex"),
        (f"../.git/annex/objects/F6/2z/SHA256-s3--{OID}/SHA256-s3--{OID}", "a pointer of git-annex"),
        (f"#$# git-fat {OID[:40]}                12345\n", "a pointer of git-fat"),
        (LFS.replace("oid", "id"), None),
        (LFS.replace("size", "length"), None),
        (f"A file of LFS begins so:\n{LFS}", None),
        ("version https://git-lfs.github.com/spec/v1\n", None),
        ("version: 1.2.3\n", None),
        ("see /annex/objects/ of git-annex(1)\n", None),
        ("", None),
        (LFS + "x" * LONGEST, None),
    ],
)
def test_pointers_are_told_from_content(text: str, what: str | None) -> None:
    """A file is a pointer by its whole form, as its specification has it, and a file that speaks of one is not."""
    assert pointer_in(text.encode()) == what


@given(
    st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, max_size=3),
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    st.integers(0, 2**63),
)
def test_every_pointer_of_git_lfs_is_known(extensions: list[str], oid: str, size: int) -> None:
    """Whatever the object, its size and the extensions that it went through, what git-lfs writes is a pointer."""
    lines = [f"ext-{number}-{name} sha256:{oid}" for number, name in enumerate(extensions)]
    text = "\n".join(("version https://git-lfs.github.com/spec/v1", *lines, f"oid sha256:{oid}", f"size {size}", ""))
    assert pointer_in(text.encode()) == "a Git LFS pointer"


@given(st.binary(max_size=LONGEST))
def test_any_bytes_are_judged(body: bytes) -> None:
    """What is no text at all is content."""
    assert pointer_in(body) is None or body.startswith((b"version ", b"#$# ")) or b"annex" in body


def test_everything_that_points_is_found(tmp_path: Path) -> None:
    """Files, links and submodules are found at any depth, sorted; links that stay in the tree are none."""
    tree = tmp_path / "tree"
    (tree / "deep" / "er" / "module").mkdir(parents=True)
    (tree / "deep" / "lfs").write_text(LFS)
    (tree / "deep" / "annexed").symlink_to(f"../.git/annex/objects/F6/2z/SHA256-s3--{OID}/SHA256-s3--{OID}")
    (tree / "absolute").symlink_to("/etc/hostname")
    (tree / "upwards").symlink_to("../elsewhere")
    (tree / "gone").symlink_to("nothing")
    (tree / "itself").symlink_to("itself")
    (tree / "inside").symlink_to("deep")
    (tree / "file").write_text("content")
    (tree / "large").write_text(LFS + " " * LONGEST)
    assert [(one.path, one.is_file) for one in find_pointers(tree)] == [
        ("absolute", False),
        ("deep/annexed", False),
        ("deep/er/module", False),
        ("deep/lfs", True),
        ("gone", False),
        ("itself", False),
        ("upwards", False),
    ]
    said = {one.path: one.what for one in find_pointers(tree)}
    assert said["absolute"] == "a link to /etc/hostname, outside of the repository"
    assert said["gone"] == "a link to nothing, which is not there"
    assert said["deep/annexed"].startswith("a link of git-annex to ../.git/annex/objects/")
    assert said["deep/er/module"] == "a submodule"


def test_an_empty_tree_points_to_nothing(tmp_path: Path) -> None:
    """The tree itself is no submodule."""
    assert find_pointers(tmp_path) == ()


def test_a_very_deep_tree_is_searched(tmp_path: Path) -> None:
    """Folders may be nested deeper than Python calls."""
    tree = folder = tmp_path / "tree"
    tree.mkdir()
    for _ in range(1100):
        folder /= "d"
        folder.mkdir()
    assert [one.what for one in find_pointers(tree)] == ["a submodule"]
    while folder != tmp_path:
        # What removes temporary folders calls itself for each level.
        folder.rmdir()
        folder = folder.parent


def test_a_pointer_is_told_with_its_path_in_the_repository() -> None:
    """The path begins at the repository's root."""
    assert Pointer("crds/a.yaml", "a Git LFS pointer").below("helm") == (
        "helm/crds/a.yaml is a Git LFS pointer: the commit does not hold its content"
    )
    assert Pointer("a", "a submodule").below(".").startswith("a is a submodule")


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [("a/b", "a", True), ("a", "a", True), ("ab", "a", False), ("a", "a/b", False), ("x/y", ".", True)],
)
def test_paths_below_a_folder(path: str, folder: str, *, expected: bool) -> None:
    """Whole names count, not their beginnings."""
    assert is_at(path, folder) is expected
