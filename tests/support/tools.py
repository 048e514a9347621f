"""What a test needs of this machine: found, or the test is skipped with a reason; in CI a missing one is a failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from testbed.paths import DECK_PAGES, ROOT
from testbed.programs import ProgramMissing, find_program

SHARED = ROOT.parent / "shared"


def require_tool(name: str) -> Path:
    """Return the program: the one built from hack/tools, else the one on PATH."""
    try:
        return find_program(name)
    except ProgramMissing as error:
        missing(str(error))


def require_deck_pages() -> Path:
    """Return the folder of what Deck shows in a browser."""
    if not (DECK_PAGES / "made-from").exists():
        missing("Deck's pages are not here: make tools, with npm on PATH")
    return DECK_PAGES


def require_faketime() -> Path:
    """Return the library that gives a program another clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        missing("libfaketime is not here: apt-get install libfaketime")
    return found[0]


def require_bundle(name: str) -> Path:
    """Return the git bundle of a real controller repository, or skip: it is not part of this project.

    It is looked for in the folder that CONTROLLER_BUNDLES names, else in ``../shared/controllers``.
    """
    folder = Path(os.environ.get("CONTROLLER_BUNDLES") or SHARED / "controllers")
    bundle = folder / f"{name}.bundle"
    if not bundle.exists():
        pytest.skip(f"there is no {bundle}: CONTROLLER_BUNDLES names the folder of such bundles")
    return bundle


def missing(what: str) -> NoReturn:
    """Skip the test for this reason, or fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
