"""What the Kubernetes API answered, as an error with its exit code and remedy. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from runner.errors import ClusterCredentialsRefused, ClusterFailed, ClusterPermissionMissing, ClusterUnusable
from runner.prow.generate.roles import JOBS, PODS

if TYPE_CHECKING:
    from runner.errors import ReleaseError

GROUP: Final = "prow.k8s.io"
_USER: Final = re.compile(r'User "(?P<user>[^"]*)"')
ANONYMOUS: Final = "system:anonymous"
"""Whom the API takes somebody for who brings nothing that says who they are."""

_ROLES: Final = {GROUP: JOBS, "": PODS}


@dataclass(frozen=True)
class Asked:
    """What the API was asked for, as RBAC names it.

    Attributes:
        verb: list, get, watch, create or patch.
        resource: prowjobs, pods or pods/log.
        namespace: where.
        cluster: who was asked, for people.
        group: the API group; empty for the core's.
    """

    verb: str
    resource: str
    namespace: str
    cluster: str
    group: str = ""

    @property
    def rule(self) -> str:
        """The rule of a Role that allows it, as YAML on one line."""
        group = self.group or '""'
        return f"{{apiGroups: [{group}], resources: [{self.resource}], verbs: [{self.verb}]}}"

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} in the namespace {self.namespace}"


def refusal(status: int, body: str, asked: Asked) -> ReleaseError:
    """Say what it means that the API answered with this status, which is no success.

    Args:
        status: of HTTP.
        body: a Status object as JSON, or whatever a proxy says.
        asked: what was asked for.
    """
    said = message(body) or f"HTTP {status}"
    found = _USER.search(said)
    user = found["user"] if found else "this user"
    if status == HTTPStatus.UNAUTHORIZED or user == ANONYMOUS:
        return ClusterCredentialsRefused(f"{asked.cluster} does not know who asks to {asked}: {said}")
    if status == HTTPStatus.FORBIDDEN:
        role = _ROLES[asked.group]
        return ClusterPermissionMissing(
            f"{asked.cluster} does not let {user} {asked}: the rule {asked.rule} is missing",
            remedy=f"Have an administrator apply prowjobs/rbac.yaml, whose Role {role} has this rule, and bind {role}"
            f" in {asked.namespace} to {user} or a group of theirs.",
        )
    if status == HTTPStatus.NOT_FOUND and asked.verb in {"list", "watch", "create"}:
        return ClusterUnusable(f"{asked.cluster} knows no {asked.resource}: it is not the cluster that Prow runs in")
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT}:
        return ClusterUnusable(
            f"{asked.cluster} refuses to {asked}: {said}",
            remedy="Look at what it says; the same again changes nothing.",
        )
    return ClusterFailed(f"{asked.cluster} did not {asked}: {said}")


def may_pass(status: int) -> bool:
    """Whether another attempt may be answered otherwise."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def message(body: str) -> str:
    """What a Status object says; empty where the body is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    found = document.get("message") if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""
