"""Every real chart: recognised by its naming, packed to one digest, and published as ``helm push`` would publish it."""

from __future__ import annotations

import collections
import os
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runner.annotations import RELEASE_VERSION
from runner.chart.archive import files_of, repack
from runner.chart.checks import check_release, choose_scheme, image_version_of
from runner.chart.facts import ChartFacts, read_chart_facts
from runner.chart.helm import Helm
from runner.chart.manifest import chart_artifact
from runner.config.naming import PRESETS, RegistryAddress
from runner.errors import ChartDisagrees
from runner.oci.manifest import CREATED, OCI_MANIFEST, REVISION, SOURCE
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from testbed.files import write_files
from testbed.real_controllers import RELEASES, SERVICES, Controller
from tests.support.bundles import open_bundle
from tests.support.registry import crane_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from testbed.registries import LocalRegistry

PRODUCTION = RegistryAddress("public.ecr.aws", "aws-controllers-k8s")
CHART_NAMES = ("{service}-chart", "ack-{service}-controller")
HELMS = ("helm3", "helm4")
SCHEMES = {
    ("ecr", "seed"): 4,
    ("ecr", "repo-per-service-v"): 36,
    ("ecr", "repo-per-service"): 49,
    ("s3", "repo-per-service-v"): 31,
    ("s3", "repo-per-service"): 55,
}
"""How many releases of each service each preset names."""


VALUES = b"image: {repository: public.ecr.aws/aws-controllers-k8s/rich-controller, tag: 1.2.3}\n"


def _chart_file(name: str, *lines: str) -> bytes:
    return "\n".join(("apiVersion: v2", f"name: {name}", "version: 1.2.3", *lines, "")).encode()


RICH: Mapping[str, bytes] = {
    "Chart.yaml": _chart_file(
        "rich",
        'appVersion: "1.10"',
        "type: application",
        "deprecated: true",
        'kubeVersion: ">=1.20.0-0"',
        "home: https://example.com/<home>&more",
        "icon: https://example.com/icon.png",
        "condition: a.enabled",
        "tags: one,two",
        'description: "Größe < 1 & \\u2028 \\t 日本 🚢"',
        "keywords: [b, a, 'true', '1.0', '2001-01-01', 'null']",
        'sources: ["https://example.com/a?b=1&c=<2>", "https://example.com/second"]',
        "maintainers:",
        "  - {name: Ada, email: ada@example.com, url: https://example.com/ada}",
        "  - {url: https://example.com/nobody, email: nobody@example.com}",
        "  - {name: Grace}",
        "annotations:",
        "  org.opencontainers.image.title: ignored",
        "  org.opencontainers.image.description: replaced",
        "  org.opencontainers.image.licenses: Apache-2.0",
        '  empty: ""',
        '  a/b: "yes"',
        '  marks: "<&> \\u2028 \\u2029 \\t \\x07 \\b \\f \\" \\\\"',
        "dependencies:",
        "  - name: zeta",
        '    version: ">=1.0.0"',
        '    repository: ""',
        "    condition: zeta.enabled",
        "    tags: [t2, t1]",
        "    enabled: true",
        "    alias: last",
        "    import-values: [data, {parent: p, child: c}]",
        "  - {name: alpha, version: 1.2.3, repository: 'https://example.com/charts'}",
        "  - {name: middle, version: 1.2.3}",
    ),
    "Chart.lock": b"dependencies: []\ndigest: sha256:0\ngenerated: '2026-01-05T11:00:00.123456789+01:00'\n",
    "values.yaml": VALUES,
    "values.schema.json": b"{}",
    "README.md": b"readme",
    ".helmignore": b"ignored.txt\n",
    "ignored.txt": b"",
    "a.b": b"",
    "a/b": b"",
    "files/" + "long/" * 30 + "file": b"",
    "files/Größe": b"",
    "templates/config.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
    "templates/NOTES.txt": b"",
    "crds/crd.yaml": b"",
    "charts/zeta/Chart.yaml": _chart_file("zeta"),
    "charts/zeta/templates/a.yaml": b"",
    "charts/zeta/charts/inner/Chart.yaml": _chart_file("inner"),
    "charts/alpha/Chart.yaml": _chart_file("alpha"),
    "charts/alpha/values.yaml": b"a: 1\n",
    "charts/middle/Chart.yaml": _chart_file("middle"),
}
FIRST_FORMAT: Mapping[str, bytes] = {
    "Chart.yaml": b"apiVersion: v1\nname: first\nversion: v0-stable\n",
    "values.yaml": VALUES,
    "requirements.yaml": b"dependencies:\n  - {name: sub, version: 1.2.3, repository: 'https://example.com'}\n",
    "charts/sub/Chart.yaml": _chart_file("sub"),
}
BARE: Mapping[str, bytes] = {"Chart.yaml": b"apiVersion: v2\nname: bare\nversion: 1.2.3\n", "values.yaml": b""}


@dataclass(frozen=True)
class Release:
    """A tag of a real repository, and its chart's files by their path in the chart."""

    service: str
    tag: str
    commit_time: int
    files: Mapping[str, bytes]

    @property
    def version(self) -> str:
        """The tag without its v."""
        return self.tag.removeprefix("v")

    def facts(self) -> ChartFacts:
        """What the chart states."""
        return read_chart_facts("helm", self.files["Chart.yaml"], self.files["values.yaml"])


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, ...]:
    return tuple(release for service in SERVICES for release in _releases(service, tmp_path_factory.mktemp(service)))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with crane_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def _releases(service: str, folder: Path) -> Iterator[Release]:
    controller = Controller(service, open_bundle(service, folder / "bare").folder)
    refs = controller.releases()
    for tag, files in controller.read(refs, "helm").items():
        chart = {path.removeprefix("helm/"): body for path, body in files.items()}
        yield Release(service, tag, controller.commit_time(tag), chart)


def _helm(name: str, folder: Path) -> Helm:
    return Helm(str(require_tool(name)), Children(Lifetime()).run, _environment(folder))


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "UTC", "TMPDIR": str(folder)}


def test_every_release_is_recognised_by_the_naming(
    releases: tuple[Release, ...], record_property: Callable[[str, object], None]
) -> None:
    """Each of the 175 charts agrees with its tag, and exactly one of the presets is its naming."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for release in releases:
        facts = release.facts()
        check_release(facts, release.service, release.version, CHART_NAMES)
        scheme = choose_scheme(tuple(PRESETS.values()), PRODUCTION, release.service, release.version, facts)
        counts[release.service, scheme.label] += 1
        assert image_version_of([scheme], PRODUCTION, release.service, facts) == (scheme, release.version)
        for other in PRESETS.values():
            if other != scheme:
                with pytest.raises(ChartDisagrees, match="not an accepted image name"):
                    choose_scheme([other], PRODUCTION, release.service, release.version, facts)
    record_property("counted", f"{len(releases)} releases by service and naming: {dict(sorted(counts.items()))}")
    assert counts == SCHEMES
    assert {service: sum(r.service == service for r in releases) for service in SERVICES} == RELEASES


def test_every_chart_is_published_as_helm_push_publishes_it(
    releases: tuple[Release, ...],
    registry: LocalRegistry,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Both majors of helm package each chart to one digest here, and push the manifest that is made here."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        checked = sum(pool.map(lambda release: _published_alike(release, registry, tmp_path), releases))
    record_property("counted", f"{checked} charts, the manifest of each equal to that of {' and '.join(HELMS)}")
    assert checked == sum(RELEASES.values())


@pytest.mark.parametrize("chart", [RICH, FIRST_FORMAT, BARE], ids=["rich", "apiVersion v1", "bare"])
def test_every_field_of_chart_yaml_is_published_as_helm_push_publishes_it(
    chart: Mapping[str, bytes], registry: LocalRegistry, tmp_path: Path
) -> None:
    """Dependencies, annotations, markup and other alphabets come out as helm writes them."""
    assert _published_alike(Release("made", "v1.2.3", 1_600_000_000, chart), registry, tmp_path)


def test_our_annotations_stand_on_top(tmp_path: Path) -> None:
    """Ours replace helm's of the same key, and all others stay as helm writes them."""
    work = write_files(tmp_path / "work", {f"rich/{path}": body for path, body in RICH.items()})
    packed = repack(_helm("helm4", work).package(work / "rich", work), work / "chart.tgz")
    ours = {SOURCE: "https://github.com/o/r", REVISION: "0" * 40, CREATED: "2026-01-05T11:00:00Z", RELEASE_VERSION: "9"}
    plain, annotated = (chart_artifact(packed, annotations, work).root for annotations in ({}, ours))
    assert annotated.annotations == {**plain.annotations, **ours}
    assert list(annotated.annotations) == sorted(annotated.annotations)
    assert annotated.blobs == plain.blobs
    assert plain.annotations[SOURCE] == "https://example.com/a?b=1&c=<2>"


def _published_alike(release: Release, registry: LocalRegistry, tmp_path: Path) -> bool:
    work = tmp_path / release.service / release.tag
    chart = write_files(work / "helm", release.files)
    packages = [_helm(name, work).package(chart, work) for name in HELMS]
    packed = [repack(package, work / f"{name}.tgz") for package, name in zip(packages, HELMS, strict=True)]
    assert packed[0].digest == packed[1].digest
    ours, *helms = [files_of(path.read_bytes()) for path in (packed[0].archive, *packages)]
    assert all(ours == files for files in helms)
    if not any(path.startswith("charts/") for path in ours):
        assert all(list(ours) == list(files) for files in helms)
    os.utime(packed[0].archive, (release.commit_time, release.commit_time))
    created = datetime.fromtimestamp(release.commit_time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    layout = chart_artifact(packed[0], {CREATED: created}, work)
    run = Children(Lifetime()).run
    for name in HELMS:
        target = f"{registry.host}/{name}"
        argv: list[str | Path] = [require_tool(name), "push", packed[0].archive, f"oci://{target}", "--plain-http"]
        finished = run(argv, env=_environment(work))
        assert finished.ok, finished.tail()
        metadata = packed[0].metadata
        url = f"http://{registry.host}/v2/{name}/{metadata['name']}/manifests/{metadata['version']}"
        request = urllib.request.Request(url, headers={"Accept": OCI_MANIFEST})
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # a loopback registry
            assert answer.read() == layout.root.body
            assert answer.headers["Content-Type"] == layout.root.media_type
    return True
