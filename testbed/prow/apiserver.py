"""A kube-apiserver with its etcd: on free loopback ports, with one administrator."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from secrets import token_hex
from typing import TYPE_CHECKING

import yaml

from testbed.processes import read
from testbed.prow.servers import ANSWER_SECONDS, answers, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.prow.servers import Servers

ETCD_REQUEST_BYTES = 10 * 1024 * 1024
"""The definition of a ProwJob is larger than what etcd takes by default."""


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
    _write(tokens, f"{token},admin,admin,system:masters\n")
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
    _write(kubeconfig, _kubeconfig(f"https://127.0.0.1:{port}", authority, token))
    return kubeconfig


def _kubeconfig(server: str, authority: Path, token: str) -> str:
    cluster = {"server": server, "certificate-authority": str(authority)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
            "current-context": "local",
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
