"""The commands of docs/cutover.md, as they are printed there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.config.load import parse_config
from testbed.former_images import former_image
from testbed.job_inputs import checkout_folder
from testbed.paths import ROOT
from testbed.registry_clients import crane
from testbed.release_harness import IMAGE, PROGRAM, ReleaseHarness, go_environment
from tests.support.former import publish_former
from tests.support.pages import blocks_of, make_clone, shell

PAGE = "docs/cutover.md"
PLANS, STAGING, JOBS = (
    next(block.text for block in blocks_of(PAGE) if text in block.text)
    for text in ("for repo", "run --config", "prowjobs")
)
RULES = [block.text for block in blocks_of(PAGE) if block.text.startswith("adopt:")]


def run_block(script: str, cwd: Path, harness: ReleaseHarness, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a block with the project's programs on PATH, and ``$CLONE`` where jobs.yaml is the harness's."""
    clone = make_clone(harness.folder / "clone", harness.config)
    path = f"{PROGRAM.parent}:{go_environment()['PATH']}"
    return shell(script, cwd=cwd, clone=clone, more={"PATH": path, **more})


def clone_into(harness: ReleaseHarness, folder: Path) -> Path:
    """A clone of the harness's repository, as an administrator has it."""
    subprocess.run(
        ["git", "clone", "--quiet", harness.repository.folder, folder], check=True, capture_output=True, timeout=60
    )
    return folder


@pytest.mark.parametrize("former", [True, False], ids=["published by the shell job", "not published"])
def test_plans_beside_the_shell_job(harness: ReleaseHarness, *, former: bool) -> None:
    """The loop prints the exit code of each controller's plan, and leaves each plan in a file; nothing is changed."""
    below = harness.folder / "below"
    clone_into(harness, below / "controllers" / "widget-controller")
    clone_into(harness, below / "controllers" / "gadget-controller")
    if former:
        publish_former(harness, former_image(harness.folder / "former"))
    ended = run_block(PLANS, below, harness)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        *([] if former else ["0 widget-controller v1.2.3"]),
        "2 gadget-controller v1.2.3",
        *(["5 widget-controller v1.2.3"] if former else []),
    ]
    plan = json.loads((below / "widget-controller.json").read_text("utf-8"))
    assert (plan["error"] or {}).get("code") == ("already-published" if former else None)
    assert harness.proxy.writes == ()


def test_rules_of_adoption() -> None:
    """Every rule that the page shows can stand in jobs.yaml."""
    assert len(RULES) == 2
    for block in RULES:
        body = f"registry: registry.example/ack\nservices: {{s3: , ec2: , rds: }}\n{block}\n"
        assert parse_config(body.encode(), Path("jobs.yaml")).adopt


def test_staging_release_of_one_service(harness: ReleaseHarness) -> None:
    """The command releases to a registry of one's own, with Prow's variables set."""
    workspace, sha = harness.clone("v1.2.3")
    variables = {
        "REPO_OWNER": "aws-controllers-k8s",
        "REPO_NAME": harness.repository.name,
        "PULL_BASE_REF": "v1.2.3",
        "PULL_BASE_SHA": sha,
    }
    script = STAGING.replace("HOST/NAMESPACE", f"{harness.host}/mine")
    ended = run_block(script, checkout_folder(workspace, harness.repository), harness, **variables)
    assert ended.returncode == 0, ended.stdout
    assert crane("digest", "--insecure", f"{harness.host}/{IMAGE.replace('ack/', 'mine/')}").startswith("sha256:")


def test_jobs_of_one_service(harness: ReleaseHarness) -> None:
    """The jobs are written and found to be up to date: a file for the one service, and the audit's."""
    config = harness.config.read_text("utf-8")
    project = (ROOT / "config" / "jobs.yaml").read_text("utf-8")
    prow = project[project.index("\nprow:") : project.index("\nservices:")]
    harness.config.write_text(config + prow)
    ended = run_block(JOBS, harness.folder, harness)
    assert ended.returncode == 0, ended.stderr
    written = harness.folder / "clone" / "prowjobs" / "jobs"
    assert sorted(file.name for file in written.iterdir()) == ["ack-release-audit.yaml", "widget-controller.yaml"]
