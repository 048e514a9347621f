"""A pod's volumes as folders of this machine, below one folder that goes when the pod ends.

Modes, ownership and links are those of a kubelet: a volume is open to everybody, and with an fsGroup every
volume of the pod's own belongs to that group, which may write it, and what is made in it belongs to that group too. The
files of a secret or config map are links into a folder that a link names, so that all of them can be replaced at once
(kubelet, pkg/volume/util/atomic_writer.go); here they never are.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.node.plan import Keys
    from testbed.node.pod import ConfigMapSource, HostPath, Pod, SecretSource, Volume

OPEN_TO_ALL = 0o777
STICKY = 0o1777
"""The mode of a file system in memory, which a kubelet makes for a secret."""
FOLDER = 0o755
GROUP_READS, GROUP_READS_AND_WRITES, ENTERED = 0o440, 0o660, 0o110
"""What an fsGroup adds to modes: of files that are only read, of others, and to those of folders."""


DATA, VERSION = "..data", "..%Y_%m_%d_%H_%M_%S."
"""The link to the folder with what is in a secret or config map now, and how that folder's name begins."""


class NotMounted(Exception):
    """A volume cannot be made yet: something that it names is not there. The message says what."""

    def __init__(self, volume: str, why: str) -> None:
        super().__init__(why)
        self.volume = volume


def make_volumes(folder: Path, pod: Pod, *, secrets: Keys, config_maps: Keys) -> Mapping[str, Path]:
    """Make the volumes that a pod mounts and return where each lies; those that are there already stay as they are.

    Raises:
        NotMounted: a secret, a config map, one of their keys or a path of this machine is not there.
    """
    made = {}
    for volume in pod.mounted:
        try:
            made[volume.name] = _make(folder / volume.name, volume, pod, secrets=secrets, config_maps=config_maps)
        except _NotThere as error:
            raise NotMounted(volume.name, str(error)) from error
    return made


def make_message_file(folder: Path, container: str) -> Path:
    """Make the file that a container may write its termination message to."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / container
    if not file.exists():
        file.touch()
        file.chmod(0o666)
    return file


def make_part(volume: Path, part: Path) -> None:
    """Make a folder of a volume that a container mounts alone, and those above it; a file that is there already stays.

    Each has the volume's own mode (kubelet, makeMounts in pkg/kubelet/kubelet_pods.go).
    """
    missing = [one for one in (part, *part.parents) if one.is_relative_to(volume) and not one.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(stat.S_IMODE(volume.stat().st_mode))


def used(folder: Path) -> int:
    """The size of all files below a folder, in bytes; one that goes meanwhile does not count."""
    size = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                size += os.lstat(os.path.join(parent, name)).st_blocks * 512  # noqa: PTH118  # many files: no Path each
            except FileNotFoundError:
                continue
    return size


def remove_volumes(folder: Path) -> None:
    """Remove a pod's volumes, whatever their modes."""
    shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, volume: Volume, pod: Pod, *, secrets: Keys, config_maps: Keys) -> Path:
    if volume.host_path is not None:
        return _host_path(volume.host_path)
    if folder.exists():
        return folder
    partial = folder.with_name(f".{folder.name}.new")
    remove_volumes(partial)
    partial.mkdir(parents=True)
    partial.chmod(STICKY if _in_memory(volume) else OPEN_TO_ALL)
    if volume.secret is not None:
        _write(partial, SECRET, volume.secret.secret_name, volume.secret, secrets)
    if volume.config_map is not None:
        _write(partial, CONFIG_MAP, volume.config_map.name, volume.config_map, config_maps)
    if pod.spec.security_context.fs_group is not None:
        added = GROUP_READS_AND_WRITES if volume.empty_dir is not None else GROUP_READS
        _give(partial, pod.spec.security_context.fs_group, added)
    partial.rename(folder)
    return folder


def _in_memory(volume: Volume) -> bool:
    return volume.secret is not None or (volume.empty_dir is not None and volume.empty_dir.medium == "Memory")


class _NotThere(Exception):
    """What a volume needs is not there."""


@dataclass(frozen=True)
class _Kind:
    name: str
    without_key: str


SECRET = _Kind("secret", "references non-existent secret key: {}")
CONFIG_MAP = _Kind("configmap", "configmap references non-existent config key: {}")


def _write(folder: Path, kind: _Kind, name: str, source: SecretSource | ConfigMapSource, keys: Keys) -> None:
    found = keys(name)
    if found is None and not source.optional:
        raise _NotThere(f'{kind.name} "{name}" not found')
    version = Path(tempfile.mkdtemp(prefix=time.strftime(VERSION, time.gmtime()), dir=folder))
    version.chmod(FOLDER)
    for path, (content, mode) in _files(kind, source, found or {}).items():
        file = version / path
        if not file.resolve().is_relative_to(version.resolve()):
            raise _NotThere(f"{kind.name} {name}: path {path!r} leaves the volume")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
    (folder / DATA).symlink_to(version.name)
    for entry in version.iterdir():
        (folder / entry.name).symlink_to(Path(DATA, entry.name))


def _files(
    kind: _Kind, source: SecretSource | ConfigMapSource, found: Mapping[str, bytes]
) -> Mapping[str, tuple[bytes, int]]:
    if not source.items:
        return {key: (content, source.default_mode) for key, content in found.items()}
    missing = [item.key for item in source.items if item.key not in found]
    if missing and not source.optional:
        raise _NotThere(kind.without_key.format(missing[0]))
    return {
        item.path: (found[item.key], source.default_mode if item.mode is None else item.mode)
        for item in source.items
        if item.key in found
    }


def _give(folder: Path, group: int, added: int) -> None:
    for parent, folders, files in os.walk(folder):
        os.chown(parent, -1, group)
        Path(parent).chmod(Path(parent).stat().st_mode | stat.S_ISGID | added | ENTERED)
        for file in (Path(parent, name) for name in (*folders, *files)):
            os.chown(file, -1, group, follow_symlinks=False)
            if file.is_file() and not file.is_symlink():
                file.chmod(file.stat().st_mode | added)


def _host_path(asked: HostPath) -> Path:
    path = Path(asked.path)
    match asked.type:
        case "DirectoryOrCreate":
            path.mkdir(mode=FOLDER, parents=True, exist_ok=True)
        case "FileOrCreate":
            path.touch(exist_ok=True)
        case "" if not path.exists():
            # A kubelet does not look, and its runtime makes a folder.
            path.mkdir(mode=FOLDER, parents=True)
        case _:
            pass
    right = {
        "": (True, ""),
        "Directory": (path.is_dir(), "directory"),
        "DirectoryOrCreate": (path.is_dir(), "directory"),
        "File": (path.is_file(), "file"),
        "FileOrCreate": (path.is_file(), "file"),
        "Socket": (path.is_socket(), "socket file"),
    }
    holds, kind = right[asked.type]
    if not holds:
        raise _NotThere(f"hostPath type check failed: {path} is not a {kind}")
    return path
