from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import RELEASE_IMAGE
from runner.chart.archive import PackagedChart
from runner.chart.manifest import METADATA_KEYS, chart_artifact, chart_config, go_json, helm_annotations
from runner.oci.artifact import FileSource
from runner.oci.manifest import (
    CREATED,
    HELM_CHART,
    HELM_CONFIG,
    OCI_MANIFEST,
    REVISION,
    SOURCE,
    TITLE,
    VERSION,
    digest_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IMAGE = "org.opencontainers.image"
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("document", "written"),
    [
        ({"b": 1, "a": [True, None]}, b'{"b":1,"a":[true,null]}'),
        ({"a": "<>&"}, rb'{"a":"\u003c\u003e\u0026"}'),
        ({"<": ""}, rb'{"\u003c":""}'),
        ({"a": "\u2028\u2029"}, rb'{"a":"\u2028\u2029"}'),
        ({"a": '"\\/'}, rb'{"a":"\"\\/"}'),
        ({"a": "\b\f\n\r\t\x00\x1f\x7f"}, b'{"a":"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"}'),
        ({"a": "Größe 日本 🚢"}, '{"a":"Größe 日本 🚢"}'.encode()),
    ],
    ids=["compact, in order", "markup", "markup in a key", "line separators", "quotes", "control", "other alphabets"],
)
def test_json_is_written_as_go_writes_it(document: dict[str, Any], written: bytes) -> None:
    """What encoding/json escapes is escaped, and nothing else."""
    assert go_json(document) == written


@given(st.dictionaries(TEXT, TEXT))
def test_json_keeps_its_meaning(document: dict[str, str]) -> None:
    """Escaping changes no value, and no markup character is left."""
    body = go_json(document)
    assert json.loads(body) == document
    assert not set("<>&\u2028\u2029") & set(body.decode())


def test_the_config_has_helms_order() -> None:
    """Keys stand as in Helm's struct, whatever order Chart.yaml has; booleans are booleans."""
    metadata = {key: f"the {key}" for key in sorted(METADATA_KEYS, reverse=True)} | {
        "deprecated": "true",
        "sources": ["s"],
        "keywords": ["k"],
        "annotations": {"b": "2", "a": "1"},
        "maintainers": [{"url": "u", "name": "n", "email": "e", "phone": "p"}, {"name": "m"}],
        "dependencies": [
            {
                "alias": "a",
                "import-values": ["x", {"parent": "p", "child": "c"}],
                "enabled": "true",
                "tags": ["t"],
                "condition": "c",
                "repository": "r",
                "version": "v",
                "name": "n",
            },
            {"name": "only", "enabled": "false"},
        ],
        "unknown": "left out",
    }
    assert chart_config(metadata) == (
        b'{"name":"the name","home":"the home","sources":["s"],"version":"the version",'
        b'"description":"the description","keywords":["k"],'
        b'"maintainers":[{"name":"n","email":"e","url":"u"},{"name":"m"}],"icon":"the icon",'
        b'"apiVersion":"the apiVersion","condition":"the condition","tags":"the tags","appVersion":"the appVersion",'
        b'"deprecated":true,"annotations":{"a":"1","b":"2"},"kubeVersion":"the kubeVersion",'
        b'"dependencies":[{"name":"n","version":"v","repository":"r","condition":"c","tags":["t"],"enabled":true,'
        b'"import-values":["x",{"child":"c","parent":"p"}],"alias":"a"},{"name":"only","repository":""}],'
        b'"type":"the type"}'
    )


@pytest.mark.parametrize("empty", ["", None, [], {}])
def test_what_is_empty_is_left_out_of_the_config(empty: object) -> None:
    """An empty text, list or mapping leaves no key behind, and deprecated: false neither."""
    metadata = {**dict.fromkeys(METADATA_KEYS, empty), "name": "n", "version": "1", "deprecated": "false"}
    assert chart_config(metadata) == b'{"name":"n","version":"1"}'


@pytest.mark.parametrize(
    ("metadata", "annotations"),
    [
        ({}, {}),
        ({"description": " \n", "home": "", "sources": []}, {}),
        (
            {"description": "d", "home": "h", "sources": ["s", "t"], "icon": "i", "appVersion": "2"},
            {f"{IMAGE}.description": "d", f"{IMAGE}.url": "h", SOURCE: "s"},
        ),
        ({"sources": ["", "t"]}, {}),
        ({"maintainers": [{"name": "a", "url": "u"}]}, {f"{IMAGE}.authors": "a"}),
        (
            {"maintainers": [{"name": "a", "email": "e"}, {"email": "f"}, {"name": "b"}]},
            {f"{IMAGE}.authors": "a (e),  (f), b"},
        ),
        ({"maintainers": [{}]}, {}),
        ({"maintainers": [{}, {}]}, {f"{IMAGE}.authors": ", "}),
        (
            {"home": "h", "annotations": {TITLE: "x", VERSION: "y", f"{IMAGE}.url": "z", "empty": "", CREATED: "c"}},
            {f"{IMAGE}.url": "z", "empty": "", CREATED: "c"},
        ),
    ],
    ids=["bare", "blank", "all", "empty source", "author", "authors", "nameless", "two nameless", "own"],
)
def test_annotations_are_made_as_helm_makes_them(metadata: dict[str, Any], annotations: Mapping[str, str]) -> None:
    """Name and version are always there; Chart.yaml's own annotations replace all but these two."""
    made = helm_annotations({"name": "n", "version": "1.0"} | metadata)
    assert made == {TITLE: "n", VERSION: "1.0", **annotations}


def packaged(folder: Path, metadata: Mapping[str, Any]) -> PackagedChart:
    """A chart with this metadata; the archive itself is not read when the manifest is made."""
    return PackagedChart(folder / "chart.tgz", DIGEST, 1234, metadata)


def test_the_layout_is_one_manifest_and_two_blobs(tmp_path: Path) -> None:
    """The manifest has no media type of its own, annotations in order of key, ours on top of Helm's."""
    metadata = {"name": "s3-chart", "version": "1.2.3", "sources": ["https://example.com/<x>"]}
    ours = {SOURCE: "https://github.com/o/r", REVISION: "0" * 40, CREATED: "2026-01-05T11:00:00Z", RELEASE_IMAGE: "i@d"}
    layout = chart_artifact(packaged(tmp_path, metadata), ours, tmp_path)
    config = chart_config(metadata)
    assert layout.root.media_type == OCI_MANIFEST
    assert layout.root.body.decode() == (
        f'{{"schemaVersion":2,"config":{{"mediaType":"{HELM_CONFIG}","digest":"{digest_of(config)}",'
        f'"size":{len(config)}}},"layers":[{{"mediaType":"{HELM_CHART}","digest":"{DIGEST}","size":1234}}],'
        f'"annotations":{{"dev.ack.release.image":"i@d","{CREATED}":"2026-01-05T11:00:00Z","{REVISION}":"{"0" * 40}",'
        f'"{SOURCE}":"https://github.com/o/r","{TITLE}":"s3-chart","{VERSION}":"1.2.3"}}}}'
    )
    assert layout.children == ()
    assert [blob.descriptor for blob in layout.blobs] == list(layout.root.blobs)
    sources = [blob.source for blob in layout.blobs]
    assert sources[1] == FileSource(tmp_path / "chart.tgz")
    assert isinstance(sources[0], FileSource)
    assert sources[0].path.read_bytes() == config
    assert sources[0].path.parent == tmp_path


def test_two_charts_share_a_folder(tmp_path: Path) -> None:
    """Each config has its own file, and the same chart the same one."""
    layouts = [chart_artifact(packaged(tmp_path, {"name": name, "version": "1"}), {}, tmp_path) for name in "aba"]
    sources = [layout.blobs[0].source for layout in layouts]
    assert sources[0] == sources[2] != sources[1]
    assert layouts[0] == layouts[2]
