"""Real controller repositories: what each tag and branch holds below a folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SERVICES = ("s3", "ecr")
RELEASES = {"s3": 86, "ecr": 89}


@dataclass(frozen=True)
class Controller:
    """A controller's repository as a bare clone."""

    service: str
    folder: Path

    def releases(self) -> tuple[str, ...]:
        """All tags, oldest version first."""
        tags = self._git("tag", "--sort=version:refname").decode().split()
        return tuple(tags)

    def commit_time(self, ref: str) -> int:
        """The committer's time of a tag or branch, in seconds since 1970."""
        return int(self._git("log", "-1", "--format=%ct", ref))

    def read(self, refs: Iterable[str], *paths: str) -> dict[str, dict[str, bytes]]:
        """For each tag or branch: every file at or below these paths, by its path in the repository."""
        listed: dict[str, dict[str, str]] = {}
        for ref in refs:
            tree = self._git("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", ref, "--", *paths)
            entries = (entry.split(" ", 1) for entry in tree.decode().split("\0") if entry)
            listed[ref] = {path: blob for blob, path in entries}
        blobs = self._blobs({blob for files in listed.values() for blob in files.values()})
        return {ref: {path: blobs[blob] for path, blob in files.items()} for ref, files in listed.items()}

    def _git(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        argv: list[str | Path] = ["git", "-C", self.folder, *arguments]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True).stdout

    def _blobs(self, names: set[str]) -> dict[str, bytes]:
        wanted = sorted(names)
        output = self._git("cat-file", "--batch", stdin="".join(f"{name}\n" for name in wanted).encode())
        blobs: dict[str, bytes] = {}
        place = 0
        for name in wanted:
            end = output.index(b"\n", place)
            size = int(output[place:end].split()[2])
            blobs[name] = output[end + 1 : end + 1 + size]
            place = end + 1 + size + 1
        return blobs
