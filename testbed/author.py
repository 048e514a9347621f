"""An author's machine: a repository of two services at a remote, a clone of it, and the program started in the clone.

The services' artifacts are written by a script that stands in the repository, as the release process has it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.git import git
from testbed.monorepo import MONOREPO, part
from testbed.processes import read
from testbed.programs import find_program
from testbed.release_harness import PROGRAM, go_environment, run_program
from testbed.sample_controller import OWNER, PRODUCTION, SampleRepository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.release_harness import Ended

SERVICES = ("s3", "sns")
FIRST = "0.1.0"
"""The version that the repository begins with, tagged."""

SCRIPT = "scripts/build-controller-release.sh"
WRITE_ARTIFACTS = """\
#!/bin/sh -eu
# Writes the release artifacts of a service: build-controller-release.sh SERVICE VERSION
cd "$(dirname "$0")/../services/$1"
old=$(sed -n 's/^version: v\\{0,1\\}//p' helm/Chart.yaml)
grep -rlF "$old" helm config | xargs sed -i "s/$old/${2#v}/g"
"""
"""What the script is: it puts one version in the place of another."""

CONFIGURATION = """\
registry: {registry}
naming: repo-per-service-v
platforms: [linux/amd64]
build: {{base_image: scratch, helm: {helm}}}
services:
  s3: {{repo: community, path: "services/{{service}}"}}
  sns: {{repo: community, path: "services/{{service}}"}}
  ecr:
"""
"""The runner's configuration; ecr lives in a repository of its own."""


@dataclass
class Author:
    """A remote, a clone and a configuration.

    Attributes:
        folder: where all of it is.
        remote: a bare repository, in which releases are made.
        clone: the author's clone of it; its remote is called origin.
        config: jobs.yaml.
        environment: the author's own.
    """

    folder: Path
    remote: Path
    clone: Path
    config: Path
    environment: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str, cwd: Path | None = None, **environment: str) -> Ended:
        """Start the program in the clone, with the configuration after its arguments, and wait for its end."""
        argv: tuple[str | Path, ...] = (PROGRAM, *arguments, "--config", self.config)
        return run_program(*argv, env={**self.environment, **environment}, cwd=cwd or self.clone)

    def git(self, *arguments: str) -> str:
        """Run git in the clone, and return what it printed."""
        return git(self.clone, *arguments)

    def configure(self, text: str) -> None:
        """Add to jobs.yaml."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write(text)

    def script(self, *lines: str, at_remote: str = "main") -> None:
        """Let the script do more: commit these lines at its end to a branch of the remote, and pull it."""
        with self.elsewhere() as other:
            git(other, "checkout", "--quiet", at_remote)
            with (other / SCRIPT).open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
            git(other, "commit", "--quiet", "--all", "--message", "Write more")
            git(other, "push", "--quiet", "origin", at_remote)
        self.git("pull", "--quiet", "--ff-only")

    def merge(self, branch: str) -> str:
        """Merge a branch of the remote into main there, and pull it; return the merge."""
        with self.elsewhere() as other:
            git(other, "merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", f"origin/{branch}")
            git(other, "push", "--quiet", "origin", "main")
        self.git("switch", "--quiet", "main")
        self.git("pull", "--quiet", "--ff-only")
        return self.git("rev-parse", "HEAD")

    def release_elsewhere(self, version: str, *services: str) -> str:
        """Commit artifacts to main of the remote, as a merged release has them, and pull; return the commit."""
        with self.elsewhere() as other:
            for service in services:
                read([other / SCRIPT, service, version], env=self.environment, cwd=other)
            git(other, "commit", "--quiet", "--all", "--message", f"release artifacts for release {version}")
            git(other, "push", "--quiet", "origin", "main")
        self.git("pull", "--quiet", "--ff-only")
        return self.git("rev-parse", "HEAD")

    def commit_elsewhere(self, files: Mapping[str, str], branch: str = "main") -> str:
        """Commit files to a branch of the remote, from main where it is new, as somebody else; return the commit."""
        with self.elsewhere() as other:
            known = git(other, "for-each-ref", "--format=x", f"refs/remotes/origin/{branch}")
            git(other, "checkout", "--quiet", "-B", branch, f"origin/{branch}" if known else "origin/main")
            for path, text in files.items():
                (other / path).parent.mkdir(parents=True, exist_ok=True)
                (other / path).write_text(text, encoding="utf-8")
            git(other, "add", "--all")
            git(other, "commit", "--quiet", "--message", "Change something")
            git(other, "push", "--quiet", "origin", branch)
            return git(other, "rev-parse", "HEAD")

    def refs(self, folder: Path | None = None) -> dict[str, str]:
        """Return every ref of the remote, or of another repository, with what it is at."""
        listed = git(folder or self.remote, "for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ") for line in listed.splitlines())

    def elsewhere(self) -> _Elsewhere:
        """Somebody else's clone of the remote, on main, for a while."""
        return _Elsewhere(self.remote, self.folder / "elsewhere")


@dataclass(frozen=True)
class _Elsewhere:
    remote: Path
    folder: Path

    def __enter__(self) -> Path:
        git(self.folder.parent, "clone", "--quiet", str(self.remote), str(self.folder))
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


def make_author(folder: Path, registry: str = PRODUCTION) -> Author:
    """Make the remote, with both services released as FIRST, and the clone.

    Raises:
        ProgramMissing: helm or go is not here.
    """
    made = SampleRepository(folder / "made", SERVICES[0], registry, "repo-per-service-v", "s3-chart", monorepo=MONOREPO)
    made.folder.mkdir(parents=True)
    made.git("init", "--quiet", "--initial-branch=main")
    for service in SERVICES:
        part(made, service).write_release(FIRST)
    script = made.folder / SCRIPT
    script.parent.mkdir()
    script.write_text(WRITE_ARTIFACTS, encoding="utf-8")
    script.chmod(0o755)
    made.commit("Begin")
    made.git("tag", "--annotate", "--message", f"v{FIRST}", f"v{FIRST}")
    remote, clone, home = folder / "host" / OWNER / f"{MONOREPO}.git", folder / MONOREPO, folder / "home"
    remote.parent.mkdir(parents=True)
    git(folder, "clone", "--quiet", "--bare", str(made.folder), str(remote))
    git(folder, "clone", "--quiet", str(remote), str(clone))
    shutil.rmtree(made.folder)
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = An Author\n\temail = author@example.invalid\n", encoding="utf-8")
    config = folder / "jobs.yaml"
    config.write_text(CONFIGURATION.format(registry=registry, helm=find_program("helm4")), encoding="utf-8")
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {**go_environment(), "HOME": str(home), "TMPDIR": str(temporary), "LC_ALL": os.environ["LC_ALL"]}
    return Author(folder, remote, clone, config, environment)
