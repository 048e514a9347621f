"""Real controller repositories, read from their bundles: what each tag and branch holds below a folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.tools import require_bundle, require_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SERVICES = ("s3", "ecr")
RELEASES = {"s3": 86, "ecr": 89}


@dataclass(frozen=True)
class Controller:
    """A controller's repository as a bare clone."""

    service: str
    folder: Path

    @classmethod
    def clone(cls, service: str, folder: Path) -> Controller:
        """Clone the bundle into ``folder``, or skip the test without it."""
        bundle = require_bundle(f"{service}-controller")
        _git("clone", "-q", "--bare", str(bundle), str(folder))
        return cls(service, folder)

    def releases(self) -> tuple[str, ...]:
        """All tags, oldest version first."""
        tags = _git("tag", "--sort=version:refname", folder=self.folder).decode().split()
        return tuple(tags)

    def commit_time(self, ref: str) -> int:
        """The committer's time of a tag or branch, in seconds since 1970."""
        return int(_git("log", "-1", "--format=%ct", ref, folder=self.folder))

    def read(self, refs: Iterable[str], *paths: str) -> dict[str, dict[str, bytes]]:
        """For each tag or branch: every file at or below these paths, by its path in the repository."""
        listed: dict[str, dict[str, str]] = {}
        for ref in refs:
            tree = _git("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", ref, "--", *paths, folder=self.folder)
            entries = (entry.split(" ", 1) for entry in tree.decode().split("\0") if entry)
            listed[ref] = {path: blob for blob, path in entries}
        blobs = self._blobs({blob for files in listed.values() for blob in files.values()})
        return {ref: {path: blobs[blob] for path, blob in files.items()} for ref, files in listed.items()}

    def _blobs(self, names: set[str]) -> dict[str, bytes]:
        wanted = sorted(names)
        output = _git("cat-file", "--batch", folder=self.folder, stdin="".join(f"{name}\n" for name in wanted).encode())
        blobs: dict[str, bytes] = {}
        place = 0
        for name in wanted:
            end = output.index(b"\n", place)
            size = int(output[place:end].split()[2])
            blobs[name] = output[end + 1 : end + 1 + size]
            place = end + 1 + size + 1
        return blobs


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below ``folder`` and return it."""
    for path, body in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return folder


def _git(*arguments: str, folder: Path | None = None, stdin: bytes | None = None) -> bytes:
    where = () if folder is None else ("-C", str(folder))
    return subprocess.run(
        [str(require_tool("git")), *where, *arguments], input=stdin, capture_output=True, check=True
    ).stdout
