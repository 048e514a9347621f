"""The programs of a local Prow: built from hack/tools, or installed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, fields
from pathlib import Path

INSTALLED_BY = {"etcd": "apt-get install etcd-server"}


class ProgramMissing(Exception):
    """A program is not here; the message says which, and how it is had."""


@dataclass(frozen=True)
class Programs:
    """The programs of a Prow and of the cluster that it works in."""

    etcd: Path
    kube_apiserver: Path
    hook: Path
    prow_controller_manager: Path
    crier: Path
    deck: Path


def find_programs(tools: Path) -> Programs:
    """Find each in a folder, else on PATH.

    Raises:
        ProgramMissing: one is in neither.
    """
    return Programs(**{field.name: find_program(tools, field.name.replace("_", "-")) for field in fields(Programs)})


def find_program(tools: Path, name: str) -> Path:
    """Find one.

    Raises:
        ProgramMissing: it is not there.
    """
    found = shutil.which(name, path=tools) or shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} is not here: {INSTALLED_BY.get(name, 'make tools')}")
    return Path(found)
