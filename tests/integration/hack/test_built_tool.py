"""A tool that is built for a script: what the builder prints is kept, and not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.built_tool import ToolFailed, built_tool
from testbed.paths import BUILT

if TYPE_CHECKING:
    from pathlib import Path


def builder(folder: Path, script: str) -> Path:
    """A program in the place of hack/build-tool."""
    file = folder / "builder"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_downloads_go_into_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every line of a first build is in the file, and none of it where the script prints."""
    lines = "\n".join(f"go: downloading example.com/module{number} v1.0.0" for number in range(300))
    log = tmp_path / "new" / "build.log"
    program = built_tool("crane", log, builder=builder(tmp_path, f"echo '{lines}' >&2; echo $1"))
    assert program == BUILT / "crane"
    assert log.read_text("utf-8") == f"{lines}\ncrane\n"
    assert capfd.readouterr() == ("", "")


def test_nothing_said_leaves_nothing(tmp_path: Path) -> None:
    """A tool that was built before leaves no file."""
    log = tmp_path / "build.log"
    built_tool("crane", log, builder=builder(tmp_path, "true"))
    assert not log.exists()


def test_a_build_that_fails(tmp_path: Path) -> None:
    """The error names the tool and the file, and has the last lines."""
    log = tmp_path / "build.log"
    with pytest.raises(ToolFailed) as failed:
        built_tool("crane", log, builder=builder(tmp_path, "echo first; seq 20; echo 'go: no such module'; exit 1"))
    assert f"crane could not be built; all of the output is in {log}" in str(failed.value)
    assert str(failed.value).endswith("  | go: no such module")
    assert "first" not in str(failed.value)
