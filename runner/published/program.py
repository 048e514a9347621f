"""The program in an image that is published: read from its layers, within limits, without keeping anything of them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.builders.elf import Elf
from runner.builders.image import PROGRAM
from runner.published.layer import Allowance, File, Gone, Link, find_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.oci.manifest import Descriptor, Platform
    from runner.oci.name import Repository
    from runner.oci.registry import Registry

STORED_LIMIT = 1024**3
"""Bytes of layers that are read at most of one image, as they are stored; a controller's are some 50 MB."""

UNPACKED_LIMIT = 4 * 1024**3
"""The same after decompression."""

LINKS_FOLLOWED = 4


@dataclass(frozen=True)
class Program:
    """A program in an image.

    Attributes:
        path: from the image's root, without a leading slash.
        architecture: what it runs on, in Go's words.
        is_static: whether it runs without a loader of the system; None where what was read of it does not say.
    """

    path: str
    architecture: str
    is_static: bool | None


class ProgramReader:
    """Reads the programs of one image, within limits that hold for all of its platforms together.

    Args:
        repository: where the image is.
        registry: where it is read.
    """

    def __init__(self, repository: Repository, registry: Registry) -> None:
        self._repository = repository
        self._registry = registry
        self._stored = STORED_LIMIT
        self._unpacked = Allowance(UNPACKED_LIMIT)

    def read(self, platform: Platform, config: Mapping[str, Any], layers: Sequence[Descriptor]) -> Program:
        """Read the program that an image of a platform starts.

        Args:
            platform: which one, for messages.
            config: its config.
            layers: its layers, lowest first.

        Raises:
            ValueError: there is none, it is no program, or the layers cannot be read.
            RegistryFailed, RegistryAnswerWrong, CredentialsRefused, RunEnded: as the registry's client.
        """
        programs = dict.fromkeys((PROGRAM, *_entrypoint(config)))
        try:
            heads = ((path, _start_of(path, layers, self._look)) for path in programs)
            found = next(((path, head) for path, head in heads if head is not None), None)
        except ValueError as error:
            raise ValueError(f"its layers for {platform} cannot be read: {error}") from error
        if found is None:
            raise ValueError(f"it has no {' and no '.join(f'/{path}' for path in programs)} for {platform}")
        try:
            elf = Elf(found[1])
        except ValueError as error:
            raise ValueError(f"its program for {platform} is none: {error}") from error
        return Program(found[0], elf.architecture, _is_static(elf))

    def _look(self, layer: Descriptor, paths: frozenset[str]) -> File | Link | Gone | None:
        self._stored -= layer.size
        if self._stored < 0:
            raise ValueError("its layers are larger than what is read of an image")
        return self._registry.scan_blob(
            self._repository, layer, lambda pieces: find_file(pieces, paths, self._unpacked)
        )


def _is_static(elf: Elf) -> bool | None:
    try:
        return elf.is_static
    except ValueError:
        return None


def _start_of(
    path: str,
    layers: Sequence[Descriptor],
    look: Callable[[Descriptor, frozenset[str]], File | Link | Gone | None],
) -> bytes | None:
    """The first bytes of a file, as the highest layer that has it does; None where no layer has it, or it is hidden."""
    wanted, left, links = _places(path), list(layers), 0
    while left and wanted:
        found = look(left.pop(), wanted)
        if isinstance(found, File):
            return found.head
        if isinstance(found, Gone):
            wanted -= found.paths
        elif found is not None:
            links += 1
            if links > LINKS_FOLLOWED:
                return None
            wanted, left = _places(found.target), list(layers)
    return None


def _entrypoint(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The path of what an image starts, from its root, where its config has one."""
    settings = config.get("config")
    entrypoint = settings.get("Entrypoint") if isinstance(settings, dict) else None
    first = entrypoint[0] if isinstance(entrypoint, list) and entrypoint else None
    return (posixpath.normpath(first).lstrip("/"),) if isinstance(first, str) and first.startswith("/") else ()


def _places(path: str) -> frozenset[str]:
    """Where a layer may have a path: in many base images ``/bin`` is a link to ``/usr/bin``."""
    return frozenset({path, f"usr/{path}"})
