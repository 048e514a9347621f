"""The fakes of testbed/memory and the real ones, held to one behaviour."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runner.annotations import RELEASE_INPUTS, RELEASE_PLATFORMS, RELEASE_VERSION, inputs_text
from runner.builders.base import resolve_base
from runner.builders.builder import BuildRequest
from runner.builders.go import GoBuilder
from runner.chart.archive import files_of, repack
from runner.chart.facts import read_chart_facts
from runner.chart.helm import Helm
from runner.chart.packaging import package_chart
from runner.chart.workload import check_workload, container_images
from runner.errors import BuildFailed, ChartUnusable, RegistryAnswerWrong, RegistryFailed, TagChanged
from runner.oci.artifact import Blob, FileSource, RemoteSource, read_file
from runner.oci.manifest import (
    CREATED,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REVISION,
    SOURCE,
    VERSION,
    Descriptor,
    Manifest,
    digest_of,
)
from runner.oci.name import Name, Repository
from runner.published.observed import platform_of
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.workspace import child_environment
from runner.source.clone import open_clone
from testbed.base_images import AMD64, BOTH, base_layout, push, write_blob
from testbed.faults.proxy import FaultProxy
from testbed.files import write_files
from testbed.go import go_caches
from testbed.memory.builder import MemoryBuilder
from testbed.memory.calls import raising
from testbed.memory.clone import Commit, History, MemoryClone
from testbed.memory.helm import MemoryHelm
from testbed.memory.registry import NO_ANSWER, MemoryRegistry
from testbed.origin import clone_refs, make_origin
from testbed.sample_controller import PRODUCTION, SampleRepository
from tests.support.registry import crane_registry, docker_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.builders.builder import Builder, BuiltImage
    from runner.oci.artifact import Artifact
    from runner.oci.registry import Registry
    from runner.source.clone import Clone
    from testbed.origin import Origin

# --- registries -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registries:
    """A client and what it speaks to: ``host``, and ``elsewhere``, which is another registry.

    ``lose`` lets the answer to the next manifest that is written get lost. ``break_off`` lets the next one never
    arrive, and calls a function, given another client and where it finds ``host``, before it is tried again.
    """

    client: Registry
    host: str
    elsewhere: str
    lose: Callable[[], None]
    break_off: Callable[[Callable[[Registry, str], None]], None]

    def at(self, path: str = "team/image") -> Repository:
        """A repository of ``host``."""
        return Repository(self.host, path)


def in_memory() -> Registries:
    client = MemoryRegistry()

    def lose() -> None:
        client.calls.intervene("put_manifest", raising(NO_ANSWER), when="after")

    def break_off(act: Callable[[Registry, str], None]) -> None:
        def meanwhile() -> None:
            act(client.another(), "registry.example")
            raise NO_ANSWER

        client.calls.intervene("put_manifest", meanwhile)

    return Registries(client, "registry.example", "elsewhere.example", lose, break_off)


def behind_proxy(client: Registry, proxy: FaultProxy, elsewhere: str) -> Registries:
    def lose() -> None:
        proxy.drop(method="PUT", path="/manifests/", after=True, times=1)

    def break_off(act: Callable[[Registry, str], None]) -> None:
        proxy.drop(method="PUT", path="/manifests/", times=1)
        proxy.intervene(lambda: act(client, proxy.upstream), method="GET", path="/manifests/")

    return Registries(client, proxy.host, elsewhere, lose, break_off)


@pytest.fixture(params=["memory", "crane", "docker"])
def registries(request: pytest.FixtureRequest, registry: Registry, tmp_path: Path) -> Iterator[Registries]:
    if request.param == "memory":
        yield in_memory()
        return
    serve = {"crane": crane_registry, "docker": docker_registry}[request.param]
    with (
        serve(tmp_path / "registry") as server,
        crane_registry(tmp_path / "elsewhere") as elsewhere,
        FaultProxy(server.host) as proxy,
    ):
        yield behind_proxy(registry, proxy, elsewhere.host)


by_repository = pytest.mark.parametrize("registries", ["memory", "docker"], indirect=True)
"""Crane's registry keeps blobs for all repositories together, and takes an image's manifest before its blobs."""


@pytest.fixture
def layer(tmp_path: Path) -> Blob:
    return write_blob(tmp_path, OCI_LAYER, os.urandom(1000))


@pytest.fixture
def config(tmp_path: Path) -> Blob:
    return write_blob(tmp_path, OCI_CONFIG, b"{}")


def manifest_of(config: Blob, *layers: Blob, text: str = "") -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.descriptor.document(),
        "layers": [layer.descriptor.document() for layer in layers],
        "annotations": {"org.example.text": text},
    }
    return Manifest.write(OCI_MANIFEST, document)


def index_of(*manifests: Manifest) -> Manifest:
    listed = [manifest.descriptor(AMD64).document() for manifest in manifests]
    return Manifest.write(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})


def test_nothing_is_absent(registries: Registries, layer: Blob) -> None:
    """Of a repository that was never written to, tags, digests and blobs are absent, and there is no tag."""
    client, repository = registries.client, registries.at()
    assert client.manifest(repository, "v1") is None
    assert client.manifest(repository, layer.descriptor.digest) is None
    assert client.tags(repository) == ()
    assert client.has_blob(repository, layer.descriptor.digest) is False


def test_round_trip(registries: Registries, layer: Blob, config: Blob, tmp_path: Path) -> None:
    """What was sent comes back byte for byte, by tag and by digest; a digest is no tag."""
    client, repository = registries.client, registries.at()
    manifest = manifest_of(config, layer)
    assert [client.send_blob(repository, blob) for blob in (layer, config)] == ["uploaded", "uploaded"]
    client.put_manifest(repository, manifest.digest, manifest)
    assert client.tags(repository) == ()
    for tag in ("v2", "v1"):
        client.put_manifest(repository, tag, manifest)
    assert client.manifest(repository, "v1") == client.manifest(repository, manifest.digest) == manifest
    assert client.manifest(repository, "v3") is None
    assert sorted(client.tags(repository)) == ["v1", "v2"]
    assert client.has_blob(repository, layer.descriptor.digest)
    assert client.read_blob(repository, config.descriptor) == b"{}"
    client.download_blob(repository, layer.descriptor, tmp_path / "downloaded")
    assert digest_of((tmp_path / "downloaded").read_bytes()) == layer.descriptor.digest
    assert client.scan_blob(repository, layer.descriptor, lambda pieces: sum(map(len, pieces))) == 1000


def test_tag_makes_digest_answer(registries: Registries, config: Blob) -> None:
    """A manifest that was written under a tag answers by its digest as well, and still does once the tag moved on."""
    client, repository = registries.client, registries.at()
    client.send_blob(repository, config)
    first, second = manifest_of(config, text="1"), manifest_of(config, text="2")
    for manifest in (first, second):
        client.put_manifest(repository, "v1", manifest)
    assert client.manifest(repository, "v1") == second
    assert client.manifest(repository, first.digest) == first


def test_blob_sent_twice(registries: Registries, layer: Blob) -> None:
    """A blob that is there is not sent again."""
    assert registries.client.send_blob(registries.at(), layer) == "uploaded"
    assert registries.client.send_blob(registries.at(), layer) == "exists"


@by_repository
def test_blob_of_another_repository(registries: Registries, layer: Blob) -> None:
    """Within a host a blob is mounted; from another host it is uploaded; a repository has only what it was given."""
    client, digest = registries.client, layer.descriptor.digest
    client.send_blob(registries.at("one"), layer)
    assert not client.has_blob(registries.at("two"), digest)
    assert (
        client.send_blob(registries.at("two"), Blob(layer.descriptor, RemoteSource(registries.at("one")))) == "mounted"
    )
    away = Repository(registries.elsewhere, "one")
    assert client.send_blob(away, Blob(layer.descriptor, RemoteSource(registries.at("two")))) == "uploaded"
    assert client.has_blob(away, digest)
    assert client.has_blob(registries.at("two"), digest)


@by_repository
def test_source_without_the_blob(registries: Registries, layer: Blob) -> None:
    """A blob that its source has not is an error of the registry, and is nowhere afterwards."""
    for host in (registries.host, registries.elsewhere):
        with pytest.raises(RegistryFailed, match=r"blobs/sha256:\w+: HTTP 404"):
            registries.client.send_blob(registries.at(), Blob(layer.descriptor, RemoteSource(Repository(host, "none"))))
    assert not registries.client.has_blob(registries.at(), layer.descriptor.digest)


@by_repository
def test_image_before_its_blobs(registries: Registries, layer: Blob, config: Blob) -> None:
    """A manifest is refused while one of its blobs is missing, whichever, and nothing is under its name."""
    client, repository = registries.client, registries.at()
    manifest = manifest_of(config, layer)
    for blob in (config, layer):
        with pytest.raises(RegistryFailed, match=r"manifests/v1: HTTP 400 \(MANIFEST_BLOB_UNKNOWN"):
            client.put_manifest(repository, "v1", manifest)
        client.send_blob(repository, blob)
    assert client.manifest(repository, "v1") is None
    client.put_manifest(repository, "v1", manifest)
    assert client.manifest(repository, "v1") == manifest


def test_index_before_its_children(registries: Registries, config: Blob) -> None:
    """An index is refused until every manifest that it lists is in this repository."""
    client, repository = registries.client, registries.at()
    one, two = manifest_of(config, text="1"), manifest_of(config, text="2")
    client.send_blob(repository, config)
    client.put_manifest(repository, one.digest, one)
    with pytest.raises(RegistryFailed, match=r"manifests/v1: HTTP 40\d \(MANIFEST_(BLOB_)?UNKNOWN"):
        client.put_manifest(repository, "v1", index_of(one, two))
    assert client.manifest(repository, "v1") is None
    client.put_manifest(repository, two.digest, two)
    client.put_manifest(repository, "v1", index_of(one, two))
    assert client.manifest(repository, "v1") == index_of(one, two)


@by_repository
def test_malformed_manifest(registries: Registries) -> None:
    """What is no manifest is refused by the registry."""
    with pytest.raises(RegistryFailed, match=r"manifests/v1: HTTP 400 \(MANIFEST_INVALID"):
        registries.client.put_manifest(registries.at(), "v1", Manifest(OCI_MANIFEST, b'{"config": 1}'))


def test_file_with_another_digest(registries: Registries, layer: Blob, tmp_path: Path) -> None:
    """A file that is not what its descriptor says is a ValueError, and the registry has no such blob."""
    (tmp_path / "changed").write_bytes(os.urandom(layer.descriptor.size))
    with pytest.raises(ValueError, match="has the digest"):
        registries.client.send_blob(registries.at(), Blob(layer.descriptor, FileSource(tmp_path / "changed")))
    assert not registries.client.has_blob(registries.at(), layer.descriptor.digest)


@pytest.mark.parametrize("size", [999, 1001])
def test_blob_of_another_size(registries: Registries, layer: Blob, tmp_path: Path, size: int) -> None:
    """A blob that is longer or shorter than its descriptor says is a wrong answer, and no file is left of it."""
    client, repository = registries.client, registries.at()
    client.send_blob(repository, layer)
    wanted = Descriptor(OCI_LAYER, layer.descriptor.digest, size)
    with pytest.raises(RegistryAnswerWrong, match=r"longer|cut"):
        client.read_blob(repository, wanted)
    with pytest.raises(RegistryAnswerWrong, match=r"longer|cut"):
        client.download_blob(repository, wanted, tmp_path / "downloaded")
    with pytest.raises(RegistryAnswerWrong, match=r"longer|cut"):
        client.scan_blob(repository, wanted, list)
    assert not (tmp_path / "downloaded").exists()


def test_blob_that_is_not_there(registries: Registries, layer: Blob, tmp_path: Path) -> None:
    """Reading a blob that is not there is an error, not an absence."""
    with pytest.raises(RegistryFailed, match="HTTP 404"):
        registries.client.read_blob(registries.at(), layer.descriptor)
    with pytest.raises(RegistryFailed, match="HTTP 404"):
        registries.client.download_blob(registries.at(), layer.descriptor, tmp_path / "downloaded")
    with pytest.raises(RegistryFailed, match="HTTP 404"):
        registries.client.scan_blob(registries.at(), layer.descriptor, list)


def test_blob_too_large_to_read_at_once(registries: Registries) -> None:
    """More than 4 MiB are not read into memory, whatever the registry has."""
    with pytest.raises(RegistryAnswerWrong, match="at most 4194304 are read"):
        registries.client.read_blob(registries.at(), Descriptor(OCI_LAYER, digest_of(b""), 4194305))


@pytest.mark.parametrize("reference", ["", "a/b", "v1+x", "sha256:1"])
def test_reference_that_is_none(registries: Registries, config: Blob, reference: str) -> None:
    """What is neither tag nor digest, and the digest of another manifest, are bugs of the caller."""
    manifest = manifest_of(config)
    with pytest.raises(ValueError, match="neither a tag nor a digest"):
        registries.client.manifest(registries.at(), reference)
    with pytest.raises(ValueError, match="neither a tag nor a digest"):
        registries.client.put_manifest(registries.at(), reference, manifest)
    with pytest.raises(ValueError, match=f"the manifest's digest is {manifest.digest}, not"):
        registries.client.put_manifest(registries.at(), digest_of(b"other"), manifest)


def three_manifests(registries: Registries, config: Blob) -> tuple[Manifest, Manifest, Manifest]:
    """An old manifest, under v1 already, and two that may follow."""
    old, ours, theirs = (manifest_of(config, text=text) for text in ("old", "ours", "theirs"))
    registries.client.send_blob(registries.at(), config)
    registries.client.put_manifest(registries.at(), "v1", old)
    return old, ours, theirs


@pytest.mark.parametrize("replacing", ["held", "nothing", "other"])
def test_first_attempt_looks_at_nothing(registries: Registries, config: Blob, replacing: str) -> None:
    """Whatever it should replace, a first attempt writes over what is there: who calls it has read it just before."""
    old, ours, theirs = three_manifests(registries, config)
    held = {"held": old.digest, "nothing": None, "other": theirs.digest}[replacing]
    registries.client.put_manifest(registries.at(), "v1", ours, replacing=held)
    assert registries.client.manifest(registries.at(), "v1") == ours


@pytest.mark.parametrize("replacing", ["held", "nothing"])
def test_lost_answer(registries: Registries, config: Blob, replacing: str) -> None:
    """A write whose answer was lost is found to be there, whatever it should replace."""
    old, ours, _ = three_manifests(registries, config)
    registries.lose()
    registries.client.put_manifest(registries.at(), "v1", ours, replacing=old.digest if replacing == "held" else None)
    assert registries.client.manifest(registries.at(), "v1") == ours


def test_another_attempt_replaces_what_it_may(registries: Registries, config: Blob) -> None:
    """A write that did not arrive is repeated where the tag holds what it should replace."""
    old, ours, _ = three_manifests(registries, config)
    registries.break_off(lambda *_: None)
    registries.client.put_manifest(registries.at(), "v1", ours, replacing=old.digest)
    assert registries.client.manifest(registries.at(), "v1") == ours


@pytest.mark.parametrize("replacing", ["held", "nothing"])
def test_another_attempt_spares_another_writer(registries: Registries, config: Blob, replacing: str) -> None:
    """What somebody else wrote between two attempts is not written over, and is named."""
    old, ours, theirs = three_manifests(registries, config)

    def write(client: Registry, host: str) -> None:
        client.put_manifest(Repository(host, "team/image"), "v1", theirs)

    registries.break_off(write)
    with pytest.raises(TagChanged, match=f"team/image:v1 was written by somebody else: it holds {theirs.digest}"):
        registries.client.put_manifest(
            registries.at(), "v1", ours, replacing=old.digest if replacing == "held" else None
        )
    assert registries.client.manifest(registries.at(), "v1") == theirs


def test_many_threads(registries: Registries, tmp_path: Path) -> None:
    """Blobs and tags that many threads write at once all arrive."""
    client, repository = registries.client, registries.at()
    configs = [write_blob(tmp_path, OCI_CONFIG, f'{{"number":{number}}}'.encode()) for number in range(24)]

    def publish(number: int) -> str:
        sent = client.send_blob(repository, configs[number])
        client.put_manifest(repository, f"v{number}", manifest_of(configs[number]))
        return sent

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(publish, range(24))) == ["uploaded"] * 24
    assert set(client.tags(repository)) == {f"v{number}" for number in range(24)}


# --- helm -------------------------------------------------------------------------------------------------------------

VALUES = f"image: {{repository: {PRODUCTION}/s3-controller, tag: 1.2.3}}\n".encode()
TEMPLATE = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers: [{name: controller, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}]
"""
PLAIN: Mapping[str, bytes] = {
    "Chart.yaml": b"""\
version: 1.2.3
name: s3-chart
apiVersion: v2
unknown: left out
appVersion: "1.2.3"
sources: [https://example.com/a, https://example.com/b]
maintainers:
- {url: https://example.com, name: Ada}
""",
    "values.yaml": VALUES,
    "templates/deployment.yaml": TEMPLATE,
    "crds/a.yaml": b"",
    "README.md": "Größe\n".encode(),
}


def sample_chart(folder: Path) -> Path:
    """The chart of the sample controller."""
    repository = SampleRepository(folder, "widget", PRODUCTION, "repo-per-service", "widget-chart")
    repository.write_release("1.2.3")
    return folder / "helm"


def plain_chart(folder: Path) -> Path:
    return write_files(folder / "helm", PLAIN)


CHARTS: Mapping[str, Callable[[Path], Path]] = {"plain": plain_chart, "sample": sample_chart}


def real_helm(executable: Path, home: Path) -> Helm:
    return Helm(str(executable), Children(Lifetime()).run, {"PATH": os.environ["PATH"], "HOME": str(home)})


@pytest.fixture(params=["memory", "helm3", "helm4"])
def any_helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    return MemoryHelm() if request.param == "memory" else real_helm(require_tool(request.param), tmp_path)


def image_of(chart: Path) -> str:
    bodies = ((chart / name).read_bytes() for name in ("Chart.yaml", "values.yaml"))
    return read_chart_facts("helm", *bodies).image


def test_version_of_helm(any_helm: Helm) -> None:
    """The version is two numbers or more, without a v, and not too old."""
    numbers = [int(part) for part in any_helm.version().split(".")]
    assert len(numbers) >= 2
    assert numbers >= [3, 17]


@pytest.mark.parametrize("chart", CHARTS)
def test_chart_passes(any_helm: Helm, chart: str, tmp_path: Path) -> None:
    """A good chart is linted, and what it renders runs the image of its values and no other."""
    folder = CHARTS[chart](tmp_path)
    any_helm.lint(folder)
    rendered = any_helm.render(folder)
    assert check_workload(rendered, image_of(folder)) == ()
    assert [(one.workload.partition("/")[0], one.container) for one in container_images(rendered)] == [
        ("Deployment", "controller")
    ]


def test_values_decide_the_image(any_helm: Helm, tmp_path: Path) -> None:
    """Another image in the values is another image in what is rendered."""
    folder = plain_chart(tmp_path)
    (folder / "values.yaml").write_bytes(b"image:\n  tag: other\n  repository: localhost:5000/x\n")
    (image,) = container_images(any_helm.render(folder))
    assert image.image == "localhost:5000/x:other"


@pytest.mark.parametrize("chart", CHARTS)
def test_package_holds_the_files(any_helm: Helm, chart: str, tmp_path: Path) -> None:
    """The archive is called by name and version, and holds every file of the chart; Chart.yaml is written anew."""
    folder = CHARTS[chart](tmp_path)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    archives = [any_helm.package(folder, tmp_path) for _ in range(2)]
    assert archives[0].parent != archives[1].parent
    for archive in archives:
        assert archive.name == {"plain": "s3-chart-1.2.3.tgz", "sample": "widget-chart-1.2.3.tgz"}[chart]
        assert archive.is_relative_to(tmp_path)
        packaged = files_of(archive.read_bytes())
        assert packaged.keys() == files.keys()
        assert {path for path, body in packaged.items() if body != files[path]} == {"Chart.yaml"}


@pytest.mark.parametrize("chart", CHARTS)
def test_repacked_digest(helm: Path, chart: str, tmp_path: Path) -> None:
    """What helm packages and what the fake packages are one archive once they are repacked."""
    folder = CHARTS[chart](tmp_path)
    packages = [one.package(folder, tmp_path) for one in (real_helm(helm, tmp_path), MemoryHelm())]
    ours, theirs = (repack(package, tmp_path / f"{number}.tgz") for number, package in enumerate(packages))
    assert files_of(ours.archive.read_bytes()) == files_of(theirs.archive.read_bytes())
    assert (ours.digest, ours.metadata) == (theirs.digest, theirs.metadata)


@pytest.mark.parametrize("image", [f"{PRODUCTION}/widget-controller:1.2.3", "127.0.0.1:5000/staging/widget:9"])
def test_packaged_for_an_image(helm: Path, image: str, tmp_path: Path) -> None:
    """From the exported tree to the chart that is published, for this registry and another, both give one digest."""
    chart = sample_chart(tmp_path / "tree")
    facts = read_chart_facts("helm", (chart / "Chart.yaml").read_bytes(), (chart / "values.yaml").read_bytes())
    digests = []
    for name, one in (("real", real_helm(helm, tmp_path)), ("memory", MemoryHelm())):
        (tmp_path / name).mkdir()
        packaged = package_chart(tmp_path / "tree", facts, Name.parse(image), one, tmp_path / name)
        digests.append(packaged.digest)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("command", ["lint", "render", "package"])
def test_folder_without_a_chart(any_helm: Helm, command: str, tmp_path: Path) -> None:
    """A folder without Chart.yaml is refused, whatever is asked, and the file is named."""
    folder = plain_chart(tmp_path)
    (folder / "Chart.yaml").unlink()
    with pytest.raises(ChartUnusable, match=r"helm (lint|template|package) refuses the chart helm: ") as raised:
        any_helm.package(folder, tmp_path) if command == "package" else getattr(any_helm, command)(folder)
    assert "Chart.yaml" in "\n".join((raised.value.cause, *raised.value.detail))


def test_values_that_are_not_yaml(any_helm: Helm, tmp_path: Path) -> None:
    """Values that cannot be read are refused."""
    folder = plain_chart(tmp_path)
    (folder / "values.yaml").write_bytes(b"image: [")
    with pytest.raises(ChartUnusable, match="helm template refuses the chart helm: "):
        any_helm.render(folder)


# --- builders ---------------------------------------------------------------------------------------------------------

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Built:
    """An image, and by what and of what it was built."""

    builder: Builder
    request: BuildRequest
    image: BuiltImage

    @property
    def artifact(self) -> Artifact:
        """The image's content."""
        return self.image.artifact


def request_in(folder: Path) -> BuildRequest:
    SampleRepository(folder / "source", "widget", PRODUCTION, "seed", "widget-chart").write_release("1.2.3")
    return BuildRequest(
        service="widget",
        source=folder / "source",
        main="./cmd/controller",
        version="v1.2.3",
        revision=COMMIT,
        created=datetime(2026, 8, 13, 23, 46, 38, tzinfo=UTC),
        source_url="https://github.com/owner/widget-controller",
        platforms=BOTH,
        base=resolve_base("scratch", MemoryRegistry(), BOTH),
        folder=folder / "image",
    )


def go_builder(folder: Path) -> GoBuilder:
    environment = {"PATH": os.environ["PATH"], "HOME": "/dev/null/home", **go_caches(require_tool("go"))}

    def pause(seconds: float, why: str) -> None:
        raise AssertionError((seconds, why))

    return GoBuilder("go", Children(Lifetime()).run, environment, folder / "log", pause=pause)


HOME = Repository("registry.example", "widget-controller")


def published(built: Built) -> MemoryRegistry:
    """A registry that took the image, as it takes only what is complete."""
    client = MemoryRegistry()
    push(client, HOME, "v1.2.3", built.artifact)
    return client


@pytest.fixture(scope="module", params=["memory", "go"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    builder: Builder = MemoryBuilder() if request.param == "memory" else go_builder(folder)
    asked = request_in(folder)
    builder.inspect(asked.source, asked.main, asked.platforms)
    return Built(builder, asked, builder.build(asked))


def test_builder_names_itself(built: Built) -> None:
    """Its name is an input of the image, and its tool has a version."""
    assert built.image.inputs["builder"] == built.builder.name
    assert built.builder.check()


def test_index_says_what_it_is(built: Built) -> None:
    """The index is annotated with the release, its inputs and its platforms."""
    assert built.artifact.root.is_index
    assert built.artifact.root.annotations == {
        REVISION: COMMIT,
        SOURCE: "https://github.com/owner/widget-controller",
        CREATED: "2026-08-13T23:46:38Z",
        VERSION: "v1.2.3",
        RELEASE_VERSION: "1.2.3",
        RELEASE_INPUTS: inputs_text(built.image.inputs),
        RELEASE_PLATFORMS: "linux/amd64,linux/arm64",
    }


def test_platforms_in_order(built: Built) -> None:
    """There is one manifest for each platform, in the order of the request, and its config names that platform."""
    client = published(built)
    assert tuple(child.platform for child in built.artifact.root.children) == built.request.platforms
    configs = (client.read_blob(HOME, child.blobs[0]) for child in built.artifact.children)
    assert tuple(platform_of(json.loads(config)) for config in configs) == built.request.platforms


def test_digests_resolve(built: Built) -> None:
    """Every digest of the index is a child, every one of a child is a blob, and each file is what it should be."""
    assert [child.digest for child in built.artifact.root.children] == [one.digest for one in built.artifact.children]
    named = {blob.digest for child in built.artifact.children for blob in child.blobs}
    assert {blob.descriptor.digest for blob in built.artifact.blobs} == named
    assert len(built.artifact.blobs) == len(named)
    for blob in built.artifact.blobs:
        assert isinstance(blob.source, FileSource)
        assert sum(map(len, read_file(blob.source, blob.descriptor))) == blob.descriptor.size
    assert published(built).manifest(HOME, "v1.2.3") == built.artifact.root


def test_platforms_differ(built: Built) -> None:
    """Each platform has a program of its own, in its uppermost layer."""
    assert len({child.blobs[-1].digest for child in built.artifact.children}) == len(BOTH)


def test_same_request_same_digest(built: Built, tmp_path: Path) -> None:
    """Built again in another folder, the image is the same; of another commit it is another."""
    again = built.builder.build(replace(built.request, folder=tmp_path / "again"))
    assert again == replace(built.image, artifact=again.artifact)
    assert (again.artifact.root, again.artifact.children) == (built.artifact.root, built.artifact.children)
    other = built.builder.build(replace(built.request, folder=tmp_path / "other", revision="f" * 40))
    assert other.artifact.root.digest != built.artifact.root.digest


def test_image_stands_on_its_base(built: Built, tmp_path: Path) -> None:
    """The base's layers are the lowest of each platform, where they were found, and the base is an input."""
    client, base = MemoryRegistry(), Repository("registry.example", "base")
    layout = base_layout(tmp_path / "base")
    push(client, base, "1", layout)
    found = resolve_base(f"{base}:1", client, BOTH)
    image = built.builder.build(replace(built.request, base=found, folder=tmp_path / "image"))
    lowest = [child.blobs[1] for child in image.artifact.children]
    assert [blob.digest for blob in lowest] == [child.blobs[1].digest for child in layout.children]
    sources = {blob.descriptor.digest: blob.source for blob in image.artifact.blobs}
    assert [sources[blob.digest] for blob in lowest] == [RemoteSource(base)] * 2
    assert image.inputs["base"] == layout.root.digest


def test_main_that_is_not_there(built: Built, tmp_path: Path) -> None:
    """A main package whose folder is missing cannot be built, and is found to be missing without building."""
    with pytest.raises(BuildFailed, match=r"there is no folder \./cmd/other"):
        built.builder.inspect(built.request.source, "./cmd/other", built.request.platforms)
    with pytest.raises(BuildFailed, match=r"there is no folder \./cmd/other"):
        built.builder.build(replace(built.request, main="./cmd/other", folder=tmp_path))


# --- clones -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Both:
    """A repository of git's, and the same history in memory; each commit is made in both."""

    origin: Origin
    folder: Path
    commits: dict[str, Commit] = field(default_factory=dict)

    def commit(self, message: str, files: Mapping[str, bytes | None], *trailers: tuple[str, str]) -> str:
        """Commit on top of HEAD with these files changed, None for one that goes; return the commit."""
        head = self.origin.resolve("HEAD") if self.commits else None
        before = self.commits[head].files if head else {}
        said = "\n".join((message, "", *(f"{key}: {value}" for key, value in trailers)))
        commit = self.origin.commit(said, files)
        now = {path: body for path, body in {**before, **files}.items() if body is not None}
        time = datetime.fromisoformat(self.origin.git("show", "--no-patch", "--format=%cI", commit)).astimezone(UTC)
        self.commits[commit] = Commit(now, (head,) if head else (), time, trailers)
        return commit

    def real(self, ref: str, sha: str, *, blobless: bool = False) -> Clone:
        """Clone as Prow does, and open the clone, from which nothing can be fetched."""
        folder = clone_refs(self.folder / ref, self.origin, ref, sha, blobless=blobless)
        hidden = self.origin.folder.rename(self.origin.folder.with_name("hidden"))
        environment = child_environment({"PATH": os.environ["PATH"]}, self.folder / "work", [folder])
        try:
            return open_clone(folder, Children(Lifetime()).run, environment, ref=ref, sha=sha)
        finally:
            hidden.rename(self.origin.folder)

    def in_memory(self, ref: str, sha: str, *, blobless: bool = False) -> Clone:
        """The same clone in memory: clonerefs makes a branch of the ref, and leaves no other."""
        named = {name: self.origin.resolve(f"refs/tags/{name}") for name in self.origin.git("tag").split()}
        peeled = {name: self.origin.resolve(f"refs/tags/{name}^{{commit}}") for name in named}
        head = self.origin.resolve(f"{sha}^{{commit}}")
        history = History(
            commits=self.commits,
            head=head,
            tags=named,
            branches={ref: head},
            tag_objects={named[name]: commit for name, commit in peeled.items() if named[name] != commit},
            blobless=blobless,
        )
        return MemoryClone.of(history, ref=ref, sha=sha)


FILES: Mapping[str, bytes] = {
    "README.md": b"# widget\n",
    "helm/Chart.yaml": b"version: 1.2.3\n",
    "helm/templates/NOTES.txt": b"",
    "helm.yaml": "Größe\r\n".encode(),
    "helm-2/binary": b"\x00\xff\n",
    "cmd/controller/main.go": b"package main\n",
}


@pytest.fixture
def both(tmp_path: Path) -> Both:
    """Two releases, the later with a lightweight tag, a tag of nothing that is released, and a commit on main."""
    made = Both(make_origin(tmp_path / "origin"), tmp_path)
    made.commit("Release 1.2.3", FILES)
    made.origin.tag("v1.2.3")
    made.commit(
        "Release 1.10.0",
        {"helm/Chart.yaml": b"version: 1.10.0\n", "README.md": None},
        ("Stable-Move", "backwards"),
        ("Signed-off-by", "Ada"),
    )
    made.origin.tag("v1.10.0", annotated=False)
    made.origin.tag("nightly")
    made.commit("Go on", {"new": b""})
    return made


Opened = Callable[..., "Clone"]


@pytest.fixture(params=["memory", "git"])
def opened(request: pytest.FixtureRequest, both: Both) -> Opened:
    """Opens a clone for the push of a tag."""
    open_it = both.in_memory if request.param == "memory" else both.real

    def of(ref: str = "v1.10.0", *, blobless: bool = False) -> Clone:
        return open_it(ref, both.origin.resolve(f"refs/tags/{ref}"), blobless=blobless)

    return of


@pytest.mark.parametrize("ref", ["v1.2.3", "v1.10.0", "main"])
def test_head_of_a_clone(both: Both, ref: str) -> None:
    """HEAD, its time and trailers, what the ref and the pushed object are, and which tags it contains are the same."""
    sha = both.origin.resolve(f"refs/{'heads' if ref == 'main' else 'tags'}/{ref}")
    assert both.in_memory(ref, sha).head == both.real(ref, sha).head


def test_head_says_what_was_pushed(opened: Opened, both: Both) -> None:
    """An annotated tag is peeled and known as one; trailers are those of HEAD; later tags are not merged."""
    first = both.origin.resolve("refs/tags/v1.2.3^{commit}")
    annotated, lightweight = opened("v1.2.3").head, opened("v1.10.0").head
    assert (annotated.commit, annotated.tag_commit, annotated.base_sha_commit) == (first, first, first)
    assert (annotated.base_sha_is_tag, lightweight.base_sha_is_tag) == (True, False)
    assert (annotated.merged_tags, lightweight.merged_tags) == (("v1.2.3",), ("nightly", "v1.10.0", "v1.2.3"))
    assert lightweight.trailers == (("Stable-Move", "backwards"), ("Signed-off-by", "Ada"))


def test_files_of_a_clone(opened: Opened, both: Both) -> None:
    """Files are those of HEAD or of the commit that is named, byte for byte; folders and what is not there are None."""
    clone = opened()
    names = (*FILES, "helm", "helm/", "new", "", "../outside", "a\nb", "cmd/controller/main.go/further")
    at_head = {**dict.fromkeys(names), **FILES, "README.md": None, "helm/Chart.yaml": b"version: 1.10.0\n"}
    assert clone.files([*names, "helm"]) == at_head
    first = both.origin.resolve("refs/tags/v1.2.3^{commit}")
    assert clone.files(names, at=first) == {**dict.fromkeys(names), **FILES}
    assert clone.files(["helm.yaml"], at="1" * 40) == {"helm.yaml": None}
    assert clone.files([]) == {}


def test_files_without_blobs(opened: Opened, both: Both) -> None:
    """Without blobs another commit's files are read where HEAD has the same; one that it has not leaves all unread."""
    clone = opened(blobless=True)
    first = both.origin.resolve("refs/tags/v1.2.3^{commit}")
    assert clone.files(["helm.yaml", "gone"], at=first) == {"helm.yaml": FILES["helm.yaml"], "gone": None}
    assert clone.files(["helm.yaml", "README.md"], at=first) == {"helm.yaml": None, "README.md": None}
    assert clone.files(["helm.yaml", "README.md"]) == {"helm.yaml": FILES["helm.yaml"], "README.md": None}
    assert clone.resolve([f"{first}:helm"]) == {f"{first}:helm": both.origin.resolve(f"{first}:helm")}


def test_objects_of_a_clone(opened: Opened, both: Both) -> None:
    """Tags, commits, folders and files have git's ids; what is not there has none."""
    clone = opened()
    head = clone.head.commit
    known = (
        *("refs/tags/v1.2.3", "refs/tags/v1.2.3^{commit}", "refs/tags/v1.10.0", head, f"{head}^{{commit}}"),
        *(f"{head}:{path}" for path in ("", "helm", "helm/templates", "helm.yaml", "cmd")),
        *(f"refs/tags/v1.2.3{peel}:helm" for peel in ("", "^{commit}")),
    )
    missing = (
        *("", "refs/tags/v9.9.9", "refs/tags/v9.9.9^{commit}", "refs/tags/v9.9.9^{commit}:helm"),
        *("1" * 40, f"{'1' * 40}:helm", f"{head}:README.md", f"{head}:services/helm"),
    )
    expected = {name: both.origin.resolve(name) for name in known}
    assert clone.resolve((*known, *missing, head)) == expected | dict.fromkeys(missing)


def test_what_a_clone_contains(opened: Opened, both: Both) -> None:
    """HEAD and what is before it are contained, by full id, a tag object too; what is after it or unknown is not."""
    clone = opened("v1.2.3")
    inside = ("refs/tags/v1.2.3^{commit}", "refs/tags/v1.2.3")
    outside = ("refs/tags/v1.10.0", "refs/tags/nightly", "refs/heads/main")
    assert [clone.contains(both.origin.resolve(name)) for name in inside] == [True, True]
    assert [clone.contains(both.origin.resolve(name)) for name in outside] == [False, False, False]
    assert not any(clone.contains(name) for name in ("1" * 40, "1" * 64, "", "HEAD", "v1.2.3", clone.head.commit[:7]))
    assert opened().contains(both.origin.resolve("refs/tags/v1.2.3^{commit}"))


def test_export_of_a_clone(opened: Opened, tmp_path: Path) -> None:
    """The files of HEAD, and nothing else, are written to a folder that must not be there before."""
    clone = opened()
    folder = clone.export(tmp_path / "new" / "source")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert folder == tmp_path / "new" / "source"
    assert files == {**clone.files(files), "helm/Chart.yaml": b"version: 1.10.0\n"}
    assert set(files) == set(FILES) - {"README.md"}
    assert [path.name for path in folder.parent.iterdir()] == ["source"]
    with pytest.raises(FileExistsError):
        clone.export(folder)
