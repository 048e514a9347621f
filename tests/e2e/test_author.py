"""A release from its artifacts to stable, by the commands of docs/authoring.md as they are printed there."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from runner.config.load import parse_config
from testbed.author import CONFIGURATION, Author, make_author
from testbed.git import git
from testbed.monorepo import MONOREPO
from testbed.paths import ROOT
from testbed.registry_clients import crane
from testbed.release_harness import PROGRAM, ReleaseHarness, open_harness
from tests.support.repositories import everything, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "authoring.md").read_text("utf-8")
BLOCKS = [
    re.sub(r"^ {4}", "", block, flags=re.MULTILINE).rstrip()
    for block in re.findall(r"(?<=\n\n)((?: {4}.*\n|\n(?= {4}))+)", PAGE)
]
CONFIG, TRY, PREPARE, SECTION, TAG, FROM_CHART, STABLE = BLOCKS
WORKFLOW = ROOT / "docs" / "examples" / "tag-release.yml"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    with open_harness(tmp_path, config=CONFIGURATION) as made:
        yield made


@pytest.fixture
def author(harness: ReleaseHarness, tmp_path: Path) -> Author:
    """An author of the harness's repository of two services."""
    made = make_author(tmp_path / "author", f"{harness.host}/ack")
    harness.repository = replace(harness.repository, folder=made.remote, monorepo=MONOREPO)
    harness.config = made.config
    made.environment["PATH"] = f"{PROGRAM.parent}:{made.environment['PATH']}"
    return made


def shell(author: Author, *blocks: str, answer: str = "", **environment: str) -> str:
    """Run blocks of the page in the author's clone, at a terminal that answers; return what they print."""
    clone = author.folder / "runner"
    (clone / "config").mkdir(parents=True, exist_ok=True)
    (clone / "config" / "jobs.yaml").write_bytes(author.config.read_bytes())
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    try:
        ended = subprocess.run(
            ["bash", "-euc", "\n".join((CONFIG, *blocks))],
            cwd=author.clone,
            env={**author.environment, "CLONE": str(clone), **environment},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_page(harness: ReleaseHarness, author: Author) -> None:
    """Two services are prepared, merged, tagged, released by the tag's job, and moved to stable by stable's."""
    before = everything(author.clone, author.remote)
    assert "Dry run: would commit the artifacts" in shell(author, TRY)
    assert everything(author.clone, author.remote) == before
    assert "ack-release tag v0.2.0" in shell(author, PREPARE)
    author.merge("release-v0.2.0")

    author.git("switch", "--quiet", "release-v0.2.0")
    assert "as v0.2.0." in shell(author, TAG, answer="y\n")
    released = harness.run("v0.2.0")
    assert (released.code, released.errors) == (0, []), released.out
    assert set(released.actions.values()) == {"publish"}
    assert {name.partition(":")[0] for name in released.actions} == {
        *("ack/s3-controller", "ack/s3-chart", "ack/sns-controller", "ack/sns-chart"),
    }
    assert "Nothing to do: no chart has a version to tag" in shell(author, FROM_CHART)

    harness.proxy.clear()
    assert "Done: make the branch stable, to v0.2.0" in shell(author, STABLE)
    assert harness.proxy.writes == ()
    assert git(author.remote, "rev-parse", "stable") == git(author.remote, "rev-parse", "v0.2.0^{commit}")
    stable = harness.run("stable")
    assert (stable.code, stable.errors) == (0, []), stable.out
    assert {"ack/s3-chart:v0-stable", "ack/sns-chart:v0-stable"} <= set(stable.actions)
    assert "Nothing to do: stable of origin holds v0.2.0" in shell(author, STABLE)

    # What is published under the next version already is refused as its job would refuse it.
    crane("copy", "--insecure", f"{harness.host}/ack/s3-controller:v0.2.0", f"{harness.host}/ack/s3-controller:v0.2.1")
    taken = refusal(author.call("prepare", "s3", "v0.2.1"), 5, "already-published")
    assert f"{harness.host}/ack/s3-controller:v0.2.1" in taken
    assert author.call("prepare", "s3", "v0.2.1", "--offline", "--dry-run").code == 0


def test_stable_without_its_image(author: Author) -> None:
    """A release whose image is not published is refused for stable, as stable's job would."""
    refused = refusal(author.call("prepare", "--stable", "s3", "v0.1.0"), 4, "stable-image-absent")
    # Both services lack theirs; which is told last is chance.
    assert re.search(r"ack/(s3|sns)-controller:v0\.1\.0 is not in the registry", refused)
    assert "refs/heads/stable" not in author.refs()


def test_the_section_of_jobs_yaml(author: Author) -> None:
    """What the page shows of jobs.yaml can stand there."""
    config = parse_config(author.config.read_bytes() + SECTION.encode(), author.config)
    assert config.prepare.timeout_minutes == 60
    assert config.prepare.command[-1] == "{service}"


def test_the_workflow(author: Author) -> None:
    """The workflow runs for main with the whole history, and its own commands tag a merged release."""
    document = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    # YAML 1.1 reads the key on as a truth.
    assert document.get("on", document.get(True)) == {"push": {"branches": ["main"]}}
    [job] = document["jobs"].values()
    checkout, *steps = job["steps"]
    assert checkout["with"]["fetch-depth"] == 0
    author.release_elsewhere("v0.2.0", "s3", "sns")
    # The image has a jobs.yaml of its own, where this machine has none.
    programs = author.folder / "image"
    programs.mkdir()
    program = programs / "ack-release"
    program.write_text(f'#!/bin/sh\nexec {PROGRAM} "$@" --config {author.config}\n', encoding="utf-8")
    program.chmod(0o755)
    (author.folder / "home" / ".gitconfig").unlink()
    author.environment["PATH"] = f"{programs}:{author.environment['PATH']}"
    said = shell(author, *(step["run"] for step in steps), GITHUB_WORKSPACE=str(author.clone))
    assert "as v0.2.0." in said
    assert git(author.remote, "cat-file", "-t", "refs/tags/v0.2.0") == "tag"
