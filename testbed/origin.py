"""Real git repositories in temporary folders, and clones of them made exactly as Prow's clonerefs makes them.

Use::

    origin = make_origin(tmp_path / "origin")
    origin.commit("Begin", {"helm/Chart.yaml": "version: 1.2.3"})
    pushed = origin.tag("v1.2.3")
    folder = clone_refs(tmp_path / "go", origin, "v1.2.3", pushed)
    event = read_event(push_environment(origin, "v1.2.3", pushed))

The same calls give the same object ids on any machine: identities and dates are fixed, and nobody's configuration of
git is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed import job_inputs
from testbed.git import GitRepository, git
from testbed.job_inputs import job_variables
from testbed.sample_controller import HOST, OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Origin(GitRepository):
    """A repository that Prow clones: ``owner`` and ``name`` are what Prow calls it, whatever its folder is called."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        """Where clonerefs puts it below ``src``, unless path_alias says otherwise."""
        return f"{HOST}/{self.owner}/{self.name}"

    def commit(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """Write these files (None removes one), commit all that is there, and return the commit."""
        for path, content in (files or {}).items():
            target = self.folder / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.commit_all(message)

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
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(folder, "config", "uploadpack.allowFilter", "true")
    return Origin(folder, owner, name)


def unpack_bundle(bundle: Path, folder: Path, name: str) -> Origin:
    """Make a bare repository of a git bundle that serves any of its commits; ``name`` is what Prow calls it."""
    git(folder.parent, "clone", "--quiet", "--bare", str(bundle), str(folder))
    origin = Origin(folder, OWNER, name)
    origin.git("symbolic-ref", "HEAD", "refs/heads/main")
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    return origin


def clone_refs(
    root: Path,
    origin: Origin,
    ref: str,
    sha: str,
    *,
    path_alias: str | None = None,
    **options: Any,  # noqa: ANN401 - those of job_inputs.clone_refs
) -> Path:
    """Clone as Prow does, below ``src`` of the source root ``root``, and return the clone's folder.

    Args:
        root: clonerefs' source root.
        origin: what is cloned.
        ref: short name of the tag or branch that was pushed.
        sha: what was pushed, for an annotated tag the tag object's id.
        path_alias: where below ``src`` in place of the origin's path.
        options: further ones of clonerefs.
    """
    folder = root / "src" / (path_alias or origin.path)
    job_inputs.clone_refs(origin.url, ref, sha, folder, **options)
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
    return job_variables(specification)


def _link(origin: Origin) -> dict[str, str]:
    return {"org": origin.owner, "repo": origin.name, "repo_link": f"https://{origin.path}"}
