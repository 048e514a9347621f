"""Which cluster and namespace are meant, by kubectl's rules, and how it is reached."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import kubernetes.client
import kubernetes.config
import yaml
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME

from runner.errors import ClusterUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE: Final = "~/.kube/config"
SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
IN_CLUSTER: Final = "this cluster"


@dataclass(frozen=True)
class Reached:
    """A cluster that can be asked.

    Attributes:
        api: the client; who made it closes it.
        name: the context's, for people.
        namespace: the context's, if it has one.
        contexts: the names of all contexts; none inside a cluster.
        files: the kubeconfig files, as KUBECONFIG lists them; empty inside a cluster.
    """

    api: Any = field(repr=False)
    name: str
    namespace: str | None
    contexts: frozenset[str] = frozenset()
    files: str = ""


def reach(environment: Mapping[str, str], *, kubeconfig: str | None = None, context: str | None = None) -> Reached:
    """Return how the cluster is reached: the kubeconfig that is given, KUBECONFIG's list, the user's, or from inside.

    As in kubectl, the first file that says something counts, its own current context too; files of the list that are
    not there are passed over; and a pod without a kubeconfig asks the cluster that it runs in.

    Raises:
        ClusterUnusable: none is named, or what is named cannot be used.
    """
    files = kubeconfig or environment.get("KUBECONFIG") or _default(environment)
    if not _exist(files):
        if kubeconfig is None and context is None and environment.get(SERVICE_HOST_ENV_NAME):
            return _inside()
        raise ClusterUnusable(f"there is no kubeconfig {files}")
    return reach_context(files, context)


def reach_context(files: str, context: str | None) -> Reached:
    """Return how the cluster of a context of these files is reached; of the current one where none is named.

    Raises:
        ClusterUnusable: the files or the context cannot be used.
    """
    try:
        current, contexts = _read(files)
        chosen = context or current
        if chosen not in contexts:
            raise ClusterUnusable(
                f"{files} has no context {chosen}" if chosen else f"{files} names no current context",
                detail=[f"context {name}" for name in sorted(contexts)],
            )
        api = kubernetes.config.new_client_from_config(
            config_file=files, context=chosen, persist_config=False, client_configuration=_configuration()
        )
    except (ConfigException, OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ClusterUnusable(f"the kubeconfig {files} cannot be used: {said}") from error
    namespace = (contexts[chosen] or {}).get("namespace")
    return Reached(api, chosen, namespace, frozenset(contexts), files)


def _inside() -> Reached:
    configuration = _configuration()
    try:
        kubernetes.config.load_incluster_config(client_configuration=configuration)
        namespace = SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except (ConfigException, OSError) as error:
        raise ClusterUnusable(f"the pod's service account cannot be used: {error}") from error
    return Reached(kubernetes.client.ApiClient(configuration), IN_CLUSTER, namespace or None)


def _configuration() -> kubernetes.client.Configuration:
    configuration = kubernetes.client.Configuration()
    # The connection's own attempts would come on top of the caller's, and be complained of on stderr.
    configuration.retries = False
    return configuration


def _default(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME")
    return f"{home}/.kube/config" if home else str(Path(DEFAULT_FILE).expanduser())


def _exist(files: str) -> bool:
    return any(Path(file).expanduser().is_file() for file in files.split(os.pathsep) if file)


def _read(files: str) -> tuple[str, dict[str, Any]]:
    """The current context and all contexts of a list of files; of what several say, the first counts.

    The client library would take the last current context, and none where no file names one.
    """
    current = ""
    contexts: dict[str, Any] = {}
    for file in filter(None, files.split(os.pathsep)):
        path = Path(file).expanduser()
        if path.is_file():
            document = yaml.safe_load(path.read_bytes()) or {}
            current = current or document.get("current-context") or ""
            for one in document.get("contexts") or ():
                contexts.setdefault(str(one["name"]), one.get("context"))
    return str(current), contexts
