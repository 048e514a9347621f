"""Refs of real repositories, asked by real git."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from runner.errors import RemoteUnreadable
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.workspace import child_environment
from runner.source.remote import RemoteRefs, list_remote
from runner.versions import ReleaseVersion
from testbed.origin import make_origin

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.origin import Origin


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with a tag of each kind, and the branch stable."""
    made = make_origin(tmp_path / "s3-controller")
    made.commit("Begin", {"file": "1"})
    made.tag("v1.0.0", annotated=False)
    made.commit("Go on", {"file": "2"})
    made.tag("v1.1.0")
    made.tag("v1.1.0-rc.1")
    made.git("branch", "stable", "v1.0.0")
    return made


def ask(url: str, folder: Path) -> RemoteRefs:
    environment = child_environment({"PATH": str(shutil.which("git")).rpartition("/")[0]}, folder)
    return list_remote(url, Children(Lifetime()).run, environment, folder)


def test_a_repository(origin: Origin, tmp_path: Path) -> None:
    """Every release tag has its commit, annotated or not, and the branch is found."""
    refs = ask(origin.url, tmp_path)
    first, second = (origin.resolve(f"refs/tags/{tag}^{{commit}}") for tag in ("v1.0.0", "v1.1.0"))
    assert refs == RemoteRefs({ReleaseVersion(1, 0, 0): first, ReleaseVersion(1, 1, 0): second}, first)


def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    """It cannot be read, and git's own words say why."""
    with pytest.raises(RemoteUnreadable, match="nowhere"):
        ask(f"file://{tmp_path}/nowhere", tmp_path)


def test_a_protocol_that_runs_a_program(tmp_path: Path) -> None:
    """No address makes git run another program."""
    with pytest.raises(RemoteUnreadable, match="not allowed"):
        ask(f"ext::touch {tmp_path}/made", tmp_path)
    assert not (tmp_path / "made").exists()
