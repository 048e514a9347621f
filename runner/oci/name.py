"""Names in registries: hosts, repositories, tags and digests, by OCI's distribution-spec 1.1."""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
HOST = re.compile(r"(?:localhost|\[[0-9a-f:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::[0-9]+)?")


@dataclass(frozen=True, order=True)
class Repository:
    """A repository in a registry: ``host`` (with port) and ``path``."""

    host: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Read ``HOST/PATH``; ValueError when it is not one."""
        host, _, path = text.partition("/")
        if not HOST.fullmatch(host) or not REPOSITORY_PATH.fullmatch(path):
            raise ValueError(f"{text!r} is not HOST/REPOSITORY")
        return cls(host, path)

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, order=True)
class Name:
    """A tag in a repository, ``HOST/REPOSITORY:TAG``: what an artifact is published under."""

    repository: Repository
    tag: str

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read ``HOST/REPOSITORY:TAG``; ValueError when it is not one."""
        repository, colon, tag = text.rpartition(":")
        if not colon or not TAG.fullmatch(tag):
            raise ValueError(f"{text!r} is not HOST/REPOSITORY:TAG")
        return cls(Repository.parse(repository), tag)

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"
