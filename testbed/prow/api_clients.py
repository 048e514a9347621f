"""A real apiserver's clients, that act as somebody, and its namespaces."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import kubernetes
import yaml
from kubernetes.client.exceptions import ApiException

from testbed.prow.prowjobs import CONFLICT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def client(kubeconfig: Path, *, user: str | None = None, group: str | None = None) -> Iterator[Any]:
    """An API client of the administrator, or of the user in this group, as whom the administrator acts."""
    made = kubernetes.config.new_client_from_config(str(kubeconfig))
    if user is not None:
        made.set_default_header("Impersonate-User", user)
    if group is not None:
        made.set_default_header("Impersonate-Group", group)
    try:
        yield made
    finally:
        made.close()


def create_namespace(api: kubernetes.client.ApiClient, name: str) -> None:
    """Make a namespace unless it is there."""
    try:
        core: Any = kubernetes.client.CoreV1Api(api)
        core.create_namespace({"metadata": {"name": name}})
    except ApiException as error:
        if error.status != CONFLICT:
            raise


def apply_roles(api: kubernetes.client.ApiClient, documents: str) -> None:
    """Make the Roles and RoleBindings of a YAML text in their namespaces, as ``kubectl apply`` would the first time.

    Raises:
        ApiException: the apiserver refuses, or one is there.
    """
    rbac: Any = kubernetes.client.RbacAuthorizationV1Api(api)
    create = {"Role": rbac.create_namespaced_role, "RoleBinding": rbac.create_namespaced_role_binding}
    for document in yaml.safe_load_all(documents):
        create[document["kind"]](document["metadata"]["namespace"], document)
