"""An apiserver for tests, without nodes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from testbed.prow.apiserver import start_apiserver
from testbed.prow.servers import Servers
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def apiserver(folder: Path) -> Iterator[Path]:
    """Run an apiserver that keeps its data below a folder, and give the kubeconfig of its administrator."""
    programs = {"etcd": require_tool("etcd"), "kube_apiserver": require_tool("kube-apiserver")}
    with Servers(folder) as servers:
        kubeconfig = start_apiserver(servers, folder, **programs)
        servers.wait()
        yield kubeconfig
