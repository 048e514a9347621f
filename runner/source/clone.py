"""What git says of the checkout: full ref names only, no network, and no remote, since clonerefs leaves none.

Nothing in the clone is written. Prow's ``pkg/pod-utils/clone`` says what is there.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from runner.errors import CheckoutMissing, ToolUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.runtime.process import Finished, Run
    from runner.source.event import Event

CHANGED_AT_MOST = 20

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RELATIVE = ("./", "../")
_HEAD_FORMAT = "%ct%x00%(trailers:only=true,unfold=true)"
_NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
_STATUS = ("status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=all", "--no-renames")


@dataclass(frozen=True)
class Checkout:
    """A clone as clonerefs leaves it.

    Attributes:
        folder: top of the work tree.
        commit: HEAD.
        commit_time: when HEAD was committed, in UTC.
        tag_commit: what ``refs/tags/<base_ref>`` peels to; None without such a tag.
        branch_commit: what ``refs/heads/<base_ref>`` is at; None without such a branch.
        base_sha_commit: what the event's base_sha peels to; None when it is not given or not in this clone.
        base_sha_is_tag: base_sha is a tag object.
        shallow: the history is cut off somewhere.
        has_tags: there is any tag.
        merged_tags: short names of the tags that HEAD contains.
        trailers: those of HEAD's message, as (key, value).
        changed: paths that differ from HEAD in the work tree, changed or new; CHANGED_AT_MOST of them.
    """

    folder: Path
    commit: str
    commit_time: datetime
    tag_commit: str | None
    branch_commit: str | None
    base_sha_commit: str | None
    base_sha_is_tag: bool
    shallow: bool
    has_tags: bool
    merged_tags: tuple[str, ...]
    trailers: tuple[tuple[str, str], ...]
    changed: tuple[str, ...]


def find_checkout(event: Event, workspace: Path | None, current: Path) -> Path:
    """Find the checkout of the event's repository.

    Args:
        event: what was pushed.
        workspace: the folder that holds the checkouts, tried as clonerefs' root, as the folder that the checkout
            stands in, and as the checkout; None: the checkout is found from the current folder.
        current: the current folder; inside the checkout, or inside one that extra_refs put beside it.

    Returns:
        The top of its work tree, an absolute path without symbolic links.

    Raises:
        CheckoutMissing: it is in none of these places; the detail lists them.
    """
    around = _below(event, workspace) if workspace is not None else _around(event, current.absolute())
    places = tuple(dict.fromkeys(around))
    for place in places:
        if is_checkout(place):
            return place.resolve()
    raise CheckoutMissing(
        f"there is no checkout of {event.owner}/{event.repository} in {workspace or current}",
        detail=tuple(f"no git work tree: {place}" for place in places),
    )


def is_checkout(folder: Path) -> bool:
    """Whether a folder is the top of a git work tree."""
    return os.access(folder / ".git", os.F_OK)


def git_folder(folder: Path) -> Path:
    """Return where git keeps a work tree's objects and refs (gitrepository-layout(5)): mostly its folder ``.git``."""
    found = folder / ".git"
    if found.is_file():
        found = folder / found.read_text().removeprefix("gitdir:").strip()
    common = found / "commondir"
    return (found / common.read_text().strip() if common.exists() else found).resolve()


def read_checkout(folder: Path, event: Event, run: Run, environment: Mapping[str, str]) -> Checkout:
    """Read the checkout in which an event's repository is.

    Raises:
        ToolUnusable: there is no git.
        CheckoutMissing: git cannot read the clone.
    """
    git = _Git(folder, run, environment)
    head, _, said = git(
        "rev-list", "--max-count=1", "--encoding=UTF-8", f"--format={_HEAD_FORMAT}", "HEAD"
    ).stdout.partition("\n")
    commit = head.removeprefix("commit ")
    seconds, _, trailers = said.partition("\0")
    tag, branch, pushed, peeled = git.look_up(
        f"refs/tags/{event.base_ref}^{{commit}}",
        f"refs/heads/{event.base_ref}^{{commit}}",
        event.base_sha or "",
        f"{event.base_sha}^{{commit}}" if event.base_sha else "",
    )
    merged = git.tags(f"--merged={commit}")
    return Checkout(
        folder=folder,
        commit=commit,
        commit_time=datetime.fromtimestamp(int(seconds), UTC),
        tag_commit=tag.id,
        branch_commit=branch.id,
        base_sha_commit=peeled.id,
        base_sha_is_tag=pushed.type == "tag",
        shallow=(git_folder(folder) / "shallow").exists(),
        has_tags=bool(merged or git.tags("--count=1")),
        merged_tags=merged,
        trailers=tuple(_trailers(trailers)),
        changed=tuple(islice((entry[3:] for entry in git(*_STATUS).stdout.split("\0") if entry), CHANGED_AT_MOST)),
    )


def read_files(
    checkout: Checkout, paths: Iterable[str], run: Run, environment: Mapping[str, str], *, at: str | None = None
) -> dict[str, bytes | None]:
    """Return files as they are at HEAD, or at another commit; None for those that are not there or are no files.

    Symbolic links are followed as long as they stay in the commit. In a clone without blobs the files of another commit
    are mostly not there: then all are None.

    Raises:
        CheckoutMissing: git cannot read the clone.
        ToolUnusable: there is no git.
    """
    files: dict[str, bytes | None] = dict.fromkeys(paths)
    wanted = [path for path in files if "\n" not in path and not path.startswith(_RELATIVE)]
    asked = "".join(f"{at or checkout.commit}:{path}\n" for path in wanted)
    git = _Git(checkout.folder, run, environment)
    finished = git("cat-file", "--batch", "--follow-symlinks", stdin=asked.encode(), may_fail=at is not None)
    if not finished.ok:
        # git ends at the first blob that a clone without blobs would have to fetch.
        return files
    return files | dict(zip(wanted, _contents(finished.output), strict=True))


def resolve(
    checkout: Checkout, names: Iterable[str], run: Run, environment: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the ids of objects by their names (gitrevisions(7)); None for those that are not there.

    Raises:
        CheckoutMissing: git cannot read the clone.
        ToolUnusable: there is no git.
    """
    asked = tuple(dict.fromkeys(names))
    return {
        name: found.id
        for name, found in zip(asked, _Git(checkout.folder, run, environment).look_up(*asked), strict=True)
    }


def is_ancestor(checkout: Checkout, commit: str, run: Run, environment: Mapping[str, str]) -> bool:
    """Whether a commit, named by its full id, is HEAD or an ancestor of it; False when it is unknown here.

    Raises:
        ToolUnusable: there is no git.
    """
    if not _OBJECT_ID.fullmatch(commit):
        return False
    git = _Git(checkout.folder, run, environment)
    return git("merge-base", "--is-ancestor", commit, checkout.commit, may_fail=True).ok


@dataclass(frozen=True)
class _Found:
    """An object that git was asked for; nothing but None when it is not there."""

    id: str | None = None
    type: str | None = None


class _Git:
    """Calls git on one clone.

    The repository is named outright: git would search the folders above when ``.git`` is not usable, and find another
    one; and the owner of the tree does not matter then.
    """

    def __init__(self, folder: Path, run: Run, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._run = run
        self._environment = {**environment, **_NO_NETWORK}

    def __call__(self, *arguments: str, stdin: bytes | None = None, may_fail: bool = False) -> Finished:
        named = (f"--git-dir={self._folder / '.git'}", f"--work-tree={self._folder}")
        try:
            finished = self._run(
                ("git", *named, *arguments),
                env=self._environment,
                cwd=self._folder,
                stdin=stdin,
            )
        except OSError as error:
            raise ToolUnusable(
                f"git cannot be started in {self._folder}: {error.strerror}",
                remedy="Put git on the PATH of the runner.",
            ) from error
        if not finished.ok and not may_fail:
            raise CheckoutMissing(
                f"git cannot read the checkout in {self._folder}",
                remedy="Clone anew with a commit checked out, readable for the runner's user (run_as_user, fs_group).",
                detail=finished.tail(),
            )
        return finished

    def look_up(self, *names: str) -> tuple[_Found, ...]:
        """Return the object behind each name, nothing for an empty name."""
        lines = self(
            "cat-file",
            "--batch-check=%(objectname) %(objecttype)",
            stdin="".join(f"{name}\n" for name in names).encode(),
        ).stdout.splitlines()
        return tuple(_Found() if line.endswith(" missing") else _Found(*line.split(" ")) for line in lines)

    def tags(self, which: str) -> tuple[str, ...]:
        """Return the short names of tags."""
        listed = self("for-each-ref", which, "--format=%(refname:lstrip=2)", "refs/tags/").stdout
        return tuple(listed.splitlines())


def _below(event: Event, workspace: Path) -> Sequence[Path]:
    return (workspace / "src" / event.clone_path, workspace / event.repository, workspace)


def _around(event: Event, current: Path) -> Iterator[Path]:
    folders = (current, *current.parents)
    for folder in folders:
        if folder.name == "src":
            yield folder / event.clone_path
    top = next((folder for folder in folders if is_checkout(folder)), None)
    if top is None:
        yield from _below(event, current)
    elif any(top.name == extra.repository != event.repository for extra in event.extra_refs):
        yield top.with_name(event.repository)
    else:
        yield top


def _contents(output: bytes) -> Iterator[bytes | None]:
    """Read what ``git cat-file --batch`` prints: a line for each object, and mostly its bytes after it."""
    place = 0
    while place < len(output):
        end = output.index(b"\n", place)
        words = output[place:end].split(b" ")
        place = end + 1
        if words[-1] == b"missing":
            yield None
            continue
        size = int(words[-1])
        yield output[place : place + size] if words[-2] == b"blob" else None
        place += size + 1


def _trailers(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        if separator:
            yield key.strip(), value.strip()
