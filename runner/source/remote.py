"""What a repository has somewhere else, asked without a clone: its release tags and its branch stable.

``git ls-remote`` (git-ls-remote(1)) lists refs and sends no content. It is bounded in time and in what it may print.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runner.errors import OutputTooLarge, RemoteUnreadable, ToolUnusable
from runner.source.git import OBJECT_ID
from runner.source.route import STABLE
from runner.versions import ReleaseVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.runtime.process import Run

SECONDS: Final = 60.0
"""How long a repository may take to answer."""

MOST_BYTES: Final = 8 * 1024 * 1024
"""How much it may say: some hundred thousand refs."""

SCHEMES: Final = frozenset({"https", "http", "ssh", "git", "file"})
_BASE: Final = re.compile(rf"(?:{'|'.join(sorted(SCHEMES))})://[^\s]+")
_TAGS, _HEADS, _PEELED = "refs/tags/", "refs/heads/", "^{}"

_QUIET: Final = {
    "GIT_ALLOW_PROTOCOL": ":".join(sorted(SCHEMES)),
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "SSH_ASKPASS": "true",
}
"""Nobody is asked for a password: a repository that wants one cannot be read."""


@dataclass(frozen=True)
class RemoteRefs:
    """What a repository has.

    Attributes:
        releases: the commit of each version that a tag vMAJOR.MINOR.PATCH releases.
        stable: the commit that the branch stable is at; None without such a branch.
    """

    releases: Mapping[ReleaseVersion, str] = field(default_factory=dict)
    stable: str | None = None


def read_base(text: str) -> str:
    """Read the address that repositories are below, ``SCHEME://HOST/OWNER``; ValueError when it is none."""
    if not _BASE.fullmatch(text):
        raise ValueError(f"{text!r} is not an address such as https://github.com/OWNER")
    return text.rstrip("/")


def list_remote(url: str, run: Run, environment: Mapping[str, str], folder: Path) -> RemoteRefs:
    """Ask a repository for its refs.

    Args:
        url: where it is.
        run: how git is started.
        environment: git's environment; that nobody is asked for a password is added.
        folder: where git is started; not in a clone, whose configuration would count.

    Raises:
        RemoteUnreadable: it does not answer in time, is not there, wants a login, or says too much.
        ToolUnusable: there is no git.
    """
    arguments = ("git", "ls-remote", "--quiet", "--", url, f"{_HEADS}{STABLE}", f"{_TAGS}v*")
    try:
        finished = run(arguments, env={**environment, **_QUIET}, cwd=folder, seconds=SECONDS, limit=MOST_BYTES)
    except TimeoutError as error:
        raise RemoteUnreadable(f"{url} does not list its tags within {SECONDS:.0f} s") from error
    except OutputTooLarge as error:
        raise RemoteUnreadable(f"{url} lists more than {MOST_BYTES} bytes of tags") from error
    except OSError as error:
        raise ToolUnusable(
            f"git cannot be started: {error.strerror}", remedy="Put git on the PATH of the runner."
        ) from error
    if not finished.ok:
        said = finished.tail(1)
        raise RemoteUnreadable(
            f"{url} cannot be read: {said[0] if said else f'git exits {finished.returncode}'}", detail=finished.tail()
        )
    return read_refs(finished.stdout)


def read_refs(text: str) -> RemoteRefs:
    """Read what ``git ls-remote`` prints; what is neither a release tag nor the branch stable is left out.

    An annotated tag stands there twice, the second time peeled to its commit.
    """
    found: dict[ReleaseVersion, str] = {}
    peeled: dict[ReleaseVersion, str] = {}
    stable = None
    for line in text.splitlines():
        commit, tab, ref = line.partition("\t")
        if not tab or not OBJECT_ID.fullmatch(commit):
            continue
        if ref == f"{_HEADS}{STABLE}":
            stable = commit
        elif ref.startswith(_TAGS):
            name = ref.removeprefix(_TAGS)
            version = ReleaseVersion.of_tag(name.removesuffix(_PEELED))
            if version is not None:
                (peeled if name.endswith(_PEELED) else found)[version] = commit
    return RemoteRefs({**found, **peeled}, stable)
