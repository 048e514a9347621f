"""Real controller repositories, as git bundles that are no part of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.origin import Origin, unpack_bundle
from tests.support.tools import require_bundle

if TYPE_CHECKING:
    from pathlib import Path


def open_bundle(service: str, folder: Path) -> Origin:
    """Unpack the bundle of a real controller's repository, or skip the test; any of its commits may be asked for."""
    name = f"{service}-controller"
    return unpack_bundle(require_bundle(name), folder, name)
