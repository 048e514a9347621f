"""How a plan is asked for."""

from __future__ import annotations

from pathlib import Path

from runner.author.git import AuthorGit
from runner.author.planned import Planning
from runner.author.trial import Trial
from tests.unit.author.test_artifacts import clone
from tests.unit.author.test_git import Programs


def trial() -> Trial:
    return Trial(AuthorGit(Path("/folder/author.clone"), Programs([]), {}), clone())


def test_options() -> None:
    """The plan is of the copy, by the author's configuration, with the registry."""
    options = Planning(Path("jobs.yaml"), "r.example/a").options(trial(), Path("/folder"), "v1.3.0")
    assert (options.config, options.registry, options.as_tag) == (Path("jobs.yaml"), "r.example/a", "v1.3.0")
    assert (options.workspace, options.to_layout, options.base_image) == (Path("/folder/author.clone"), None, None)


def test_offline() -> None:
    """Without the registry nothing counts as published, and no base image is looked up."""
    options = Planning(offline=True).options(trial(), Path("/folder"), None)
    assert (options.to_layout, options.base_image) == (Path("/folder/layout"), "scratch")
