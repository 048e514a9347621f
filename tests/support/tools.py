"""Real programs for tests: found, or the test is skipped with a reason; in CI a missing one is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".tools" / "bin"
DECK_PAGES = ROOT / ".tools" / "deck-pages"
SHARED = ROOT.parent / "shared"

INSTALLED_BY = {
    "checkconfig": "make tools",
    "clonerefs": "make tools",
    "crane": "make tools",
    "helm3": "make tools",
    "helm4": "make tools",
    "entrypoint": "make tools",
    "kube-apiserver": "make tools",
    "prow-controller-manager": "make tools",
    "etcd": "apt-get install etcd-server",
    "chromium": "apt-get install chromium",
    "chromedriver": "apt-get install chromium-driver",
    "debootstrap": "apt-get install debootstrap",
    "openssl": "apt-get install openssl",
    "docker-registry": "apt-get install docker-registry",
    "crier": "make tools",
    "deck": "make tools",
    "hook": "make tools",
    "moto_server": "make tools",
    "sidecar": "make tools",
    "go": "https://go.dev/dl",
    "node": "apt-get install nodejs npm",
    "git": "apt-get install git",
}


def find_tool(name: str) -> Path | None:
    """Return the program: the one built from hack/tools, else the one on PATH."""
    built = BUILT / name
    if built.exists():
        return built
    found = shutil.which(name)
    return Path(found) if found else None


def require_tool(name: str) -> Path:
    """Return the program, skip without it, or fail without it in CI."""
    found = find_tool(name)
    if found is not None:
        return found
    missing = f"{name} is not here ({INSTALLED_BY.get(name, 'not installable by this project')})"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def require_deck_pages() -> Path:
    """Return the folder of what Deck shows in a browser, skip without it, or fail without it in CI."""
    if (DECK_PAGES / "made-from").exists():
        return DECK_PAGES
    missing = "Deck's pages are not here (make tools, with npm on PATH)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def require_faketime() -> Path:
    """Return the library that gives a program another clock, skip without it, or fail without it in CI."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if found:
        return found[0]
    missing = "libfaketime is not here (apt-get install libfaketime)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def require_bundle(name: str) -> Path:
    """Return the git bundle of a real controller repository, or skip: it is not part of this project.

    It is looked for in the folder that CONTROLLER_BUNDLES names, else in ``../shared/controllers``.
    """
    folder = Path(os.environ.get("CONTROLLER_BUNDLES") or SHARED / "controllers")
    bundle = folder / f"{name}.bundle"
    if not bundle.exists():
        pytest.skip(f"there is no {bundle}: CONTROLLER_BUNDLES names the folder of such bundles")
    return bundle
