"""Chart archives: read within limits, packed so that equal charts are equal bytes, compared file by file."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import deflate

from runner.chart.yaml_text import YamlInvalid, parse
from runner.errors import ChartUnusable
from runner.foreign.shown import short
from runner.foreign.tar import BLOCK, Reader, members
from runner.oci.manifest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FILE_LIMIT = 5 * 1024 * 1024
MEMBER_LIMIT = 20_000
"""Files and folders of an archive; the chart with the most custom resources has some 150."""

ARCHIVE_LIMIT = 100 * 1024 * 1024
"""Bytes after decompression; Helm loads no larger file or archive (``pkg/chart/loader/archive``)."""

COMPRESSION_LEVEL = 9
MODE = 0o644
_LEADING = ("Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json")
_WRITTEN_BY_HELM = ("Chart.yaml", "Chart.lock")


@dataclass(frozen=True)
class PackagedChart:
    """A chart ready to be published.

    ``archive`` is the .tgz, ``digest`` and ``size`` (bytes) are its own, ``metadata`` is what its Chart.yaml says with
    every scalar as text, ``warnings`` are helm's; ``notes`` need nothing done.
    """

    archive: Path
    digest: str
    size: int
    metadata: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def repack(packaged: Path, destination: Path, warnings: tuple[str, ...] = ()) -> PackagedChart:
    """Write what helm packaged again, so that the bytes depend on the chart's files alone.

    Helm 3 stamps members with the clock, Helm 4 with the files' times; their gzip headers differ, and both write
    sub-charts in random order. Here members stand in helm's order, sub-charts by name, each with mtime 0, mode 0644,
    uid and gid 0 and no owner's name, compressed by the one library that is locked with this program.

    Args:
        packaged: the .tgz that ``helm package`` made.
        destination: the file to write.
        warnings: handed on.

    Raises:
        ChartUnusable: the archive is not one that ``helm package`` makes.
    """
    try:
        files = files_of(packaged.read_bytes())
        metadata = read_metadata(files)
    except ValueError as error:
        raise ChartUnusable(f"the chart archive {packaged.name} cannot be used: {error}") from error
    body = pack(str(metadata["name"]), files)
    destination.write_bytes(body)
    return PackagedChart(destination, digest_of(body), len(body), metadata, warnings)


def pack(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return the archive of these files, by path below the one folder at its top; equal input gives equal bytes."""
    parts: list[bytes] = []
    for path in sorted(files, key=_helms_order):
        body = files[path]
        member = tarfile.TarInfo(f"{folder}/{path}")
        member.size, member.mode, member.mtime = len(body), MODE, 0
        parts += (member.tobuf(tarfile.PAX_FORMAT, "utf-8"), body, bytes(-len(body) % BLOCK))
    parts.append(bytes(2 * BLOCK))
    return bytes(deflate.gzip_compress(b"".join(parts), COMPRESSION_LEVEL))


def files_of(archive: bytes) -> dict[str, bytes]:
    """Return the files in a chart archive, by path below the one folder at its top, in the archive's order.

    Raises:
        ValueError: it is not a gzipped tar; it is cut short; it is larger than Helm would load; it holds anything but
            files and folders; a path is absolute, leads upwards, or occurs twice; it has more than one folder at its
            top.
    """
    files: dict[str, bytes] = {}
    tops: set[str] = set()
    reader = Reader(iter((_decompress(archive),)))
    for number, member in enumerate(members(reader)):
        if number >= MEMBER_LIMIT:
            raise ValueError(f"it has more than {MEMBER_LIMIT} members")
        if member.isdir():
            continue
        top, path = _checked_path(member)
        if path in files:
            raise ValueError(f"{short(member.name)} is in it twice")
        files[path] = reader.take(member.size)
        reader.skip(-member.size % BLOCK)
        tops.add(top)
    if len(tops) != 1:
        raise ValueError(f"it has {len(tops)} folders at its top instead of one")
    return files


def read_metadata(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a chart's metadata as Helm reads it from an archive's files, every scalar as text.

    A chart of apiVersion v1 may have its dependencies in requirements.yaml.

    Raises:
        ValueError: Chart.yaml is missing, is no mapping, has no name or version, or other values than Helm takes.
    """
    metadata = _mapping(files, "Chart.yaml")
    if not all(isinstance(metadata.get(key), str) and metadata[key] for key in ("name", "version")):
        raise ValueError("Chart.yaml has no name or no version")
    if "requirements.yaml" in files:
        metadata["dependencies"] = _mapping(files, "requirements.yaml").get("dependencies")
    for key in metadata:
        if metadata[key] is not None and not _SHAPES.get(key, _is_text)(metadata[key]):
            raise ValueError(f"{short(key)} in Chart.yaml or requirements.yaml is not what Helm takes there")
    return metadata


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_texts_by_name(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, (*value, *value.values())))


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and all(map(_is_text, one)) for one in value)


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    "sources": _is_texts,
    "keywords": _is_texts,
    "annotations": _is_texts_by_name,
    "maintainers": lambda value: isinstance(value, list) and all(map(_is_texts_by_name, value)),
    "dependencies": _is_objects,
}
"""What stands under the keys of Chart.yaml (Helm's ``pkg/chart``, Metadata); under every other one it is a scalar."""


def differences(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the paths at which two charts differ, in order of path.

    Chart.yaml and Chart.lock, which helm writes anew in the manner of its version, are compared by what they say; all
    other files by their bytes.
    """
    return tuple(
        path
        for path in sorted(ours.keys() | theirs.keys())
        if path not in ours or path not in theirs or not _equal(path, ours[path], theirs[path])
    )


def same_files(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> bool:
    """Whether two charts hold the same files, see ``differences``."""
    return not differences(ours, theirs)


def _decompress(archive: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        body = stream.decompress(archive, ARCHIVE_LIMIT + 1)
    except zlib.error as error:
        raise ValueError(f"it is not gzip: {error}") from error
    if len(body) > ARCHIVE_LIMIT:
        raise ValueError(f"it is larger than {ARCHIVE_LIMIT} bytes when decompressed")
    if not stream.eof or stream.unused_data:
        raise ValueError("it is cut short" if not stream.eof else "something follows the gzip stream")
    return body


def _checked_path(member: tarfile.TarInfo) -> tuple[str, str]:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise ValueError(f"{short(member.name)} is neither a file nor a folder")
    if not 0 <= member.size <= FILE_LIMIT:
        raise ValueError(f"{short(member.name)} has {member.size} bytes, more than {FILE_LIMIT} or fewer than none")
    top, slash, path = member.name.partition("/")
    parts = (top, *path.split("/"))
    if not slash or "\\" in member.name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{short(member.name)} is not a path below the chart's folder")
    return top, path


def _helms_order(path: str) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Sub-charts after the chart that holds them; in each, Helm's own files, then templates, then others as walked."""
    charts: list[str] = []
    parts = path.split("/")
    while len(parts) > 2 and parts[0] == "charts":  # noqa: PLR2004  # charts/NAME/FILE
        charts.append(parts[1])
        parts = parts[2:]
    inner = "/".join(parts)
    rank = _LEADING.index(inner) if inner in _LEADING else len(_LEADING) + (parts[0] != "templates" or len(parts) == 1)
    return tuple(charts), rank, tuple(parts)


def _mapping(files: Mapping[str, bytes], path: str) -> dict[str, Any]:
    if path not in files:
        raise ValueError(f"{path} is missing")
    try:
        documents = parse(files[path])
    except YamlInvalid as error:
        raise ValueError(f"{path}: {error}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise ValueError(f"{path} is not one mapping")
    return documents[0]


def _equal(path: str, ours: bytes, theirs: bytes) -> bool:
    if ours == theirs:
        return True
    if path.rpartition("/")[2] not in _WRITTEN_BY_HELM:
        return False
    try:
        return parse(ours) == parse(theirs)
    except YamlInvalid:
        return False
