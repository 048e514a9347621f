"""A clone of the pushed repository: what its HEAD is, and all that is asked of git about it.

Full ref names only, no network, and no remote, since clonerefs leaves none. Nothing in the clone is written. Prow's
``pkg/pod-utils/clone`` says what is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from runner.errors import CheckoutMissing, CommitUnusable
from runner.source.export import export
from runner.source.git import INCOMPLETE, OBJECT_ID, Git, git_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.runtime.process import Run
    from runner.source.event import Event

CHANGED_AT_MOST = 20
EARLIEST = datetime.fromtimestamp(0, UTC)

_RELATIVE = ("./", "../")
_HEAD_FORMAT = "%ct%x00%(trailers:only=true,unfold=true)"
_STATUS = ("status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=all", "--no-renames")


@dataclass(frozen=True)
class Head:
    """What is checked out in a clone, and what git knows of the ref that was pushed.

    Attributes:
        commit: HEAD.
        commit_time: when HEAD was committed, in UTC.
        tag_commit: what ``refs/tags/<ref>`` peels to; None without such a tag.
        branch_commit: what ``refs/heads/<ref>`` is at; None without such a branch.
        base_sha_commit: what the pushed object peels to; None when it is not given or not in this clone.
        base_sha_is_tag: the pushed object is a tag object.
        shallow: the history is cut off somewhere.
        has_tags: there is any tag.
        merged_tags: short names of the tags that HEAD contains.
        trailers: those of HEAD's message, as (key, value).
        changed: paths that differ from HEAD in the work tree, changed or new; CHANGED_AT_MOST of them.
    """

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


@dataclass(frozen=True)
class Clone:
    """A clone as clonerefs leaves it.

    Every method may raise CheckoutMissing (git cannot read the clone) and ToolUnusable (there is no git).

    Attributes:
        folder: the top of its work tree.
        head: what is checked out.
        environment: that of every child that works with this clone.
    """

    folder: Path
    head: Head
    environment: Mapping[str, str] = field(repr=False, compare=False)
    _run: Run = field(repr=False, compare=False)

    def files(self, paths: Iterable[str], *, at: str | None = None) -> dict[str, bytes | None]:
        """Return files as they are at HEAD, or at another commit; None for those that are not there or are no files.

        Symbolic links are followed as long as they stay in the commit. In a clone without blobs the files of another
        commit are mostly not there: then all are None.
        """
        files: dict[str, bytes | None] = dict.fromkeys(paths)
        wanted = [path for path in files if "\n" not in path and not path.startswith(_RELATIVE)]
        asked = "".join(f"{at or self.head.commit}:{path}\n" for path in wanted)
        finished = self._git("cat-file", "--batch", "--follow-symlinks", stdin=asked.encode(), may_fail=at is not None)
        if not finished.ok:
            # git ends at the first blob that a clone without blobs would have to fetch.
            return files
        files |= dict(zip(wanted, _contents(finished.output), strict=True))
        if at is None:
            self._refuse_absent([path for path in wanted if files[path] is None])
        return files

    def _refuse_absent(self, paths: Sequence[str]) -> None:
        """Raise CheckoutMissing when a file of HEAD is one of which the clone lacks the content."""
        if not paths:
            return
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", self.head.commit).stdout
        entries = [entry.partition("\t") for entry in listed.split("\0") if entry]
        blobs = {path: words.split(" ") for words, _, path in entries if path in paths}
        ids = {path: name for path, (_, kind, name) in blobs.items() if kind == "blob"}
        if not ids:
            return
        found = self.resolve(ids.values())
        absent = [path for path, name in ids.items() if found[name] is None]
        if absent:
            raise CheckoutMissing(
                f"the clone in {self.folder} lacks a part of its commit: the content of {absent[0]}",
                remedy=INCOMPLETE,
                detail=absent,
            )

    def resolve(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return the ids of objects by their names (gitrevisions(7)); None for those that are not there."""
        asked = tuple(dict.fromkeys(names))
        return {name: found.id for name, found in zip(asked, self._git.look_up(*asked), strict=True)}

    def contains(self, commit: str) -> bool:
        """Whether a commit, named by its full id, is HEAD or an ancestor of it; False when it is unknown here."""
        if not OBJECT_ID.fullmatch(commit):
            return False
        return self._git("merge-base", "--is-ancestor", commit, self.head.commit, may_fail=True).ok

    def export(self, destination: Path) -> Path:
        """Write the files of HEAD to a folder that must not exist, and return it; see ``runner.source.export``."""
        return export(self.folder, self.head.commit, destination, self._run, self.environment)

    @property
    def _git(self) -> Git:
        return Git(self.folder, self._run, self.environment)


def find_clone(event: Event, workspace: Path | None, current: Path) -> Path:
    """Find the clone of the event's repository.

    Args:
        event: what was pushed.
        workspace: the folder that holds the clones, tried as clonerefs' root, as the folder that the clone stands in,
            and as the clone; None: the clone is found from the current folder.
        current: the current folder; inside the clone, or inside one that extra_refs put beside it.

    Returns:
        The top of its work tree, an absolute path without symbolic links.

    Raises:
        CheckoutMissing: it is in none of these places; the detail lists them.
    """
    around = _below(event, workspace) if workspace is not None else _around(event, current.absolute())
    places = tuple(dict.fromkeys(around))
    for place in places:
        if is_clone(place):
            return place.resolve()
    raise CheckoutMissing(
        f"there is no clone of {event.owner}/{event.repository} in {workspace or current}",
        detail=tuple(f"no git work tree: {place}" for place in places),
    )


def is_clone(folder: Path) -> bool:
    """Whether a folder is the top of a git work tree."""
    return os.access(folder / ".git", os.F_OK)


def open_clone(
    folder: Path,
    run: Run,
    environment: Mapping[str, str],
    *,
    ref: str | None = None,
    sha: str | None = None,
    ours: Iterable[Path] = (),
) -> Clone:
    """Read what is checked out in a clone.

    Args:
        folder: the top of its work tree.
        run: how git is started.
        environment: that of every child that works with the clone.
        ref: the short name of the ref that was pushed; None where nothing was.
        sha: the id of the object that was pushed, where it is known.
        ours: folders that this program writes; what is in them is no change, wherever in the work tree they are.

    Raises:
        ToolUnusable: there is no git.
        CheckoutMissing: git cannot read the clone, or it lacks a part of its commit.
        CommitUnusable: the commit's date is none.
    """
    git = Git(folder, run, environment)
    first, _, said = git(
        "rev-list", "--max-count=1", "--encoding=UTF-8", f"--format={_HEAD_FORMAT}", "HEAD"
    ).stdout.partition("\n")
    commit = first.removeprefix("commit ")
    seconds, _, trailers = said.partition("\0")
    tag, branch, pushed, peeled = git.look_up(
        f"refs/tags/{ref}^{{commit}}" if ref else "",
        f"refs/heads/{ref}^{{commit}}" if ref else "",
        sha or "",
        f"{sha}^{{commit}}" if sha else "",
    )
    merged = git.tags(f"--merged={commit}")
    head = Head(
        commit=commit,
        commit_time=_time(commit, seconds),
        tag_commit=tag.id,
        branch_commit=branch.id,
        base_sha_commit=peeled.id,
        base_sha_is_tag=pushed.type == "tag",
        shallow=(git_folder(folder) / "shallow").exists(),
        has_tags=bool(merged or git.tags("--count=1")),
        merged_tags=merged,
        trailers=tuple(_trailers(trailers)),
        changed=_changed(git, folder, ours),
    )
    return Clone(folder, head, environment, run)


def _time(commit: str, seconds: str) -> datetime:
    """The time that git prints of a commit, as RFC 3339 can state it: what wrote the commit may have put anything."""
    try:
        found = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or found < EARLIEST:
        said = f"{seconds} seconds after 1970" if seconds else "in a form that git cannot read"
        raise CommitUnusable(
            f"commit {commit[:12]} is dated {said}, but artifacts can state the years 1970 to 9999 only",
            remedy="Commit again with the right time, and tag that commit with the next version.",
        )
    return found


def _changed(git: Git, folder: Path, ours: Iterable[Path]) -> tuple[str, ...]:
    top = folder.resolve()
    inside = [path for one in ours if (path := one.resolve()) != top and path.is_relative_to(top)]
    left_out = [f":(exclude,top,literal){path.relative_to(top)}" for path in inside]
    said = git(*_STATUS, "--", ":(top)", *left_out).stdout
    return tuple(islice((entry[3:] for entry in said.split("\0") if entry), CHANGED_AT_MOST))


def _below(event: Event, workspace: Path) -> Sequence[Path]:
    return (workspace / "src" / event.clone_path, workspace / event.repository, workspace)


def _around(event: Event, current: Path) -> Iterator[Path]:
    folders = (current, *current.parents)
    for folder in folders:
        if folder.name == "src":
            yield folder / event.clone_path
    top = next((folder for folder in folders if is_clone(folder)), None)
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
    for line in text.split("\n"):
        key, separator, value = line.partition(":")
        if separator:
            yield key.strip(), value.strip()
