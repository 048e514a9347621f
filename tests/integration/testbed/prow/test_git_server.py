"""Repositories served by git's own daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.git import git
from testbed.processes import ProgramFailed
from testbed.prow.git_server import Repositories, start_repositories
from testbed.prow.push import NOTHING
from testbed.prow.servers import Servers
from testbed.sample_controller import OWNER, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.sample_controller import SampleRepository

TAG = "refs/tags/v1.2.3"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Repositories]:
    with Servers(tmp_path) as servers:
        made = start_repositories(servers, tmp_path / "repositories")
        servers.wait()
        yield made


@pytest.fixture
def sample(tmp_path: Path) -> SampleRepository:
    return make_repository(tmp_path / "sample")


def fetch(folder: Path, served: Repositories, what: str) -> None:
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "fetch", "--quiet", f"{served.address}/{OWNER}/widget-controller.git", what)


def test_a_tag_object_can_be_fetched_by_its_id(tmp_path: Path, served: Repositories, sample: SampleRepository) -> None:
    """What was pushed can be fetched as clonerefs does: by the id of the tag object that the event names."""
    served.push(sample, "refs/heads/main", TAG)
    tag = sample.resolve(TAG)
    fetch(tmp_path / "clone", served, tag)
    assert git(tmp_path / "clone", "cat-file", "-t", "FETCH_HEAD") == "tag"
    assert git(tmp_path / "clone", "rev-parse", "FETCH_HEAD^{commit}") == sample.resolve("refs/heads/main")


def test_only_what_was_pushed_is_there(tmp_path: Path, served: Repositories, sample: SampleRepository) -> None:
    """A ref that was not pushed cannot be fetched, and one that moves is moved by another push."""
    served.push(sample, "refs/heads/main")
    with pytest.raises(ProgramFailed, match=TAG):
        fetch(tmp_path / "first", served, TAG)
    sample.git("reset", "--quiet", "--hard", "HEAD~1")
    served.push(sample, "refs/heads/main")
    fetch(tmp_path / "second", served, "refs/heads/main")
    assert git(tmp_path / "second", "rev-parse", "FETCH_HEAD") == sample.resolve("HEAD")


def test_a_command_is_told_of_pushes(tmp_path: Path, served: Repositories, sample: SampleRepository) -> None:
    """After a push with git the command has each ref that changed, with the objects before and after."""
    served.push(sample, "refs/heads/main")
    told = tmp_path / "told"
    served.tell_of_pushes(sample, "tee", told)
    sample.git("push", "--quiet", "origin", "main", "v1.2.3")
    assert told.read_text() == f"{NOTHING} {sample.resolve(TAG)} {TAG}\n"
