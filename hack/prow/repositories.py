"""Bare repositories that clones fetch from, in the place of GitHub, served by git's own daemon on the loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hack.git import git
from hack.prow.servers import free_ports, listens
from hack.sample_controller import OWNER

if TYPE_CHECKING:
    from hack.prow.servers import Servers
    from hack.sample_controller import SampleRepository


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
        bare = self.folder / OWNER / f"{source.name}.git"
        if not bare.exists():
            bare.mkdir(parents=True)
            git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
        source.git("push", "--quiet", "--force", str(bare), *(f"{ref}:{ref}" for ref in refs))


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
