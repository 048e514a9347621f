"""A kube-apiserver with its etcd, for tests: on free loopback ports, with one administrator, ended with the block."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import time
from secrets import token_hex
from typing import TYPE_CHECKING

import yaml

from hack.processes import Argv, read, started
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY_SECONDS = 60.0


@contextlib.contextmanager
def apiserver(folder: Path) -> Iterator[Path]:
    """Run an apiserver that keeps its data below a folder, and give the kubeconfig of its administrator."""
    programs = require_tool("etcd"), require_tool("kube-apiserver")
    client, peer, port = free_ports(3)
    token, certificates = token_hex(16), folder / "certificates"
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    (folder / "tokens.csv").chmod(0o600)
    signing = folder / "signing.key"
    read(["openssl", "genrsa", "-out", signing, "2048"], env={"PATH": os.environ["PATH"]})
    etcd: Argv = [
        *(programs[0], "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--max-request-bytes=10485760"),
        *(
            "--listen-client-urls",
            f"http://127.0.0.1:{client}",
            "--advertise-client-urls",
            f"http://127.0.0.1:{client}",
        ),
        *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
    ]
    api: Argv = [
        *(programs[1], f"--etcd-servers=http://127.0.0.1:{client}", f"--secure-port={port}"),
        *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={certificates}"),
        *(f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC", "--endpoint-reconciler-type=none"),
        *("--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24"),
        *(f"--service-account-key-file={signing}", f"--service-account-signing-key-file={signing}"),
        "--disable-admission-plugins=ServiceAccount",
    ]
    authority = certificates / "apiserver.crt"
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "local",
                        "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)},
                    }
                ],
                "users": [{"name": "admin", "user": {"token": token}}],
                "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
                "current-context": "local",
            }
        )
    )
    kubeconfig.chmod(0o600)
    environment = {"PATH": os.environ["PATH"]}
    with (
        (folder / "etcd.log").open("wb") as etcd_log,
        (folder / "apiserver.log").open("wb") as api_log,
        started(etcd, env=environment, output=etcd_log),
        started(api, env=environment, output=api_log) as child,
    ):
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(port, token, authority):
            if child.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "apiserver.log").read_text()[-4000:])
            time.sleep(0.1)
        yield kubeconfig


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _ready(port: int, token: str, authority: Path) -> bool:
    if not authority.exists():
        return False
    try:
        context = ssl.create_default_context(cafile=str(authority))
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)) as asked:
            asked.request("GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
            return asked.getresponse().status == http.client.OK
    except (OSError, ssl.SSLError, http.client.HTTPException):
        return False
