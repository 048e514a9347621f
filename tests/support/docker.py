"""Docker for tests: a daemon of their own, or the test is skipped with a reason; in CI a missing one is a failure."""

from __future__ import annotations

from testbed.docker_daemon import DaemonUnusable, check_usable
from tests.support.tools import missing

DEBIAN_BASE = "debian-base:test"


def require_docker() -> None:
    """Skip where no Docker daemon can be started, or fail in CI."""
    try:
        check_usable()
    except DaemonUnusable as error:
        missing(str(error))
