"""The release path from end to end: real repository, real compiler, real helm, real registry."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING

import jsonschema
import pytest

from runner.chart.archive import files_of
from runner.oci.manifest import digest_of
from testbed.paths import ROOT
from testbed.registry_clients import crane, crane_bytes, rendered_images
from testbed.release_harness import ALIAS, CHART, IMAGE, ReleaseHarness, open_harness
from tests.support.tools import require_faketime, require_tool

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tag_publishes_image_and_chart(harness: ReleaseHarness) -> None:
    """A tag publishes the image for each platform and the chart under its names, and the log ends with RELEASED."""
    ended = harness.run("v1.2.3")
    assert (ended.code, ended.errors) == (0, [])
    assert ended.lines[-1].startswith("RELEASED: widget 1.2.3 (release, 3 tags written)")
    assert ended.actions == {IMAGE: "publish", CHART: "publish", ALIAS: "publish"}
    assert ended.digests[CHART] == ended.digests[ALIAS]
    for name, digest in ended.digests.items():
        assert crane("digest", "--insecure", f"{harness.host}/{name}").strip() == digest
    index = json.loads(crane("manifest", "--insecure", f"{harness.host}/{IMAGE}"))
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    assert index["annotations"]["org.opencontainers.image.revision"] == ended.record["commit"]
    crane("validate", "--insecure", "--remote", f"{harness.host}/{IMAGE}")


def test_the_record_is_what_its_schema_says(harness: ReleaseHarness) -> None:
    """The record of a run, and that of one that failed, are valid against the published schema."""
    schema = json.loads((ROOT / "docs" / "record.schema.json").read_text("utf-8"))
    good = harness.run("v1.2.3").record
    bad = harness.run("v1.2.3", "--service", "nobody").record
    for record in (good, bad):
        jsonschema.validate(record, schema, jsonschema.Draft202012Validator)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | {"more": 1}, schema, jsonschema.Draft202012Validator)


def test_the_published_chart_runs_exactly_the_published_image(
    harness: ReleaseHarness, helm: Path, tmp_path: Path
) -> None:
    """The chart pulled with either helm and rendered runs the image's tag; its manifest names the image's digest."""
    ended = harness.run("v1.2.3")
    images = rendered_images(f"{harness.host}/ack/widget-chart", "1.2.3", helm, tmp_path)
    assert images == {f"{harness.host}/{IMAGE}"}
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/{CHART}"))
    assert chart["annotations"]["dev.ack.release.image"] == f"{harness.host}/ack/controller@{ended.digests[IMAGE]}"


def test_the_same_run_twice_sends_nothing_the_second_time(harness: ReleaseHarness) -> None:
    """A rerun of a complete release writes nothing, runs neither helm nor go, and ends well."""
    first = harness.run("v1.2.3")
    harness.proxy.clear()
    again = harness.run("v1.2.3")
    assert again.code == 0
    assert harness.proxy.writes == ()
    assert again.digests == first.digests
    assert set(again.actions.values()) == {"skip"}
    assert again.record["tools"] == {}
    assert again.lines[-1].startswith("RELEASED: widget 1.2.3 (release, nothing to send)")


def test_two_clones_clocks_zones_and_helms_give_the_same_digests(tmp_path: Path) -> None:
    """Another clone, another clock, another time zone and another helm give the same image and chart, byte for byte."""
    with open_harness(tmp_path, helm="helm4") as harness:
        here = tmp_path / "here"
        first = harness.run("v1.2.3", "--to-layout", str(here))
        other = harness.config.with_name("other.yaml")
        other.write_text(harness.config.read_text().replace(str(require_tool("helm4")), str(require_tool("helm3"))))
        there = tmp_path / "there"
        extra = {
            "TZ": "Asia/Kathmandu",
            "GOFLAGS": "-mod=mod -race",
            "SOURCE_DATE_EPOCH": "1",
            "HOME": "",
            "LD_PRELOAD": str(require_faketime()),
            "FAKETIME": "@2031-05-06 07:08:09",
            "DONT_FAKE_MONOTONIC": "1",
        }
        second = harness.run("v1.2.3", "--to-layout", str(there), extra=extra, config=other)
        assert second.record["steps"][0]["started"].startswith("2031-05-06")
        assert (first.code, second.code) == (0, 0), second.out
        assert first.digests == second.digests
        assert (here / "index.json").read_bytes() == (there / "index.json").read_bytes()


def test_a_layout_folder_takes_everything_and_the_registry_nothing(harness: ReleaseHarness, tmp_path: Path) -> None:
    """With --to-layout all is built, one folder has an entry per name, and the registry is not even read."""
    folder = tmp_path / "layout"
    ended = harness.run("v1.2.3", "--to-layout", str(folder))
    assert ended.code == 0
    assert harness.proxy.requests == ()
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    assert f"3 tags written to the layout folder {folder}, nothing published" in ended.lines[-1]
    assert {entry["reason"] for entry in ended.record["entries"]} == {
        "goes into the layout folder; the registry was not read"
    }
    names = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"] for entry in entries}
    assert names == {f"{harness.host}/{name}": digest for name, digest in ended.digests.items()}


def test_plan_changes_nothing_and_says_what_run_would_do(harness: ReleaseHarness) -> None:
    """With --json plan prints one document with every name, writes nothing, and agrees with the run that follows."""
    planned = harness.run("v1.2.3", "--json", command="plan")
    assert planned.code == 0
    assert harness.proxy.writes == ()
    assert {entry["name"].partition("/")[2]: entry["action"] for entry in planned.plan["entries"]} == {
        IMAGE: "publish",
        CHART: "publish",
        ALIAS: "publish",
    }
    assert planned.plan["settings"]["registry"]["from"].endswith("jobs.yaml")
    assert planned.metadata["Result"] == "planned, nothing was changed: 3 to publish, 0 to skip"
    assert harness.run("v1.2.3").code == 0
    after = harness.run("v1.2.3", "--json", command="plan")
    assert {entry["action"] for entry in after.plan["entries"]} == {"skip"}


def test_staging_names_the_staged_image_everywhere(harness: ReleaseHarness) -> None:
    """Another registry takes the same names, its chart names the image there, and the record says staging."""
    ended = harness.run("v1.2.3", "--registry", f"{harness.host}/staging")
    assert ended.code == 0
    assert ended.record["staging"] is True
    assert any('event="staging release"' in line for line in ended.lines)
    assert set(ended.digests) == {name.replace("ack/", "staging/") for name in (IMAGE, CHART, ALIAS)}
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/staging/chart:widget-v1.2.3"))
    assert chart["annotations"]["dev.ack.release.image"].startswith(f"{harness.host}/staging/controller@sha256:")
    archive = crane_bytes("blob", "--insecure", f"{harness.host}/staging/chart@{chart['layers'][0]['digest']}")
    values = files_of(archive)["values.yaml"].decode()
    assert f'repository: "{harness.host}/staging/controller"' in values
    assert "ack/controller" not in values


def test_the_commands_on_the_page_pull_what_was_released(harness: ReleaseHarness, tmp_path: Path) -> None:
    """Helm's commands on release.html give the chart that was published, and docker's name what the registry has."""
    ended = harness.run("v1.2.3")
    commands = [shlex.split(node.text()) for node in ended.page.css(".pulls code")]
    images = [words[2] for words in commands if words[:2] == ["docker", "pull"]]
    assert {crane("digest", "--insecure", image).strip() for image in images} == {ended.digests[IMAGE]}
    charts = [words for words in commands if words[0] == "helm"]
    assert len(images) == len(charts) == 2
    chart = json.loads(crane("manifest", "--insecure", f"{harness.host}/{CHART}"))
    for helm in ("helm3", "helm4"):
        for number, words in enumerate(charts):
            folder = tmp_path / f"{helm}-{number}"
            folder.mkdir()
            home = {name: str(tmp_path / helm) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
            argv: list[str | Path] = [require_tool(helm), *words[1:], "--destination", folder]
            subprocess.run(argv, check=True, capture_output=True, timeout=60, env={"HOME": str(tmp_path), **home})
            [archive] = folder.iterdir()
            assert digest_of(archive.read_bytes()) == chart["layers"][0]["digest"]


def test_image_without_chart_gets_its_chart(harness: ReleaseHarness) -> None:
    """When only the image was published, the rerun publishes the chart for the image that is there."""
    harness.proxy.fail(500, method="PUT", path=r"/manifests/", skip=3 + 1)
    failed = harness.run("v1.2.3")
    assert failed.code == 7
    assert failed.metadata["Result"] == "failed: registry-failed (exit 7)"
    assert {entry["name"].partition("/")[2]: entry["written"] for entry in failed.record["entries"]} == {
        IMAGE: True,
        CHART: False,
        ALIAS: False,
    }
    harness.proxy.clear()
    ended = harness.run("v1.2.3")
    assert ended.code == 0
    assert ended.actions == {IMAGE: "skip", CHART: "publish", ALIAS: "publish"}
