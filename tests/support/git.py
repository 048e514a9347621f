"""Real git repositories in temporary folders, and clones of them made exactly as Prow's clonerefs makes them.

Use::

    origin = make_origin(tmp_path / "origin")
    origin.commit("Begin", {"helm/Chart.yaml": "version: 1.2.3"})
    pushed = origin.tag("v1.2.3")
    folder = clone_refs(tmp_path / "go", origin, "v1.2.3", pushed)
    event = read_event(push_environment(origin, "v1.2.3", pushed))

The same calls give the same object ids on any machine: identities and dates are fixed, and nobody's configuration of
git is read. Tests that call these need git: ``make_origin`` skips them without it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hack.processes import read
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOST = "github.com"
OWNER = "aws-controllers-k8s"
FIRST_DATE = 1767607200
"""When the first commit was made, in seconds since 1970: 2026-01-05T10:00:00Z."""

HOUR = 3600


@dataclass(frozen=True)
class Origin:
    """A repository that clones fetch from, with a work tree in which its history is made.

    ``owner`` and ``name`` are what Prow calls it, whatever its folder is called.
    """

    folder: Path
    owner: str
    name: str

    @property
    def url(self) -> str:
        """What clones fetch from."""
        return self.folder.as_uri()

    @property
    def path(self) -> str:
        """Where clonerefs puts it below ``src``, unless path_alias says otherwise."""
        return f"{HOST}/{self.owner}/{self.name}"

    def git(self, *arguments: str) -> str:
        """Run git here; return what it printed, without white space at the end."""
        return git(self.folder, *arguments)

    def resolve(self, name: str) -> str:
        """Return the id of the object that a full ref names: of an annotated tag that of the tag object."""
        return self.git("rev-parse", "--verify", name)

    def commit(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """Write these files (None removes one), commit all that is there, and return the commit's id.

        Each commit is dated an hour later for every commit that is there already.
        """
        for path, content in (files or {}).items():
            target = self.folder / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all")
        date = f"{FIRST_DATE + HOUR * int(self.git('rev-list', '--all', '--count'))} +0000"
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", message, date=date)
        return self.resolve("HEAD")

    def tag(self, name: str, at: str = "HEAD", *, annotated: bool = True) -> str:
        """Tag, or move the tag; return what a push event then says: of an annotated tag the tag object's id."""
        kind = ("--annotate", "--message", name) if annotated else ()
        self.git("tag", "--force", *kind, name, at)
        return self.resolve(f"refs/tags/{name}")

    def branch(self, name: str, at: str = "HEAD") -> str:
        """Make or move a branch that is not checked out here; return its commit."""
        self.git("branch", "--force", name, at)
        return self.resolve(f"refs/heads/{name}")

    def switch(self, name: str, at: str = "HEAD") -> None:
        """Check out a branch, made or moved to ``at``: the next commits are on it."""
        self.git("checkout", "--quiet", "-B", name, at)


def make_origin(folder: Path, *, owner: str = OWNER, name: str = "widget-controller") -> Origin:
    """Make an empty repository, on the branch main, that serves what clonerefs may ask for."""
    require_tool("git")
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(folder, "config", "uploadpack.allowFilter", "true")
    return Origin(folder, owner, name)


def open_bundle(bundle: Path, folder: Path, *, owner: str = OWNER) -> Origin:
    """Unpack the bundle of a real repository, called like the bundle's file, into a bare repository."""
    git(folder.parent, "clone", "--quiet", "--bare", str(bundle), str(folder))
    git(folder, "symbolic-ref", "HEAD", "refs/heads/stable")
    return Origin(folder, owner, bundle.stem)


def clone_refs(
    root: Path,
    origin: Origin,
    ref: str,
    sha: str,
    *,
    depth: int = 0,
    blobless: bool = False,
    skip_fetch_head: bool = False,
    skip_submodules: bool = False,
    path_alias: str | None = None,
) -> Path:
    """Clone as clonerefs does (Prow's ``pkg/pod-utils/clone``, commandsForBaseRef), and return the clone's folder.

    There is no remote; HEAD is on a local branch named like the ref, for a tag too; all tags are there unless
    ``skip_fetch_head``.

    Args:
        root: clonerefs' source root; the clone is below its ``src``.
        origin: what is cloned.
        ref: short name of the tag or branch that was pushed.
        sha: what was pushed, for an annotated tag the tag object's id.
        depth: clone_depth.
        blobless: blobless_fetch.
        skip_fetch_head: likewise.
        skip_submodules: likewise.
        path_alias: likewise.
    """
    folder = root / "src" / (path_alias or origin.path)
    fetch = (
        "fetch",
        *([f"--depth={depth}"] if depth else []),
        *(["--filter=blob:none"] if blobless else []),
        origin.url,
    )
    folder.mkdir(parents=True)
    for command in (
        ("init",),
        ("config", "user.name", "ci-robot"),
        ("config", "user.email", "ci-robot@k8s.io"),
        *(() if skip_fetch_head else ((*fetch, "--tags", "--prune"),)),
        (*fetch, sha),
        ("checkout", sha),
        ("branch", "--force", ref, sha),
        ("checkout", ref),
        *(() if skip_submodules else (("submodule", "update", "--init", "--recursive"),)),
    ):
        git(folder, *command)
    return folder


def push_environment(
    origin: Origin, ref: str, sha: str, *extra: Origin, refs: Mapping[str, Any] | None = None, **members: object
) -> dict[str, str]:
    """Return the variables that Prow gives a postsubmit after a push.

    Args:
        origin: what was pushed to.
        ref: short name of the tag or branch.
        sha: what was pushed.
        extra: repositories cloned beside it.
        refs: further members of JOB_SPEC's refs, such as path_alias.
        members: further members of JOB_SPEC, such as decoration_config.
    """
    specification: dict[str, Any] = {
        "type": "postsubmit",
        "job": f"{origin.name}-release",
        "buildid": "1990000000000000000",
        "prowjobid": "0b1c0c8e-0000-4000-8000-000000000000",
        "refs": {
            **_link(origin),
            "base_ref": ref,
            "base_sha": sha,
            "base_link": f"https://{origin.path}/compare/{ref}",
            **(refs or {}),
        },
        **({"extra_refs": [{**_link(one), "base_ref": "main"} for one in extra]} if extra else {}),
        **members,
    }
    return {
        "CI": "true",
        "JOB_NAME": specification["job"],
        "JOB_TYPE": specification["type"],
        "JOB_SPEC": json.dumps(specification),
        "BUILD_ID": specification["buildid"],
        "BUILD_NUMBER": specification["buildid"],
        "PROW_JOB_ID": specification["prowjobid"],
        "REPO_OWNER": origin.owner,
        "REPO_NAME": origin.name,
        "PULL_BASE_REF": ref,
        "PULL_BASE_SHA": sha,
        "PULL_REFS": f"{ref}:{sha}",
    }


def git(folder: Path, *arguments: str, date: str = f"{FIRST_DATE} +0000") -> str:
    """Run git in a folder, with an identity of its own and nobody's configuration.

    Returns:
        What it printed, without white space at the end.

    Raises:
        ProgramFailed: git failed.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {
            f"GIT_{role}_NAME": "Test",
            f"GIT_{role}_EMAIL": "test@example.invalid",
            f"GIT_{role}_DATE": date,
        }
    return read(["git", *arguments], env=environment, cwd=folder)


def tree_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return everything below a folder but ``.git``: path to mode and bytes (of a symbolic link its target)."""
    return dict(_walk(folder, folder))


def _walk(top: Path, folder: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for path in sorted(folder.iterdir()):
        if path.name == ".git":
            continue
        name = path.relative_to(top).as_posix()
        mode = path.lstat().st_mode
        if path.is_symlink():
            yield name, (mode, os.fsencode(path.readlink()))
        elif path.is_dir():
            yield f"{name}/", (mode, b"")
            yield from _walk(top, path)
        else:
            yield name, (mode, path.read_bytes())


def _link(origin: Origin) -> dict[str, str]:
    return {"org": origin.owner, "repo": origin.name, "repo_link": f"https://{origin.path}"}
