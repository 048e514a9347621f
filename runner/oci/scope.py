"""What a request needs to be allowed, in the words of distribution's token authentication.

Grammar: distribution/distribution ``docs/content/spec/auth/scope.md``; ``TYPE:NAME:ACTION[,ACTION]…``, where a name may
hold colons. Registries write other things as well: ECR Public's scope is ``aws``, Gitea's ``*``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.oci.name import Repository

REPOSITORY = "repository"


@dataclass(frozen=True)
class Scope:
    """What a request needs to be allowed.

    Args:
        host: the registry that decides; no other host is sent what it accepts.
        resources: resource scopes, such as ``repository:PATH:pull,push``; none for requests that are about no
            repository.
        repository: the path of the repository whose login counts; empty where the request is about none.
    """

    host: str
    resources: tuple[str, ...] = ()
    repository: str = ""

    @classmethod
    def pull(cls, repository: Repository) -> Scope:
        """To read a repository."""
        return cls(repository.host, (f"{REPOSITORY}:{repository.path}:pull",), repository.path)

    @classmethod
    def push(cls, repository: Repository, *, source: Repository | None = None) -> Scope:
        """To read and write a repository, and to read the one of the same host from which a blob is mounted."""
        mounted = () if source is None else cls.pull(source).resources
        resources = join_resources((f"{REPOSITORY}:{repository.path}:pull,push", *mounted))
        return cls(repository.host, resources, repository.path)

    def __str__(self) -> str:
        return " ".join(self.resources)


def join_resources(resources: Iterable[str]) -> tuple[str, ...]:
    """Each resource once, with all actions that are named for it, in the order in which they first appear."""
    found: dict[tuple[str, bool], dict[str, None]] = {}
    for resource in resources:
        name, _, actions = resource.rpartition(":")
        if ":" in name:
            found.setdefault((name, True), {}).update(dict.fromkeys(actions.split(",")))
        else:
            found.setdefault((resource, False), {})
    return tuple(f"{name}:{','.join(actions)}" if acted_on else name for (name, acted_on), actions in found.items())


def is_of_a_repository(resource: str) -> bool:
    """Whether a resource scope is about one repository, and not about the registry as a whole."""
    kind = resource.partition(":")[0].partition("(")[0]  # it may have a class: repository(plugin)
    return ":" in resource and kind == REPOSITORY
