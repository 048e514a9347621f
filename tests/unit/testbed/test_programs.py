from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from testbed.programs import ProgramMissing, ProwPrograms, find_program, find_prow_programs

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"etcd", "kube-apiserver", "hook", "prow-controller-manager", "crier", "deck"}


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.touch(mode=0o755)
    return file


def test_each_program_is_found_by_its_own_name(tmp_path: Path) -> None:
    """Every program is taken from the folder of built ones, under the name that it has there."""
    made = {name: program(tmp_path, name) for name in NAMES}
    found = find_prow_programs(built=tmp_path)
    assert {getattr(found, field.name) for field in fields(ProwPrograms)} == set(made.values())


def test_a_built_program_comes_before_an_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is built counts; one that is not built is looked for on PATH."""
    installed = program(tmp_path / "installed", "etcd")
    monkeypatch.setenv("PATH", str(installed.parent))
    assert find_program("etcd", built=tmp_path / "built") == installed
    built = program(tmp_path / "built", "etcd")
    assert find_program("etcd", built=tmp_path / "built") == built


@pytest.mark.parametrize(
    ("name", "how"), [("etcd", "apt-get install etcd-server"), ("prow-controller-manager", "make tools")]
)
def test_a_missing_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str) -> None:
    """A program that is nowhere is an error that says how to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match=f"^{name} is not here: {how}$"):
        find_program(name, built=tmp_path)
