"""A pod's volumes as folders of this machine, below one folder that goes when the pod ends.

Modes and ownership are those of a kubelet: an emptyDir is open to everybody, and with an fsGroup every volume of the
pod's own belongs to that group, which may write it, and what is made in it belongs to that group too.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.node.plan import NotConfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.node.plan import Keys
    from testbed.node.pod import ConfigMapSource, HostPath, Pod, SecretSource, Volume

OPEN_TO_ALL = 0o777
FOLDER = 0o755
GROUP_READS, GROUP_READS_AND_WRITES, ENTERED = 0o440, 0o660, 0o110
"""What an fsGroup adds to modes: of files that are only read, of others, and to those of folders."""


def make_volumes(folder: Path, pod: Pod, *, secrets: Keys, config_maps: Keys) -> Mapping[str, Path]:
    """Make a pod's volumes and return where each lies; those that are there already stay as they are.

    Raises:
        NotConfigured: a secret, a config map, one of their keys or a path of this machine is not there.
    """
    return {
        volume.name: _make(folder / volume.name, volume, pod, secrets=secrets, config_maps=config_maps)
        for volume in pod.spec.volumes
    }


def make_message_file(folder: Path, container: str) -> Path:
    """Make the file that a container may write its termination message to."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / container
    if not file.exists():
        file.touch()
        file.chmod(0o666)
    return file


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
    partial.chmod(OPEN_TO_ALL if volume.empty_dir is not None else FOLDER)
    if volume.secret is not None:
        _write(partial, "secret", volume.secret.secret_name, volume.secret, secrets)
    if volume.config_map is not None:
        _write(partial, "configmap", volume.config_map.name, volume.config_map, config_maps)
    if pod.spec.security_context.fs_group is not None:
        added = GROUP_READS_AND_WRITES if volume.empty_dir is not None else GROUP_READS
        _give(partial, pod.spec.security_context.fs_group, added)
    partial.rename(folder)
    return folder


def _write(folder: Path, kind: str, name: str, source: SecretSource | ConfigMapSource, keys: Keys) -> None:
    found = keys(name)
    if found is None:
        if source.optional:
            return
        raise NotConfigured(f'{kind} "{name}" not found')
    chosen = [(item.key, item.path, item.mode) for item in source.items] or [(key, key, None) for key in found]
    for key, path, mode in chosen:
        if key not in found:
            if source.optional:
                continue
            raise NotConfigured(f"{kind} {name} has no key {key!r}")
        file = folder / path
        if not file.resolve().is_relative_to(folder.resolve()):
            raise NotConfigured(f"{kind} {name}: path {path!r} leaves the volume")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(found[key])
        file.chmod(source.default_mode if mode is None else mode)


def _give(folder: Path, group: int, added: int) -> None:
    for parent, _, files in os.walk(folder):
        os.chown(parent, -1, group)
        Path(parent).chmod(Path(parent).stat().st_mode | stat.S_ISGID | added | ENTERED)
        for file in (Path(parent, name) for name in files):
            os.chown(file, -1, group)
            file.chmod(file.stat().st_mode | added)


def _host_path(asked: HostPath) -> Path:
    path = Path(asked.path)
    match asked.type:
        case "DirectoryOrCreate":
            path.mkdir(mode=FOLDER, parents=True, exist_ok=True)
        case "FileOrCreate":
            path.touch(exist_ok=True)
        case _:
            pass
    right = {
        "": path.exists(),
        "Directory": path.is_dir(),
        "DirectoryOrCreate": path.is_dir(),
        "File": path.is_file(),
        "FileOrCreate": path.is_file(),
        "Socket": path.is_socket(),
    }
    if not right[asked.type]:
        raise NotConfigured(f"hostPath type check failed: {path} is not a {asked.type or 'path of this machine'}")
    return path
