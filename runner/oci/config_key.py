"""Which key of a Docker config file holds the login for a repository: the longest path that fits.

Docker knows keys that are a host, with or without a scheme and ``/v1/`` (docker/cli ``cli/config/credentials``).
podman, skopeo and the kubelet also know ``HOST/PATH``, for the repositories below that path (containers/image
``pkg/docker/config``, Kubernetes "Interpretation of config.json"), and the kubelet ``*.example.com``, where each part
of the name stands for one part. A path counts by whole parts: ``HOST/team`` holds ``HOST/team/image``, not
``HOST/teams``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCKER_HUB = "index.docker.io"
DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
DOCKER_HUB_SERVER = "https://index.docker.io/v1/"
"""What credential helpers know Docker Hub as (docker/cli ``cli/config/configfile``, ``getAuthConfigKey``)."""
API_VERSIONS = frozenset({"v1", "v2"})


@dataclass(frozen=True)
class Place:
    """What a key refers to: a host in lower case, Docker Hub under one of its names, and the parts of a path in it."""

    host: str
    path: tuple[str, ...]


def read_key(key: str) -> Place:
    """What a key refers to, whatever scheme and API version older tools wrote around it."""
    host, *path = re.sub(r"^https?://", "", key.strip(), flags=re.IGNORECASE).split("/")
    host = host.strip().lower()
    parts = tuple(part for part in path if part)
    if parts and parts[0] in API_VERSIONS:
        parts = parts[1:]
    return Place(DOCKER_HUB if host in DOCKER_HUB_HOSTS else host, parts)


def server_of(host: str) -> str:
    """What credential helpers call this host."""
    return DOCKER_HUB_SERVER if host.lower() in DOCKER_HUB_HOSTS else host


def best_key(keys: Iterable[str], host: str, repository: str) -> str | None:
    """The key that holds the login for a repository, or None.

    Of those that fit, the one with the longest path counts; then one that names the host goes before a pattern, and the
    key as Docker writes it today before other spellings; then the first.

    Args:
        keys: of the file.
        host: the registry, with its port.
        repository: the path in it; empty for the registry as a whole, which no key with a path fits.
    """
    wanted = read_key(host)
    path = tuple(repository.split("/")) if repository else ()
    found: tuple[tuple[int, bool, bool], str] | None = None
    for key in keys:
        place = read_key(key)
        if place.path != path[: len(place.path)] or not _fits(place.host, wanted.host):
            continue
        rank = (len(place.path), place.host == wanted.host, key == "/".join((host, *place.path)))
        if found is None or rank > found[0]:
            found = rank, key
    return None if found is None else found[1]


def _fits(pattern: str, host: str) -> bool:
    """Whether a host is the one named, or fits it part by part where that has ``*``, ``?`` or ``[…]``; same port."""
    if pattern == host:
        return True
    names, name = (one.split(":")[0].split(".") for one in (pattern, host))
    if not any(character in pattern for character in "*?["):
        return False
    same_port = pattern.partition(":")[2] == host.partition(":")[2]
    return same_port and len(names) == len(name) and all(map(fnmatchcase, name, names))
