"""The program's version stands in two places, which must agree."""

from __future__ import annotations

import tomllib

from runner import __version__
from testbed.paths import ROOT


def test_the_version_is_the_projects() -> None:
    """What --version prints is what the project's metadata says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == __version__
