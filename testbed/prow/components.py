"""The command lines of Prow's own programs that watch and report. Pure.

They listen on all addresses of the machine, whatever is configured; so every port that can be chosen is a free one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.processes import Argv


@dataclass(frozen=True)
class Ports:
    """What a program listens on beside its own purpose."""

    health: int
    metrics: int
    profiles: int

    @property
    def flags(self) -> tuple[str, ...]:
        """As Prow's programs take them (pkg/flagutil/instrumentation.go)."""
        return (
            f"--health-port={self.health}",
            f"--metrics-port={self.metrics}",
            f"--pprof-port={self.profiles}",
        )


@dataclass(frozen=True)
class Shared:
    """What every program reads.

    Args:
        kubeconfig: how the apiserver is reached.
        config: Prow's config.yaml.
        jobs: the folder of generated jobs.
    """

    kubeconfig: Path
    config: Path
    jobs: Path

    @property
    def flags(self) -> tuple[str, ...]:
        """As Prow's programs take them."""
        return (
            f"--kubeconfig={self.kubeconfig}",
            f"--config-path={self.config}",
            f"--job-config-path={self.jobs}",
        )


def hook(program: Path, shared: Shared, ports: Ports, *, port: int, secret: Path, plugins: Path) -> Argv:
    """What takes events and makes ProwJobs of them.

    Args:
        program: hook.
        shared: what every program reads.
        ports: what it listens on beside.
        port: where events go, at ``/hook``.
        secret: the file with the secret that signs events.
        plugins: plugins.yaml.
    """
    return [
        program,
        *("--dry-run=false", *shared.flags, *ports.flags, f"--port={port}"),
        *(f"--hmac-secret-file={secret}", f"--plugin-config={plugins}"),
        # Nothing that a push needs is asked of GitHub, and nothing answers here.
        *("--github-endpoint=http://127.0.0.1:1", "--grace-period=10s"),
    ]


def plank(program: Path, shared: Shared, ports: Ports) -> Argv:
    """What makes pods of ProwJobs, and of their ends those of ProwJobs; ``program`` is prow-controller-manager."""
    return [program, "--enable-controller=plank", "--dry-run=false", *shared.flags, *ports.flags]


def crier(program: Path, shared: Shared, ports: Ports, *, storage: Path) -> Argv:
    """What writes into the bucket what the cluster knows of a job: prowjob.json and podinfo.json.

    Args:
        program: crier.
        shared: what every program reads.
        ports: what it listens on.
        storage: the file with the bucket's credentials.
    """
    return [
        program,
        *(*shared.flags, *ports.flags, f"--s3-credentials-file={storage}"),
        *("--blob-storage-workers=1", "--kubernetes-blob-storage-workers=1"),
    ]
