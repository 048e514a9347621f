"""Bare repositories that clones fetch from, in the place of GitHub, served by git's own daemon on the loopback."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.git import git
from testbed.prow.servers import free_ports, listens
from testbed.sample_controller import OWNER

if TYPE_CHECKING:
    from testbed.prow.servers import Servers
    from testbed.sample_controller import SampleRepository


@dataclass(frozen=True)
class Repositories:
    """The repositories of one server; ``address`` is what stands before ``/OWNER/NAME.git``."""

    folder: Path
    address: str

    def push(self, source: SampleRepository, *refs: str) -> None:
        """Push full ref names of a repository, which is made where it is not there; a ref that is there is moved.

        Raises:
            ProgramFailed: git failed.
        """
        bare = self._bare(source)
        if not bare.exists():
            bare.mkdir(parents=True)
            git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
        source.git("push", "--quiet", "--force", str(bare), *(f"{ref}:{ref}" for ref in refs))

    def tell_of_pushes(self, source: SampleRepository, *command: str | Path) -> None:
        """From now on every push to a repository that is there runs a command, as git's hook post-receive.

        ``source`` gets the repository as its remote ``origin``.

        Raises:
            ProgramFailed: git failed.
        """
        hook = self._bare(source) / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, command))}\n", encoding="utf-8")
        hook.chmod(0o755)
        source.git("remote", "add", "origin", str(self._bare(source)))

    def _bare(self, source: SampleRepository) -> Path:
        return self.folder / OWNER / f"{source.name}.git"


def start_repositories(servers: Servers, folder: Path) -> Repositories:
    """Start a server, as ``git-daemon``, of what lies in a folder."""
    (port,) = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    servers.start(
        "git-daemon",
        [
            # ``git daemon`` would start it as a child that outlives a git that is killed.
            Path(git(folder, "--exec-path"), "git-daemon"),
            *("--listen=127.0.0.1", f"--port={port}", "--reuseaddr", "--export-all", "--verbose"),
            *("--informative-errors", f"--base-path={folder}", folder),
        ],
        ready=listens(port),
        # The repositories belong to whoever started this: nobody's configuration has a say in that.
        environment={"GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)},
    )
    return Repositories(folder, f"git://127.0.0.1:{port}")
