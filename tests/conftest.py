"""What holds for every test: the same examples in CI on every run, and nothing of the user's environment."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from runner.oci.credentials import Anonymous
from runner.oci.registry import Registry
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.browser import Browser, browser
from testbed.debian_base import kept_base
from testbed.docker_daemon import DockerDaemon, docker_daemon
from testbed.paths import TOOLS
from tests.support.apiserver import apiserver
from tests.support.docker import DEBIAN_BASE, require_docker
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A machine under load must not fail a test: time limits belong to the tests that measure time.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")

LEAKING = (
    *("JOB_", "BUILD_", "PROW_", "REPO_", "PULL_", "SRC_", "ENTRYPOINT_", "ARTIFACTS", "QUIET"),
    *("DOCKER_CONFIG", "DOCKER_REPOSITORY", "AWS_", "CONTROLLER_ECR_REGISTRY", "HELM_", "GIT_", "SOURCE_DATE_EPOCH"),
    *("GOFLAGS", "GOOS", "GOARCH", "GOEXPERIMENT", "GOTOOLCHAIN", "CGO_ENABLED"),
)
"""Beginnings of the names that change what the runner, git, helm or go does: a test that wants one sets it."""


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith(LEAKING)]:
        del os.environ[name]
    os.environ |= {"TZ": "UTC", "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    time.tzset()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "counted":
                terminalreporter.write_line(f"counted: {value}")


@pytest.fixture(scope="session")
def crane() -> Path:
    return require_tool("crane")


@pytest.fixture(scope="session")
def checkconfig() -> Path:
    """Prow's judge of jobs and configuration."""
    return require_tool("checkconfig")


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A client without credentials, which soon gives up."""
    with Transport(Lifetime(), {}, retries=RetryPolicy(attempts=5, first_pause=0.01)) as transport:
        yield Registry(transport, Anonymous())


@pytest.fixture(scope="session")
def helm3() -> Path:
    return require_tool("helm3")


@pytest.fixture(scope="session")
def helm4() -> Path:
    return require_tool("helm4")


@pytest.fixture(scope="session", params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Path:
    """Each helm that the runner supports, one after the other."""
    return require_tool(request.param)


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerDaemon]:
    """A daemon that has the base image, as DEBIAN_BASE."""
    require_docker()
    require_tool("debootstrap")
    archive = kept_base(TOOLS)
    data = tmp_path_factory.mktemp("docker")
    with docker_daemon(data) as daemon:
        daemon.import_image(archive, DEBIAN_BASE)
        yield daemon
    shutil.rmtree(data)


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The administrator's way to an apiserver without nodes."""
    with apiserver(tmp_path_factory.mktemp("apiserver")) as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser for all tests of a worker, one page after the other."""
    require_tool("chromium")
    require_tool("chromedriver")
    with browser() as made:
        yield made
