from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runner.builders.contents import Listed, check_held, check_main, read_listed
from runner.builders.gomodule import GoModule
from runner.errors import BuildFailed
from runner.pointers import Pointer

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "example.com/widget"
LFS = "a Git LFS pointer"


def module(folder: Path) -> GoModule:
    return GoModule(folder, "./cmd/controller", "1.24", vendored=False, path=MODULE)


def printed(tree: Path, *packages: dict[str, Any]) -> str:
    """What ``go list -json`` prints of packages whose folder is given relative to the tree."""
    documents = [
        {**package, **({"Dir": str(tree / package["Dir"])} if "Dir" in package else {})} for package in packages
    ]
    return "\n".join(json.dumps(document, indent="\t") for document in documents) + "\n"


def test_what_go_lists_is_read(tmp_path: Path) -> None:
    """Packages lie where Go found them, or where the module would have them; others lie nowhere in the tree."""
    (tmp_path / "tree").mkdir()
    tree = tmp_path / "tree"
    output = printed(
        tree,
        {"Dir": "../elsewhere", "ImportPath": "fmt", "GoFiles": ["print.go"]},
        {"Dir": "cmd/controller", "ImportPath": f"{MODULE}/cmd/controller", "GoFiles": ["main.go"], "HFiles": ["a.h"]},
        {"Dir": "asm", "ImportPath": f"{MODULE}/asm", "SFiles": ["a.s"], "HFiles": ["a.h"], "EmbedPatterns": ["x"]},
        {"ImportPath": f"{MODULE}/sub/x", "Error": {"Err": "no required module provides package"}},
        {"ImportPath": "example.com/other"},
    )
    assert read_listed(tree, module(tree), output) == (
        Listed(None, frozenset({"print.go"})),
        Listed("cmd/controller", frozenset({"main.go"})),
        Listed("asm", frozenset({"a.s", "a.h"}), ("x",)),
        Listed("sub/x", error="no required module provides package"),
        Listed(None),
    )
    assert read_listed(tree, module(tree), "") == ()


@pytest.mark.parametrize(
    ("pointer", "package"),
    [
        (Pointer("pkg/a.go", LFS), Listed("pkg", frozenset({"a.go"}))),
        (Pointer("pkg/data/a.bin", LFS), Listed("pkg", frozenset({"data/a.bin"}))),
        (Pointer("pkg", "a submodule", is_file=False), Listed("pkg/x")),
        (Pointer("pkg/data/sub", "a submodule", is_file=False), Listed("pkg", patterns=("data",))),
        (Pointer("pkg/data/sub", "a submodule", is_file=False), Listed("pkg", patterns=("da*",))),
        (Pointer("pkg/data/link", "a link", is_file=False), Listed("pkg", patterns=("data/*",))),
        (Pointer("pkg/data/.x/link", "a link", is_file=False), Listed("pkg", patterns=("all:data",))),
        (Pointer("pkg/sub", "a submodule", is_file=False), Listed("pkg", patterns=(".",))),
        (Pointer("third/party", "a submodule", is_file=False), Listed(None, error="open third/party/go.mod: no such")),
        (Pointer("go.mod", LFS), Listed("pkg")),
        (Pointer("go.sum", LFS), Listed("pkg")),
    ],
)
def test_a_pointer_that_the_program_needs_is_refused(tmp_path: Path, pointer: Pointer, package: Listed) -> None:
    """What Go reads, embeds, or would, is named, whichever way it is only pointed to."""
    with pytest.raises(BuildFailed) as refused:
        check_held(tmp_path, [pointer, Pointer("docs/picture.png", LFS)], module(tmp_path), [package])
    assert refused.value.detail == (pointer.below("."),)
    assert pointer.path in refused.value.cause
    assert refused.value.exit_code == 6


@pytest.mark.parametrize(
    ("pointer", "package"),
    [
        (Pointer("pkg/a_test.go", LFS), Listed("pkg", frozenset({"a.go"}))),
        (Pointer("pkg/data/a.bin", LFS), Listed("pkg", frozenset({"a.bin"}))),
        (Pointer("pkg/data/.x/link", "a link", is_file=False), Listed("pkg", patterns=("data",))),
        (Pointer("pkg/data2", "a submodule", is_file=False), Listed("pkg", patterns=("data",))),
        (Pointer("pkg/data/a/b", "a link", is_file=False), Listed("pkg", patterns=("*/b",))),
        (Pointer("pk", "a submodule", is_file=False), Listed("pkg", patterns=("data",))),
        (Pointer("third/party", "a submodule", is_file=False), Listed(None, error="open third/party2/go.mod: no")),
        (Pointer("examples/go.mod", LFS), Listed("pkg")),
        (Pointer("docs", "a submodule", is_file=False), Listed(None)),
    ],
)
def test_a_pointer_that_nothing_uses_stops_nothing(tmp_path: Path, pointer: Pointer, package: Listed) -> None:
    """Tests that Go does not read, pictures and what lies beside are not part of the program."""
    check_held(tmp_path, [pointer], module(tmp_path), [package])


def test_a_module_that_cannot_be_loaded_names_the_submodule(tmp_path: Path) -> None:
    """What Go prints leads to the folder, relative to the module's own."""
    (tmp_path / "services").mkdir()
    pointer = Pointer("third/party", "a submodule", is_file=False)
    said = "go: example.com/z@v0.0.0 (replaced by ../third/party): reading ../third/party/go.mod: no such file"
    with pytest.raises(BuildFailed, match="third/party is a submodule"):
        check_held(tmp_path, [pointer], module(tmp_path / "services"), [], said)


@pytest.mark.parametrize(
    ("pointer", "refused"),
    [
        (Pointer("cmd", "a submodule", is_file=False), True),
        (Pointer("cmd/controller", "a submodule", is_file=False), True),
        (Pointer("LICENSE", LFS), True),
        (Pointer("cmd/controller/x", "a submodule", is_file=False), False),
        (Pointer("docs/LICENSE", LFS), False),
    ],
)
def test_the_main_package_and_the_licences_are_held(pointer: Pointer, *, refused: bool) -> None:
    """A main package in a submodule and a licence that is a pointer are refused before Go is asked."""
    if not refused:
        return check_main([pointer], "./cmd/controller", ("LICENSE",))
    with pytest.raises(BuildFailed, match=f"{pointer.path} is {pointer.what}"):
        check_main([pointer], "./cmd/controller", ("LICENSE",))
    return None
