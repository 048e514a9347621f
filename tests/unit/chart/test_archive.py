from __future__ import annotations

import gzip
import io
import itertools
import json
import random
import tarfile
from typing import TYPE_CHECKING

import deflate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chart.archive import (
    ARCHIVE_LIMIT,
    FILE_LIMIT,
    MEMBER_LIMIT,
    differences,
    files_of,
    pack,
    read_metadata,
    repack,
    same_files,
)
from runner.chart.manifest import chart_config, helm_annotations
from runner.errors import ChartUnusable
from runner.oci.manifest import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHART = b'name: s3-chart\nversion: "1.10"\ndeprecated: true\n'
FILES: Mapping[str, bytes] = {
    "Chart.yaml": CHART,
    "values.yaml": b"image: {}\n",
    "templates/deployment.yaml": b"kind: Deployment\n",
    "README.md": b"",
}

PART = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1)
PATHS = st.lists(PART.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map("/".join)
CHARTS = st.dictionaries(PATHS, st.binary(max_size=2000), min_size=1, max_size=8)


def member(name: str, body: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of an archive, with other fields than a plain file's where given."""
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, body


def tarred(*members: tuple[tarfile.TarInfo, bytes], level: int = 6) -> bytes:
    """An archive of these members in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, body in members:
            tar.addfile(info, io.BytesIO(body))
    return gzip.compress(buffer.getvalue(), level, mtime=0)


def archive(files: Mapping[str, bytes], top: str = "s3-chart", **fields: object) -> bytes:
    """An archive of these files in this order, every member with these fields."""
    return tarred(*(member(f"{top}/{path}", body, **fields) for path, body in files.items()))


def packed_from(body: bytes, folder: Path, name: str = "packed.tgz") -> bytes:
    """What repacking makes of an archive."""
    source = folder / f"source-{name}"
    source.write_bytes(body)
    return repack(source, folder / name).archive.read_bytes()


def test_repacking_says_what_it_made(tmp_path: Path) -> None:
    """Digest and size are the new archive's, the metadata is text, helm's warnings are handed on."""
    source = tmp_path / "helm.tgz"
    source.write_bytes(archive(FILES))
    packaged = repack(source, tmp_path / "chart.tgz", ("version 'v1'",))
    body = packaged.archive.read_bytes()
    assert packaged.archive == tmp_path / "chart.tgz"
    assert (packaged.digest, packaged.size) == (digest_of(body), len(body))
    assert packaged.metadata == {"name": "s3-chart", "version": "1.10", "deprecated": "true"}
    assert packaged.warnings == ("version 'v1'",)
    assert files_of(body) == FILES


def test_only_the_files_decide_the_bytes(tmp_path: Path) -> None:
    """Times, owners, modes, order and compression of what helm packaged leave no trace."""
    first = packed_from(archive(FILES), tmp_path)
    other_order = dict(reversed(list(FILES.items())))
    other = archive(other_order, mtime=1_700_000_000.5, uid=7, gid=8, uname="u", gname="g", mode=0o755)
    assert packed_from(other, tmp_path, "other.tgz") == first


def test_members_have_no_time_and_no_owner() -> None:
    """Every header field is fixed, and the gzip header has no time either."""
    body = pack("s3-chart", FILES)
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for info in tar:
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
            assert (info.mode, info.type, info.pax_headers) == (0o644, tarfile.REGTYPE, {})
    assert body[4:8] == bytes(4)


def test_the_bytes_of_a_chart_are_these() -> None:
    """One chart has one digest on every machine; another digest here is a change that published charts would show."""
    assert (
        digest_of(pack("s3-chart", FILES)) == "sha256:6125b7bef13333ed11cfbe6570ec98865b3b6bb7ddd4446b8af36a81d60f19bd"
    )
    assert (
        digest_of(gzip.decompress(pack("s3-chart", FILES)))
        == "sha256:663bb8a9f012cb830f816f9610d06c66d21e417db5acd23c840442042cc1ae7e"
    )


def test_members_stand_in_helms_order() -> None:
    """Helm's own files, templates, the others as a walk finds them, then each sub-chart in the same order, by name."""
    ordered = [
        "Chart.yaml",
        "Chart.lock",
        "values.yaml",
        "values.schema.json",
        "templates/NOTES.txt",
        "templates/a/b",
        "templates/a.b",
        "README.md",
        "a/b",
        "a.b",
        "charts/note.prov",
        "crds/x.yaml",
        "requirements.yaml",
        "templates",
        "charts/alpha/Chart.yaml",
        "charts/alpha/values.yaml",
        "charts/alpha/a",
        "charts/alpha/charts/inner/Chart.yaml",
        "charts/alpha/charts/inner/templates/x",
        "charts/zeta/Chart.yaml",
    ]
    shuffled = dict.fromkeys(random.Random(1).sample(ordered, len(ordered)), b"")  # noqa: S311  # an order, no secret
    assert list(files_of(pack("x", shuffled))) == ordered


@given(CHARTS)
def test_what_is_packed_is_read_back(files: dict[str, bytes]) -> None:
    """Any paths and any bytes, also long paths and other alphabets."""
    body = pack("chart", files)
    assert files_of(body) == files
    assert pack("chart", dict(reversed(files.items()))) == body
    assert differences(files_of(body), files) == ()


def _with_size(header: bytes, size: bytes) -> bytes:
    """A member's header with another size field (bytes 124 to 136), its checksum (148 to 156) made right."""
    header = header[:124] + size + header[136:]
    total = sum(header[:148]) + sum(header[156:512]) + 8 * ord(" ")
    return header[:148] + b"%06o\0 " % total + header[156:]


NEGATIVE_SIZE = _with_size(tarfile.TarInfo("a/x").tobuf(), b"\xff" * 10 + b"\xfe\x00") + bytes(1024)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "cut short"),
        (b"plain", "not gzip"),
        (archive(FILES)[:-9], "cut short"),
        (archive(FILES) + b"more", "something follows"),
        (archive(FILES) + archive(FILES), "something follows"),
        (gzip.compress(b"no tar at all" * 100), "not a whole tar"),
        (gzip.compress(gzip.decompress(archive(FILES))[:700]), "cut short"),
        (gzip.compress(bytes(1024)), "0 folders at its top"),
        (tarred(member("a/x"), member("b/x")), "is in it twice"),
        (tarred(member("a/x"), member("b/y")), "2 folders at its top"),
        (tarred(member("a/x"), member("a/x")), "is in it twice"),
        (tarred(member("Chart.yaml")), "not a path below"),
        (tarred(member("/a/x")), "not a path below"),
        (tarred(member("a/../../x")), "not a path below"),
        (tarred(member("../x")), "not a path below"),
        (tarred(member("a/./x")), "not a path below"),
        (tarred(member("a//x")), "not a path below"),
        (tarred(member("a\\x")), "not a path below"),
        (tarred(member("a/..\\x")), "not a path below"),
        (tarred(member("a/x", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "neither a file"),
        (tarred(member("a/y"), member("a/x", type=tarfile.LNKTYPE, linkname="a/y")), "neither a file"),
        (tarred(member("a/x", type=tarfile.CHRTYPE)), "neither a file"),
        (tarred(member("a/x", type=tarfile.FIFOTYPE)), "neither a file"),
        (tarred(member("a/x", bytes(FILE_LIMIT + 1))), f"has {FILE_LIMIT + 1} bytes"),
        (gzip.compress(NEGATIVE_SIZE, mtime=0), "less than no content"),
        (bytes(deflate.gzip_compress(bytes(ARCHIVE_LIMIT + 1), 1)), "larger than"),
    ],
    ids=itertools.count(),
)
def test_an_odd_archive_is_refused(body: bytes, reason: str) -> None:
    """Neither what could leave the folder, nor what a chart never holds, nor more than Helm would load."""
    with pytest.raises(ValueError, match=reason):
        files_of(body)


def test_a_file_of_helms_limit_is_read() -> None:
    """The limit itself is allowed, and folders as members are passed over."""
    body = tarred(member("a", type=tarfile.DIRTYPE), member("a/x", bytes(FILE_LIMIT)))
    assert files_of(body) == {"x": bytes(FILE_LIMIT)}


@given(st.binary(max_size=300), st.integers(0, 300))
def test_damage_is_an_error_of_one_kind(noise: bytes, place: int) -> None:
    """Whatever is written over an archive, it is read or refused."""
    whole = bytearray(pack("s3-chart", FILES))
    whole[place : place + len(noise)] = noise
    try:
        files = files_of(bytes(whole))
    except ValueError:
        return
    assert all(isinstance(body, bytes) for body in files.values())


@given(st.data())
def test_damage_inside_the_tar_is_an_error_of_one_kind(data: st.DataObject) -> None:
    """The same below the compression, where headers are."""
    whole = bytearray(gzip.decompress(pack("s3-chart", FILES)))
    place = data.draw(st.integers(0, len(whole) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=200))
    whole[place : place + len(noise)] = noise
    try:
        files = files_of(gzip.compress(bytes(whole), 1))
    except ValueError:
        return
    assert all(".." not in path.split("/") for path in files)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"values.yaml": b""}, r"Chart\.yaml is missing"),
        ({"Chart.yaml": b"a: b: c"}, r"Chart\.yaml: line 1: mapping values"),
        ({"Chart.yaml": b"- a"}, r"Chart\.yaml is not one mapping"),
        ({"Chart.yaml": b"name: a"}, "no name or no version"),
        ({"Chart.yaml": b"name: a\nversion: ''"}, "no name or no version"),
        ({"Chart.yaml": b"name: [a]\nversion: 1"}, "no name or no version"),
    ],
)
def test_a_chart_without_metadata_is_refused(files: dict[str, bytes], reason: str, tmp_path: Path) -> None:
    """What helm could not have packaged is the chart's fault."""
    with pytest.raises(ChartUnusable, match=f"the chart archive source-packed.tgz cannot be used: .*{reason}"):
        packed_from(archive(files), tmp_path)


def test_the_metadata_keeps_every_digit() -> None:
    """Numbers, booleans and dates are the text they are written as."""
    chart = b"name: a\nversion: 1.10\nappVersion: 2001-01-01\nannotations: {x: yes}\n"
    assert read_metadata({"Chart.yaml": chart}) == {
        "name": "a",
        "version": "1.10",
        "appVersion": "2001-01-01",
        "annotations": {"x": "yes"},
    }


def test_requirements_are_the_dependencies_of_the_first_format() -> None:
    """A chart of apiVersion v1 keeps them in a file of their own; nothing else is taken from there."""
    files = {"Chart.yaml": b"name: a\nversion: '1'\n", "requirements.yaml": b"name: b\ndependencies: [{name: c}]\n"}
    assert read_metadata(files) == {"name": "a", "version": "1", "dependencies": [{"name": "c"}]}


@pytest.mark.parametrize(
    ("changed", "paths"),
    [
        ({}, ()),
        ({"Chart.yaml": b"# by hand\ndeprecated: true\nversion: '1.10'\nname: s3-chart\n"}, ()),
        ({"charts/x/Chart.yaml": b"{name: x}"}, ()),
        ({"Chart.lock": b"digest: 'sha256:0'\n"}, ()),
        ({"Chart.yaml": CHART.replace(b"1.10", b"1.1")}, ("Chart.yaml",)),
        ({"Chart.yaml": b"a: b: c"}, ("Chart.yaml",)),
        ({"values.yaml": b"image:  {}\n"}, ("values.yaml",)),
        ({"templates/Chart.yml": b""}, ("templates/Chart.yml",)),
        ({"README.md": None, "new": b""}, ("README.md", "new")),
    ],
)
def test_charts_are_compared_file_by_file(changed: Mapping[str, bytes | None], paths: tuple[str, ...]) -> None:
    """What helm writes anew is compared by what it says, all else by its bytes."""
    ours = {**FILES, "Chart.lock": b"digest: sha256:0\n", "charts/x/Chart.yaml": b"name: x\n"}
    theirs = {path: body for path, body in {**ours, **changed}.items() if body is not None}
    assert differences(ours, theirs) == differences(theirs, ours) == paths
    assert same_files(ours, theirs) is (paths == ())


@pytest.mark.parametrize("key", ["description", "annotations", "sources", "maintainers", "dependencies", "keywords"])
@pytest.mark.parametrize("value", ["{~: a, b: c}", "[1, [2]]", "{a: {b: c}}", "[{a: [b]}]", "!!timestamp 2001-01-01"])
def test_metadata_of_other_types(key: str, value: str) -> None:
    """What Helm would not take is refused; all else can be written as a chart's config and annotations."""
    chart = f"name: a\nversion: 1.0.0\n{key}: {value}\n".encode()
    try:
        metadata = read_metadata({"Chart.yaml": chart})
    except ValueError as error:
        assert "is not what Helm takes there" in str(error)  # noqa: PT017  # one of two good ends
        return
    json.loads(chart_config(metadata))
    assert all(isinstance(text, str) for text in helm_annotations(metadata).values())


def test_many_members() -> None:
    """An archive has a bound of members, folders among them."""
    folders = [member(f"a/{number}", type=tarfile.DIRTYPE) for number in range(MEMBER_LIMIT)]
    with pytest.raises(ValueError, match=f"more than {MEMBER_LIMIT} members"):
        files_of(tarred(*folders, member("a/x")))
