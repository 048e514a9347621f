"""Where a run works: its folder, and the environment of its children."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import UsageInvalid
from runner.runtime.storage import storage_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


DEFAULT_TEMPORARY_FOLDER = "/tmp"  # noqa: S108 - where POSIX has it; what is made in it is of mode 700

NETWORK = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOSUMDB", "GOCACHEPROG"),
)
"""What only go needs, which fetches modules; there may be a user and a password in addresses."""

PASSED = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GOCACHE",
    "GOMODCACHE",
    *NETWORK,
)
"""What children are given of the runner's own environment; nothing else passes."""

FIXED = {
    "TZ": "UTC",
    "CGO_ENABLED": "0",
    "GOENV": "off",
    "GOFLAGS": "",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}

FOLDERS = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "GOTMPDIR": "tmp",
    "GOPATH": "go",
    "GOCACHE": "go-build",
    "GOMODCACHE": "go-mod",
    "XDG_CACHE_HOME": "home/cache",
    "XDG_CONFIG_HOME": "home/config",
    "XDG_DATA_HOME": "home/data",
    "XDG_STATE_HOME": "home/state",
    "XDG_RUNTIME_DIR": "home/run",
    "DOCKER_CONFIG": "home/docker",
    "HELM_CACHE_HOME": "home/helm/cache",
    "HELM_CONFIG_HOME": "home/helm/config",
    "HELM_DATA_HOME": "home/helm/data",
    "HELM_PLUGINS": "home/helm/plugins",
    "HELM_REGISTRY_CONFIG": "home/helm/registry.json",
    "HELM_REPOSITORY_CACHE": "home/helm/repository",
    "HELM_REPOSITORY_CONFIG": "home/helm/repositories.yaml",
    "GIT_GRAFT_FILE": "home/no-grafts",
}
"""Where children read and write, below the work folder; GOCACHE and GOMODCACHE only where they are not given."""


def child_environment(
    inherited: Mapping[str, str], work_folder: Path, safe_directories: Iterable[Path] = ()
) -> dict[str, str]:
    """Return the environment of every child. No folder is made; ``open_workspace`` has made those that must exist.

    Only what PASSED names is taken from the runner's own environment, so no secret and no setting of the user reaches
    a child; the rest is written, below the work folder.

    Args:
        inherited: the runner's own environment.
        work_folder: where children may write.
        safe_directories: trees that git may read although another user owns them.
    """
    written = {key: str(work_folder / below) for key, below in FOLDERS.items()}
    git = [
        ("core.hooksPath", os.devnull),
        ("core.fsmonitor", "false"),
        *(("safe.directory", str(folder.resolve())) for folder in safe_directories),
    ]
    return {
        **written,
        **{key: inherited[key] for key in PASSED if inherited.get(key)},
        **FIXED,
        "GIT_CONFIG_COUNT": str(len(git)),
        **{f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(git)},
        **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(git)},
    }


def offline(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child that asks nobody: git, whose clone is complete, and helm, which sees no cluster."""
    return {key: value for key, value in environment.items() if key not in NETWORK}


@contextmanager
def open_workspace(inherited: Mapping[str, str]) -> Iterator[Path]:
    """Make a folder for one run below ``$TMPDIR`` or ``/tmp``, and remove it at the end, read-only folders included.

    In it are the folders that children expect to be there, whatever they do.

    Raises:
        StorageUnusable: that place is full, read-only, or not this user's to write.
        UsageInvalid: nothing can be made there for another reason.
    """
    above = Path(inherited.get("TMPDIR") or DEFAULT_TEMPORARY_FOLDER).resolve()
    try:
        folder = Path(tempfile.mkdtemp(prefix="ack-release-", dir=above))
    except OSError as error:
        raise storage_error(error, above) or UsageInvalid(
            f"no temporary folder can be made in {above}: {error.strerror}",
            remedy="Set TMPDIR to a folder that the runner's user can write.",
        ) from error
    try:
        for key in ("HOME", "TMPDIR"):
            (folder / FOLDERS[key]).mkdir(parents=True)
        yield folder
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder in which there may be folders that nobody may write, such as Go's module cache."""
    for above, names, _ in os.walk(folder):
        for below in (Path(above, name) for name in names):
            # A path may also be longer than the system takes; the removal goes from folder to folder and needs none.
            with contextlib.suppress(OSError):
                if not below.is_symlink():
                    below.chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
