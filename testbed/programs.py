"""The programs that everything here runs: built from hack/tools, or installed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, fields
from pathlib import Path

from testbed.paths import BUILT

INSTALLED_BY = {
    "chromedriver": "apt-get install chromium-driver",
    "chromium": "apt-get install chromium",
    "debootstrap": "apt-get install debootstrap",
    "docker-registry": "apt-get install docker-registry",
    "etcd": "apt-get install etcd-server",
    "git": "apt-get install git",
    "go": "https://go.dev/dl",
    "node": "apt-get install nodejs",
    "openssl": "apt-get install openssl",
}
"""How the programs are installed that this project does not build itself."""


class ProgramMissing(Exception):
    """A program is missing; the message says which, and how to install it."""


@dataclass(frozen=True)
class ProwPrograms:
    """The programs of a Prow and of the cluster that it works in."""

    etcd: Path
    kube_apiserver: Path
    hook: Path
    prow_controller_manager: Path
    crier: Path
    deck: Path


def find_prow_programs(*, built: Path = BUILT) -> ProwPrograms:
    """Find each, as ``find_program`` does.

    Raises:
        ProgramMissing: one is not there.
    """
    names = {field.name: field.name.replace("_", "-") for field in fields(ProwPrograms)}
    return ProwPrograms(**{key: find_program(name, built=built) for key, name in names.items()})


def find_program(name: str, *, built: Path = BUILT) -> Path:
    """Find a program in the folder of built ones, else on PATH.

    Raises:
        ProgramMissing: it is in neither.
    """
    found = shutil.which(name, path=built) or shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} is not here: {INSTALLED_BY.get(name, 'make tools')}")
    return Path(found)
