"""``doctor`` on this machine, with real programs and registries."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from testbed.paths import ROOT
from testbed.release_harness import PROGRAM
from tests.support.pages import commands_of
from tests.support.registry import PASSWORD, USERNAME, docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from pathlib import Path


def doctor(folder: Path, host: str, *arguments: str, login: tuple[str, str] | None = None) -> tuple[int, Any]:
    jobs = folder / "jobs.yaml"
    helm = require_tool("helm4")
    jobs.write_text(
        f"registry: {host}/ack\nbuild: {{helm: {helm}, base_image: scratch}}\nservices: {{s3: }}\n", encoding="utf-8"
    )
    auths = {} if login is None else {host: {"auth": base64.b64encode(":".join(login).encode()).decode()}}
    (folder / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "-m", "runner", "doctor", "--config", str(jobs), "--json", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_CONFIG": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "secret" not in finished.stdout + finished.stderr
    document = json.loads(finished.stdout)
    assert document["exit"] == finished.returncode
    return finished.returncode, {finding["about"]: finding for finding in document["findings"]}


@pytest.mark.parametrize(
    ("login", "code", "state"),
    [((USERNAME, PASSWORD), 0, "good"), ((USERNAME, "secret"), 8, "bad"), (None, 0, None)],
    ids=["right", "wrong", "none"],
)
def test_logins(tmp_path: Path, login: tuple[str, str] | None, code: int, state: str | None) -> None:
    """The registry itself judges the login; one that is wrong fails a release, and none at all is told."""
    with docker_registry(tmp_path / "registry", basic=True) as server:
        exit_code, found = doctor(tmp_path, server.host, login=login)
    assert exit_code == code, found
    assert found["registry"]["state"] == "note"
    assert found.get("registry's login", {}).get("state") == state
    assert {found[name]["state"] for name in ("git", "helm4", "go")} == {"good"}


def test_the_page(tmp_path: Path) -> None:
    """Every command of docs/doctor.md runs as it is printed there, where config/jobs.yaml is."""
    with docker_registry(tmp_path / "registry") as server:
        doctor(tmp_path, server.host)
        (tmp_path / "config").mkdir()
        (tmp_path / "jobs.yaml").rename(tmp_path / "config" / "jobs.yaml")
        for command in commands_of("doctor.md", {"127.0.0.1:5000": server.host}):
            path = f"{PROGRAM.parent}:{os.environ['PATH']}"
            ended = subprocess.run(
                ["sh", "-c", command],
                cwd=tmp_path,
                env={"PATH": path, "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_registry_that_is_away(tmp_path: Path) -> None:
    """A registry that does not answer is exit 7, within seconds."""
    exit_code, found = doctor(tmp_path, "127.0.0.1:9")
    assert exit_code == 7
    assert "refused" in found["registry"]["found"]
