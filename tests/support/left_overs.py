"""What a build may leave in an image, and must not: tools, caches, lists, secrets, and rights that nobody needs."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon

SECRET_VARIABLE = "ACK_RELEASE_TEST_TOKEN"  # noqa: S105 - its name
SECRET = "planted-4d0f7c1b9e6a"  # noqa: S105 - stands for one, and is none
"""What is in the environment while the image is built, and must not be in it."""

OURS = ("/opt", "/usr/local", "/etc/ack-release")
LEFT = ("/context", "/program", "/wheels", "/root/.cache")
BELOW = ("/context/", "/program/", "/wheels/", "/root/.cache/", "/tmp/", "/var/lib/apt/lists/", "/var/cache/apt/")  # noqa: S108 - the image's own
TAILS = (".whl", "/uv", "/pip", "_test.go", "/testdata", "/.git", "/.venv")


@dataclass(frozen=True)
class ExportedImage:
    """The files of an image as an archive, and what its configuration and its history say."""

    archive: Path
    configuration: str
    history: str

    @classmethod
    def of(cls, docker: DockerDaemon, image: str, folder: Path) -> ExportedImage:
        """Export an image into a folder."""
        archive = folder / "image.tar"
        container = docker.docker("create", image)
        try:
            docker.docker("export", "--output", archive, container)
        finally:
            docker.docker("rm", container)
        history = docker.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
        configuration = docker.docker("image", "inspect", "--format", "{{json .Config}}", image)
        return cls(archive, configuration, history)

    @cached_property
    def members(self) -> Mapping[str, tarfile.TarInfo]:
        """Every file and folder, by its path."""
        with tarfile.open(self.archive) as files:
            return {f"/{member.name}".rstrip("/"): member for member in files}

    @property
    def ours(self) -> Mapping[str, tarfile.TarInfo]:
        """What the build put there."""
        return {path: member for path, member in self.members.items() if path.startswith(OURS)}

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        with tarfile.open(self.archive) as files:
            file = files.extractfile(self.members[path])
            assert file is not None
            return file.read()

    def left_overs(self) -> list[str]:
        """Say what should not be there; nothing for an image that is as it should be."""
        return [*self._rights(), *self._files(), *self._secrets()]

    def _rights(self) -> Iterator[str]:
        for path, member in self.ours.items():
            if not member.issym() and member.mode & 0o022:
                yield f"{path} can be written by others"
            if member.mode & 0o6000 and not member.issym():
                yield f"{path} changes the user or the group"
            if (member.uid, member.gid) != (0, 0):
                yield f"{path} belongs to {member.uid}:{member.gid}"

    def _files(self) -> Iterator[str]:
        for path in self.members:
            if path in LEFT or path.startswith(BELOW) or (path.startswith(OURS) and path.endswith(TAILS)):
                yield f"{path} is left over"

    def _secrets(self) -> Iterator[str]:
        for where in ("configuration", "history"):
            if SECRET in getattr(self, where):
                yield f"the {where} holds a secret"
        with tarfile.open(self.archive) as files:
            for member in files:
                file = files.extractfile(member) if member.isfile() else None
                if file is not None and SECRET.encode() in file.read():
                    yield f"/{member.name} holds a secret"
