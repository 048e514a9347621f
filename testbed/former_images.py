"""Images as the job before this program published them: no annotations, a program at ``/bin/controller``, its flaws."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.builders.elf import MACHINES
from testbed.base_images import BOTH, DOCKER, Form, assemble, write_blob
from testbed.executables import program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runner.oci.artifact import Artifact
    from runner.oci.manifest import Platform


@dataclass(frozen=True)
class Entry:
    """A member of a layer: a file with this content or, with ``target``, a link to it (``kind`` says of which kind)."""

    path: str
    content: bytes = b""
    target: str = ""
    kind: bytes = tarfile.SYMTYPE


def controller(architecture: str) -> bytes:
    """A program that is as small as it can be."""
    return program(MACHINES[architecture])


def layer_of(entries: Iterable[Entry], *, compressed: bool = True) -> bytes:
    """A layer with these members, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            if entry.target:
                member.type, member.linkname = entry.kind, entry.target
            else:
                member.size = len(entry.content)
            archive.addfile(member, io.BytesIO(entry.content))
    return gzip.compress(buffer.getvalue(), mtime=0) if compressed else buffer.getvalue()


def former_image(
    folder: Path,
    platforms: Iterable[Platform] = BOTH,
    *,
    programs: Mapping[Platform, bytes] | None = None,
    stated: Mapping[Platform, Platform] | None = None,
    labels: Mapping[str, str] | None = None,
    entrypoint: Any = ("/bin/controller",),  # noqa: ANN401 - whatever a config may hold
    single: bool = False,
    form: Form = DOCKER,
) -> Artifact:
    """An image without annotations.

    Args:
        folder: where its blobs are written.
        platforms: what the index lists.
        programs: what ``/bin/controller`` holds for a platform in place of a program for it.
        stated: what configs say in place of the platform that the index has.
        labels: those of every config.
        entrypoint: that of every config.
        single: leave the index out; the first platform's manifest is the image.
        form: Docker's media types or OCI's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    for platform in platforms:
        content = (programs or {}).get(platform, controller(platform.architecture))
        body = layer_of([Entry("bin/LICENSE", b"licence"), Entry("bin/controller", content)])
        said = (stated or {}).get(platform, platform)
        config = {
            **said.document(),
            "config": {"Entrypoint": entrypoint, "User": "1000", "Labels": dict(labels or {})},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        images.append((platform, config, write_blob(folder, form.layer, body)))
    return assemble(folder, images, form=form, single=single)
