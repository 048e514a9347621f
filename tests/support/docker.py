"""Docker for tests: a daemon of their own, or the test is skipped with a reason; in CI a missing one is a failure."""

from __future__ import annotations

import os

import pytest

from hack.docker_daemon import DaemonUnusable, check_usable


def require_docker() -> None:
    """Skip where no Docker daemon can be started, or fail in CI."""
    try:
        check_usable()
    except DaemonUnusable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
