"""A clone in memory: commits as dictionaries of files, with the ids that git gives to files and folders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from runner.source.clone import Clone, Head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ID_LENGTH = 40
"""Of an object's name (gitrevisions(7)): SHA-1, in hexadecimal digits."""

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Commit:
    """A commit: its files by path, regular ones only; the ids of its parents; what else ``Head`` has of it."""

    files: Mapping[str, bytes]
    parents: tuple[str, ...] = ()
    time: datetime = datetime(2026, 1, 5, 10, tzinfo=UTC)
    trailers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class History:
    """What is in a clone.

    Attributes:
        commits: by id; a parent that is not among them was cut off.
        head: what is checked out.
        tags: by short name, the id of a commit or of a tag object.
        branches: likewise, the id of a commit.
        tag_objects: by id, the commit that each annotated tag is of.
        changed: as in ``Head``.
        shallow: as in ``Head``.
        blobless: whether the files of other commits are there only where HEAD has the same.
    """

    commits: Mapping[str, Commit]
    head: str
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    branches: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tag_objects: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    changed: tuple[str, ...] = ()
    shallow: bool = False
    blobless: bool = False

    def commit_of(self, name: str) -> str | None:
        """What a full ref or an id peels to; None when no commit of this history does."""
        found = self.object_of(name)
        commit = self.tag_objects.get(found or "", found)
        return commit if commit in self.commits else None

    def object_of(self, name: str) -> str | None:
        """The id of the commit or tag object that a full ref or an id names."""
        refs = {f"refs/tags/{tag}": at for tag, at in self.tags.items()}
        refs |= {f"refs/heads/{branch}": at for branch, at in self.branches.items()}
        found = refs.get(name, name)
        return found if found in self.commits or found in self.tag_objects else None

    def within(self, commit: str) -> frozenset[str]:
        """A commit and all that is before it."""
        found: set[str] = set()
        left = [commit]
        while left:
            one = left.pop()
            if one in self.commits and one not in found:
                found.add(one)
                left += self.commits[one].parents
        return frozenset(found)

    def read_head(self, *, ref: str | None = None, sha: str | None = None) -> Head:
        """What ``open_clone`` would read, given the same."""
        commit, pushed = self.commits[self.head], ref or ""
        reached = self.within(self.head)
        return Head(
            commit=self.head,
            commit_time=commit.time,
            tag_commit=self.commit_of(f"refs/tags/{pushed}"),
            branch_commit=self.commit_of(f"refs/heads/{pushed}"),
            base_sha_commit=self.commit_of(sha or ""),
            base_sha_is_tag=sha in self.tag_objects,
            shallow=self.shallow,
            has_tags=bool(self.tags),
            merged_tags=tuple(tag for tag in sorted(self.tags) if self.commit_of(f"refs/tags/{tag}") in reached),
            trailers=commit.trailers,
            changed=self.changed,
        )


@dataclass(frozen=True)
class MemoryClone(Clone):
    """A clone of a history in memory; every method is as in the real one, and starts no program."""

    history: History

    @classmethod
    def of(
        cls, history: History, *, ref: str | None = None, sha: str | None = None, folder: Path = Path("/nowhere")
    ) -> MemoryClone:
        """Open it; ``ref`` and ``sha`` as in ``open_clone``, and ``folder`` is what it says of itself."""
        return cls(folder, history.read_head(ref=ref, sha=sha), {}, _no_program, history)

    def files(self, paths: Iterable[str], *, at: str | None = None) -> dict[str, bytes | None]:
        """Return files of a commit."""
        wanted = dict.fromkeys(paths)
        commits, head = self.history.commits, self.history.head
        commit = commits.get(self.history.commit_of(at or head) or "")
        found = {path: commit.files.get(path) for path in wanted} if commit else wanted
        there = set(commits[head].files.values())
        if self.history.blobless and any(body is not None and body not in there for body in found.values()):
            return wanted
        return found

    def resolve(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return the ids of commits, of tag objects, and of what a commit has at a path."""
        return {name: self._resolve(name) for name in names}

    def contains(self, commit: str) -> bool:
        """Whether HEAD contains a commit."""
        if len(commit) != ID_LENGTH:
            return False
        return self.history.commit_of(commit) in self.history.within(self.history.head)

    def export(self, destination: Path) -> Path:
        """Write the files of HEAD."""
        destination.mkdir(parents=True)
        for path, body in self.history.commits[self.history.head].files.items():
            file = destination / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return destination

    def _resolve(self, name: str) -> str | None:
        named, colon, path = name.partition(":")
        peeled = named.removesuffix("^{commit}")
        if not colon:
            return self.history.object_of(named) if peeled == named else self.history.commit_of(peeled)
        commit = self.history.commit_of(peeled)
        if commit is None:
            return None
        files = self.history.commits[commit].files
        return _blob_id(files[path]) if path in files else _tree_id(_below(files, path))


def _no_program(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a clone in memory starts no program")


def _below(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    above = f"{folder}/" if folder else ""
    return {path.removeprefix(above): body for path, body in files.items() if path.startswith(above)}


def _tree_id(files: Mapping[str, bytes]) -> str | None:
    """The id of a folder with these files (gitformat-pack(5) and git-mktree(1)); None of an empty one: git has none."""
    if not files:
        return None
    entries: dict[str, bytes] = {}
    for name in {path.partition("/")[0] for path in files}:
        is_file = name in files
        found = _blob_id(files[name]) if is_file else _tree_id(_below(files, name))
        entry = f"{'100644' if is_file else '40000'} {name}\0".encode() + bytes.fromhex(found or "")
        # Git sorts a folder as if its name ended with a slash.
        entries[name if is_file else f"{name}/"] = entry
    return _object_id("tree", b"".join(entries[name] for name in sorted(entries)))


def _blob_id(body: bytes) -> str:
    return _object_id("blob", body)


def _object_id(kind: str, body: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()
