"""A kube-apiserver with its etcd: on free loopback ports, with an administrator, an operator and a stranger."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import yaml

from testbed.processes import read
from testbed.prow.servers import ANSWER_SECONDS, answers, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testbed.prow.servers import Servers

ETCD_REQUEST_BYTES = 10 * 1024 * 1024
"""The definition of a ProwJob is larger than what etcd takes by default."""

PEOPLE: Final[Mapping[str, tuple[str, str]]] = {
    "operator": ("alice", "ack-release-operators"),
    "stranger": ("mallory", "visitors"),
}
"""Who asks the apiserver beside its administrator: the user and the group, by the context that is theirs."""

PEOPLE_FILE: Final = "people-kubeconfig"
"""The kubeconfig with a context for each of them, beside the administrator's: Prow takes each context of its own
kubeconfig for a build cluster."""


def start_apiserver(servers: Servers, folder: Path, *, etcd: Path, kube_apiserver: Path) -> Path:
    """Start both, and return the kubeconfig of the administrator, with which the apiserver can be used once it answers.

    Args:
        servers: where they are started, as ``etcd`` and ``kube-apiserver``.
        folder: for their data; a new one each time.
        etcd: the program.
        kube_apiserver: the program.

    Raises:
        ProgramFailed: openssl failed.
    """
    client, peer, port = free_ports(3)
    clients = f"http://127.0.0.1:{client}"
    token, certificates = token_hex(16), folder / "certificates"
    tokens, signing = folder / "tokens.csv", folder / "signing.key"
    passes = {context: token_hex(16) for context in PEOPLE}
    lines = [f"{passes[context]},{user},{user},{group}" for context, (user, group) in PEOPLE.items()]
    _write(tokens, "\n".join((f"{token},admin,admin,system:masters", *lines, "")))
    read(["openssl", "genrsa", "-out", signing, "2048"], env={"PATH": os.environ["PATH"]})
    servers.start(
        "etcd",
        [
            *(etcd, "--data-dir", folder / "etcd", "--unsafe-no-fsync", f"--max-request-bytes={ETCD_REQUEST_BYTES}"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
        ],
        ready=answers(client, "/health"),
    )
    authority = certificates / "apiserver.crt"
    servers.start(
        "kube-apiserver",
        [
            *(kube_apiserver, f"--etcd-servers={clients}", f"--secure-port={port}"),
            *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={certificates}"),
            *(f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--endpoint-reconciler-type=none"),
            *("--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24"),
            *(f"--service-account-key-file={signing}", f"--service-account-signing-key-file={signing}"),
            "--disable-admission-plugins=ServiceAccount",
        ],
        ready=_ready(port, token, authority),
    )
    kubeconfig = folder / "kubeconfig"
    server = f"https://127.0.0.1:{port}"
    _write(kubeconfig, _kubeconfig(server, authority, {"local": token}))
    _write(folder / PEOPLE_FILE, _kubeconfig(server, authority, passes))
    return kubeconfig


def _kubeconfig(server: str, authority: Path, tokens: Mapping[str, str]) -> str:
    cluster = {"server": server, "certificate-authority": str(authority)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}} for name, token in tokens.items()],
            "contexts": [{"name": name, "context": {"cluster": "local", "user": name}} for name in tokens],
            "current-context": next(iter(tokens)),
        }
    )


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _ready(port: int, token: str, authority: Path) -> Callable[[], bool]:
    def ask() -> bool:
        if not authority.exists():
            return False
        try:
            context = ssl.create_default_context(cafile=str(authority))
            with contextlib.closing(
                http.client.HTTPSConnection("127.0.0.1", port, timeout=ANSWER_SECONDS, context=context)
            ) as asked:
                asked.request("GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
                return asked.getresponse().status == http.client.OK
        except (OSError, ssl.SSLError, http.client.HTTPException):
            return False

    return ask
