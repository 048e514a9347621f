"""Every image that a local Prow needs, built once and kept in a Docker daemon's data from one start to the next."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.debian_base import kept_base
from testbed.paths import BUILT, ROOT, TOOLS
from testbed.processes import read
from testbed.prow.images import PROGRAMS, build_utility_images
from testbed.runner_image import build_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from testbed.docker_daemon import DockerDaemon

MADE_FROM = ("runner", "images/runner", "testbed/runner_image.py", "hack/tools/helm4", "pyproject.toml", "uv.lock")
"""What the runner's image is made from, beside its base and Go; the jobs.yaml in it is replaced in any case."""


@dataclass(frozen=True)
class KeptImages:
    """The runner's image, and Prow's own by program."""

    runner: str
    utilities: Mapping[str, str]


def kept_images(daemon: DockerDaemon, *, tell: Callable[[str], None] = lambda _: None) -> KeptImages:
    """Build the images that the daemon does not have in the form that this work tree gives, and remove older ones.

    Args:
        daemon: where they are kept.
        tell: called with what is built, a line each.

    Raises:
        ProgramFailed: one of the programs that make them failed.
        ImageFailed: the runner's image cannot be built.
    """
    archive = kept_base(TOOLS)
    base = f"debian-base:{archive.stem.rpartition('-')[2]}"
    there = set(daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()) - {"<none>:<none>"}
    if base not in there:
        tell("image: a Debian to build on")
        daemon.import_image(archive, base)
    runner = f"ack-release:{_fingerprint(_files(ROOT / one for one in MADE_FROM), base, _go_version())}"
    if runner not in there:
        tell("image: the runner's own")
        build_image(runner, base=base, environment=daemon.environment)
    tag = _fingerprint((BUILT / program for program in PROGRAMS), base)
    utilities = {program: f"prow-{program}:{tag}" for program in PROGRAMS}
    if not there.issuperset(utilities.values()):
        tell("images: Prow's utilities")
        build_utility_images(base=base, environment=daemon.environment, tag=tag)
    older = there - {base, runner, *utilities.values()}
    if older:
        daemon.docker("image", "rm", "--force", *sorted(older))
        daemon.docker("image", "prune", "--force")
    return KeptImages(runner, utilities)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
        else:
            yield path


def _fingerprint(files: Iterable[Path], *more: str) -> str:
    whole = hashlib.sha256("\0".join(more).encode())
    for file in files:
        whole.update(f"\0{file.name}\0{file.stat().st_mode}\0".encode())
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:12]


def _go_version() -> str:
    return read(["go", "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"})
