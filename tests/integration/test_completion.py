"""Completion as shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.git import git
from testbed.release_harness import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path


def asked(line: str, folder: Path) -> list[str]:
    """What bash would offer at the end of this line."""
    words = line.split(" ")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "_ACK_RELEASE_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    ended = subprocess.run(
        [PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr == ""
    return [row.partition(",")[2] for row in ended.stdout.splitlines() if row]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with release tags, and a jobs.yaml where it is looked for."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "First")
    for tag in ("v1.2.3", "v1.10.0", "vnext"):
        git(tmp_path, "tag", tag)
    (tmp_path / "config").mkdir()
    text = "registry: registry.example/ack\nservices: {s3: , sns: }\n"
    (tmp_path / "config" / "jobs.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ack-release mir", ["mirror"]),
        ("ack-release jobs a", ["abort"]),
        ("ack-release verify s", ["s3", "sns"]),
        ("ack-release verify s3 v", ["v1.10.0", "v1.2.3"]),
        ("ack-release stable history sn", ["sns"]),
        ("ack-release mirror s3 v1.2.3 --st", ["--stable"]),
        ("ack-release rollback s3 v1.1", ["v1.10.0"]),
        ("ack-release jobs show ", []),
    ],
)
def test_what_is_offered(clone: Path, line: str, offered: list[str]) -> None:
    """Commands, options, services and tags are offered; jobs, where no cluster is known, are not, without a word."""
    assert asked(line, clone) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str) -> None:
    """The script that the docs let a shell read is one in its language, as far as that shell is here."""
    environment = {"PATH": os.environ["PATH"], "_ACK_RELEASE_COMPLETE": f"{shell}_source"}
    script = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "ack-release" in script
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=script, text=True, check=True, timeout=60)
