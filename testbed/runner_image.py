"""The build of the runner's own image.

All that the image holds beside its base is made here, pinned by uv.lock and hack/tools: the locked packages as wheels,
the program's own wheel, helm, and the Go toolchain of this machine. ``images/runner/Dockerfile`` puts it together.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner import __version__
from runner.config.load import load_config
from runner.config.settings import BAKED_CONFIG
from runner.errors import ReleaseError
from testbed.paths import BUILT, ROOT, TOOLS
from testbed.processes import ProgramFailed, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOCKERFILE = ROOT / "images" / "runner" / "Dockerfile"
DEFAULT_TAG = f"ack-release:{__version__}"
HELM = "helm4"

NOT_FOR_COMPILING = re.compile(
    r"(api|doc|misc|test|pkg/obj|src/cmd|codereview\.cfg)|.*/testdata|.*_test\.go|src/.*\.(bash|bat|rc)|(.*/)?README(\.md)?"
)
"""What of a Go toolchain compiling a controller never reads, by path below GOROOT."""


class ImageFailed(Exception):
    """The image cannot be built; the message says why, and what to do."""


@dataclass(frozen=True)
class Built:
    """An image that was built. ``size`` is that of its layers, unpacked, in bytes."""

    tag: str
    id: str
    size: int


def build_image(
    tag: str,
    *,
    base: str | None = None,
    jobs: Path = ROOT / "config" / "jobs.yaml",
    environment: Mapping[str, str] | None = None,
    cache: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Built:
    """Build the image with whatever Docker daemon the environment names.

    Args:
        tag: the image's name.
        base: what it is built on; the Dockerfile's default when left out.
        jobs: the jobs.yaml that goes into it.
        environment: that of docker's client; this process's own when left out.
        cache: whether layers of an earlier build may be taken.
        tell: called with what happens, a line each.

    Raises:
        ImageFailed: there is no daemon, or jobs.yaml or the toolchain cannot be used.
        ProgramFailed: one of the programs failed.
    """
    client = dict(os.environ if environment is None else environment)
    try:
        load_config(jobs)
    except ReleaseError as error:
        raise ImageFailed(f"{error.cause}. {error.remedy}") from error
    _check_daemon(client)
    base = base or default_base()
    tell(f"base {base}")
    python = read(
        [
            *("docker", "run", "--rm", "--network", "none", "--entrypoint", "python3", base),
            *("-c", "import sys; print('.'.join(map(str, sys.version_info[:2])))"),
        ],
        env=client,
    )
    with tempfile.TemporaryDirectory(prefix="ack-release-image-") as folder:
        context = Path(folder)
        make_context(context, python=python, jobs=jobs, tell=tell)
        tell("docker build")
        arguments: list[str | Path] = [
            "--network",
            "host",
            "--file",
            DOCKERFILE,
            "--tag",
            tag,
            "--build-arg",
            f"BASE={base}",
            *([] if cache else ["--no-cache"]),
        ]
        for key, value in _labels().items():
            arguments += ["--label", f"{key}={value}"]
        read(["docker", "build", *arguments, context], env=client)
    [found] = json.loads(read(["docker", "image", "inspect", tag], env=client))
    return Built(tag, found["Id"], found["Size"])


def default_base() -> str:
    """What the Dockerfile is built on unless another base is given."""
    [base] = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(base)


def make_context(folder: Path, *, python: str, jobs: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Fill the folder that the Dockerfile copies from.

    Args:
        folder: an empty one.
        python: the base's Python, as 3.13.
        jobs: the jobs.yaml that goes into the image.
        tell: called with what happens, a line each.

    Raises:
        ImageFailed: the Go toolchain cannot be used.
        ProgramFailed: uv, pip, go or git failed.
    """
    uv = _uv()
    environment = {**os.environ, "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "true")}
    environment.pop("VIRTUAL_ENV", None)
    tell(f"wheels of uv.lock for Python {python}")
    requirements = folder / "requirements.txt"
    export: list[str | Path] = [
        uv,
        "export",
        "--frozen",
        "--quiet",
        "--no-dev",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
    ]
    requirements.write_text(read([*export, "--format", "requirements.txt"], env=environment, cwd=ROOT) + "\n")
    download: list[str | Path] = [
        uv.with_name("python"),
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    choice: list[str | Path] = [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--python-version",
        python,
        "--implementation",
        "cp",
    ]
    platforms: list[str | Path] = [item for platform in _wheel_platforms() for item in ("--platform", platform)]
    target: list[str | Path] = ["--requirement", requirements, "--dest", folder / "wheels"]
    read([*download, *choice, *platforms, *target], env=environment)
    tell(f"the program, {__version__}")
    read([uv, "build", "--quiet", "--wheel", "--out-dir", folder / "wheels", ROOT], env=environment)
    (folder / "wheels" / ".gitignore").unlink(missing_ok=True)
    shutil.copy(uv, folder / "uv")
    go_root, version = _go()
    tell(f"Go, {version}")
    copy_go(go_root, folder / "toolchain" / "usr" / "local" / "go")
    tell("helm")
    read([ROOT / "hack" / "build-tool", HELM], env=environment)
    programs = folder / "tools" / "usr" / "local" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(BUILT / HELM, programs / "helm")
    (programs / "ack-release").symlink_to("/opt/ack-release/bin/ack-release")
    baked = folder / "jobs" / BAKED_CONFIG.relative_to("/")
    baked.parent.mkdir(parents=True)
    copy_configuration(jobs, baked)
    settle(folder)


def copy_configuration(jobs: Path, baked: Path) -> None:
    """Copy a jobs.yaml, and the catalog that it names to the same place beside it.

    Raises:
        ImageFailed: the catalog is not in the same folder or below.
    """
    shutil.copyfile(jobs, baked)
    catalog = load_config(jobs).aws.catalog
    if catalog is None:
        return
    if Path(catalog).is_absolute() or ".." in Path(catalog).parts:
        raise ImageFailed(
            f"{jobs}: aws.catalog is {catalog}; only a file in the folder of jobs.yaml can be in the image"
        )
    (baked.parent / catalog).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(jobs.parent / catalog, baked.parent / catalog)


def settle(folder: Path) -> None:
    """Remove what depends on this machine and moment from everything in a folder: dates, permissions but executable."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (0, 0), follow_symlinks=False)


def copy_go(source: Path, destination: Path) -> None:
    """Copy what of a Go toolchain compiling reads, without what only its developers need."""

    def ignore(folder: str, names: list[str]) -> set[str]:
        below = Path(folder).relative_to(source)
        return {name for name in names if NOT_FOR_COMPILING.fullmatch(str(below / name))}

    shutil.copytree(source, destination, ignore=ignore)


def _uv() -> Path:
    found = sorted(TOOLS.glob("uv-*/bin/uv"))
    if not found:
        raise ImageFailed("uv is not here: run make setup first")
    return found[-1]


def _go() -> tuple[Path, str]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    root, version = read(["go", "env", "GOROOT", "GOVERSION"], env=environment).splitlines()
    return Path(root), version


def _wheel_platforms() -> tuple[str, ...]:
    # Debian and its derivatives have glibc; pip takes the newest that fits (PEP 600).
    machine = os.uname().machine
    return tuple(f"manylinux{version}_{machine}" for version in ("_2_28", "_2_17", "2014"))


def _labels() -> Mapping[str, str]:
    labels = {"org.opencontainers.image.title": "ack-release", "org.opencontainers.image.version": __version__}
    try:
        # An image of a changed work tree is of no commit.
        changed = read(["git", "status", "--porcelain"], env=os.environ, cwd=ROOT)
        commit = read(["git", "rev-parse", "HEAD"], env=os.environ, cwd=ROOT)
    except (ProgramFailed, OSError):
        return labels
    return labels if changed else {**labels, "org.opencontainers.image.revision": commit}


def _check_daemon(environment: Mapping[str, str]) -> None:
    ask = ["docker", "version", "--format", "{{.Server.Arch}}"]
    try:
        architecture = read(ask, env=environment)
    except FileNotFoundError as error:
        raise ImageFailed("docker is not on PATH. On Debian: apt-get install docker.io") from error
    except ProgramFailed as error:
        raise ImageFailed(
            "no Docker daemon answers. Start one, or name one in DOCKER_HOST;"
            f" docker says: {str(error).splitlines()[-1].strip()}"
        ) from error
    own = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    if architecture != own:
        raise ImageFailed(f"the Docker daemon builds for {architecture}, and helm and Go are here for {own}")
