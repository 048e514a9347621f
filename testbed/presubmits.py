"""Pull requests as Prow checks them: Prow's own clonerefs makes the clone, and the variables are those of a presubmit.

The clone holds the base with the pull requests merged into it; its HEAD is a merge commit that is nowhere else.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testbed.job_inputs import checkout_folder, job_variables
from testbed.monorepo import part
from testbed.processes import read
from testbed.programs import find_program
from testbed.release_harness import PROGRAM, Ended, go_environment, run_program
from testbed.sample_controller import HOST, OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.release_harness import ReleaseHarness
    from testbed.sample_controller import Edit, SampleRepository


@dataclass
class Presubmit:
    """Pull requests against a branch of a harness's repository.

    ``refs`` are further members of JOB_SPEC's refs, such as clone_depth.
    """

    harness: ReleaseHarness
    base: str = "main"
    refs: Mapping[str, Any] = field(default_factory=dict)
    pulls: list[str] = field(default_factory=list)

    @property
    def repository(self) -> SampleRepository:
        """The repository that the pull requests are to."""
        return self.harness.repository

    def open(self, version: str | None = None, edits: Mapping[str, Edit] | None = None, **versions: str) -> str:
        """Open a pull request from the base with one commit: the release artifacts of a version, these edits, or both.

        Args:
            version: of the only service.
            edits: further changes of files.
            versions: of each service, in a repository of several.

        Returns:
            The pull request's head.
        """
        number = len(self.pulls) + 1
        self.repository.git("checkout", "--quiet", "-B", f"change-{number}", f"refs/heads/{self.base}")
        if version is not None:
            self.repository.write_release(version)
        for service, its_version in versions.items():
            part(self.repository, service).write_release(its_version)
        head = self.repository.commit(f"Change {number}", edits)
        self.repository.git("checkout", "--quiet", "main")
        self.repository.git("update-ref", f"refs/pull/{number}/head", head)
        self.pulls.append(head)
        return head

    def clone(self) -> tuple[Path, dict[str, str]]:
        """Clone as Prow does, and return the clone's folder and a job's variables."""
        self.harness.runs += 1
        workspace = self.harness.folder / f"workspace-{self.harness.runs}"
        refs = {
            "org": OWNER,
            "repo": self.repository.name,
            "repo_link": f"https://{HOST}/{OWNER}/{self.repository.name}",
            "clone_uri": self.repository.url,
            "base_ref": self.base,
            "base_sha": self.repository.resolve(f"refs/heads/{self.base}"),
            "pulls": [
                {"number": number, "author": "somebody", "sha": sha} for number, sha in enumerate(self.pulls, start=1)
            ],
            **self.refs,
        }
        clone_by_prow(workspace, refs)
        return checkout_folder(workspace, self.repository), presubmit_environment(refs)

    def plan(
        self,
        *options: str,
        as_tag: str = "from-chart",
        command: str = "plan",
        extra: Mapping[str, str] | None = None,
        clone: tuple[Path, Mapping[str, str]] | None = None,
    ) -> Ended:
        """Clone, check the change, and return what came of it."""
        folder, variables = clone or self.clone()
        environment = {
            **go_environment(),
            **variables,
            "ARTIFACTS": str(self.harness.folder / f"artifacts-{self.harness.runs}"),
            "TMPDIR": str(self.harness.folder),
            **(extra or {}),
        }
        tagged = ("--as-tag", as_tag) if as_tag else ()
        argv: list[str | Path] = [PROGRAM, command, "--config", self.harness.config, *tagged, *options]
        return run_program(*argv, env=environment, cwd=folder)


def clone_by_prow(root: Path, refs: Mapping[str, Any]) -> None:
    """Let Prow's clonerefs clone below a source root.

    Raises:
        ProgramFailed: it failed; the message holds its log.
        ProgramMissing: it is not here.
    """
    log = root.with_name(f"{root.name}-clone.json")
    options = {
        "src_root": str(root),
        "log": str(log),
        "git_user_name": "ci-robot",
        "git_user_email": "ci-robot@k8s.io",
        "refs": [dict(refs)],
        "fail": True,
    }
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "CLONEREFS_OPTIONS": json.dumps(options),
    }
    read([find_program("clonerefs")], env=environment)


def presubmit_environment(refs: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that Prow gives a presubmit, or for several pull requests a batch job."""
    specification = {
        "type": "presubmit" if len(refs["pulls"]) == 1 else "batch",
        "job": "release-check",
        "buildid": "7",
        "prowjobid": "0b1c0c8e-0000-4000-8000-000000000000",
        "refs": dict(refs),
        "decoration_config": {"timeout": "30m0s", "grace_period": "15s"},
    }
    return job_variables(specification)
