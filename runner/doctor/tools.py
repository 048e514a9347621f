"""The programs that a release calls: there or not, and which version."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runner.doctor.finding import Finding, failure
from runner.errors import ReleaseError, ToolUnusable
from runner.runtime.workspace import child_environment
from runner.session import open_builder, open_helm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config.load import BuildConfig
    from runner.session import Session

SECONDS: Final = 30.0
ENGINES: Final[Mapping[str, str]] = {"docker": "/var/run/docker.sock"}
"""Engines that a person here may use, by the socket on which each listens; a release needs none of them."""


def tools(session: Session, build: BuildConfig, builder: str) -> tuple[Finding, ...]:
    """Ask each program for its version.

    Args:
        session: what they are started in.
        build: what jobs.yaml says of programs.
        builder: the builder's name.
    """
    environment = child_environment(session.environment, session.folder)
    helm = open_helm(session, build.helm, environment)
    made = open_builder(session, builder, build.programs, environment)
    return (
        version_of("git", environment, lambda: _git_version(session, environment)),
        version_of(build.helm, environment, helm.version),
        version_of(getattr(build, builder, builder), environment, made.check),
        Finding("builder", "good", builder),
        *(engine(name, session.environment) for name in ENGINES),
    )


def version_of(program: str, environment: Mapping[str, str], ask: Callable[[], str]) -> Finding:
    """What a program says of itself, and where it is."""
    name = Path(program).name
    try:
        version = ask()
    except ReleaseError as error:
        return failure(name, error)
    return Finding(name, "good", f"{version} at {shutil.which(program, path=environment.get('PATH')) or program}")


def engine(name: str, environment: Mapping[str, str]) -> Finding:
    """Whether an engine listens on its socket; a release does without, so this is never more than a note."""
    given = environment.get("DOCKER_HOST", "")
    if given and not given.startswith(("unix://", "/")):
        return Finding(name, "note", f"{given} is not looked at: Go builds without an engine")
    socket = Path(given.removeprefix("unix://") or ENGINES[name])
    with suppress(OSError):
        is_there = socket.is_socket()
        if not is_there:
            return Finding(name, "note", f"{socket} cannot be looked at; no engine is needed")
        return Finding(name, "note", f"{socket}; not used: Go builds without an engine")
    return Finding(name, "note", "no engine here; none is needed")


def _git_version(session: Session, environment: Mapping[str, str]) -> str:
    try:
        finished = session.run(("git", "--version"), env=environment, cwd=Path("/"), seconds=SECONDS)
    except OSError as error:
        raise ToolUnusable(
            f"git cannot be started: {error.strerror}", remedy="Put git on the PATH of the runner."
        ) from error
    # "git version 2.47.3", and on some systems more behind it.
    match finished.stdout.split():
        case ["git", "version", version, *_] if finished.ok:
            return version
    raise ToolUnusable("git prints no version", detail=finished.tail())
