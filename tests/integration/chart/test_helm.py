"""Both majors of the real helm on real charts, and on charts with every fault that helm is to find."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from runner.chart.archive import files_of, read_metadata, repack
from runner.chart.facts import read_chart_facts
from runner.chart.helm import Helm
from runner.chart.staging import rewrite_image
from runner.chart.workload import check_workload
from runner.errors import ChartUnusable, RunEnded, ToolUnusable
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.versions import LARGEST_NUMBER, ReleaseVersion, StableChannel, is_read_by_helm
from testbed.files import write_files
from testbed.real_controllers import Controller
from tests.support.bundles import open_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BASE = "public.ecr.aws/aws-controllers-k8s"
REAL = {
    ("ecr", "v0.0.3"): f"{BASE}/controller:ecr-v0.0.3",
    ("s3", "v0.0.3"): f"{BASE}/s3-controller:v0.0.3",
    ("s3", "v1.0.3"): f"{BASE}/s3-controller:v1.0.3",
    ("s3", "v1.10.0"): f"{BASE}/s3-controller:1.10.0",
    ("s3", "stable"): f"{BASE}/s3-controller:v0.1.4",
    ("ecr", "stable"): f"{BASE}/ecr-controller:v0.1.5",
}
"""The image of one chart of each era, and of the two stable branches."""

CHART = b"apiVersion: v2\nname: s3-chart\nversion: 1.2.3\nappVersion: 1.2.3\nicon: https://example.com/i.png\n"
VALUES = f"image:\n  repository: {BASE}/s3-controller\n  tag: 1.2.3\n".encode()
DEPLOYMENT = b"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - name: controller
        image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
"""
SMALL: Mapping[str, bytes] = {
    "Chart.yaml": CHART,
    "values.yaml": VALUES,
    "templates/deployment.yaml": DEPLOYMENT,
    "templates/NOTES.txt": f"It deploys {BASE}/s3-controller:1.2.3\n".encode(),
}


def helm_of(executable: Path | str, home: Path, *, log: Path | None = None, path: str | None = None) -> Helm:
    """Helm with nothing of this machine but PATH."""
    environment = {"PATH": os.environ["PATH"] if path is None else path, "HOME": str(home)}
    return Helm(str(executable), Children(Lifetime()).run, environment, log)


def small(folder: Path, changed: Mapping[str, bytes | None] | None = None) -> Path:
    """A small chart that passes, but for what is changed or (None) left out."""
    files = {path: body for path, body in {**SMALL, **(changed or {})}.items() if body is not None}
    return write_files(folder / "helm", files)


def program(folder: Path, body: str) -> Path:
    """A shell script in the place of helm."""
    folder.mkdir(exist_ok=True)
    file = folder / "helm"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Mapping[str, bytes]]:
    charts = {}
    for service in ("s3", "ecr"):
        controller = Controller(service, open_bundle(service, tmp_path_factory.mktemp(service) / "bare").folder)
        refs = [ref for name, ref in REAL if name == service]
        for ref, files in controller.read(refs, "helm").items():
            charts[service, ref] = {path.removeprefix("helm/"): body for path, body in files.items()}
    return charts


def test_both_majors_are_accepted(helm: Path, tmp_path: Path) -> None:
    """The version is given without its v, whether helm was built by its makers or from its module."""
    version = helm_of(helm, tmp_path).version()
    assert version.startswith({"helm3": "3.", "helm4": "4."}[helm.name])


def test_helm_is_found_on_the_path_of_its_environment(helm: Path, tmp_path: Path) -> None:
    """A bare name is looked up in the environment that helm gets, not in the runner's own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "some-helm").symlink_to(helm.resolve())
    assert helm_of("some-helm", tmp_path, path=str(tmp_path / "bin")).version()


@pytest.mark.parametrize(
    ("says", "version"),
    [("v3.17.0", "3.17.0"), ("v3.17", "3.17"), ("4.0.0-rc.1+g1234567", "4.0.0-rc.1+g1234567"), ("v5.0.0", "5.0.0")],
)
def test_a_new_enough_helm_is_accepted(says: str, version: str, tmp_path: Path) -> None:
    """3.17 is the oldest; the future is not refused."""
    assert helm_of(program(tmp_path / "bin", f"echo '{says}'"), tmp_path).version() == version


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("echo v3.16.4", r"{} is 3\.16\.4"),
        ("echo v2.17.0", r"{} is 2\.17\.0"),
        ("echo unknown", "{} prints no version"),
        ("echo v4.0.0; exit 1", "{} prints no version"),
        ("exec /nonexistent/interpreter", "{} prints no version"),
    ],
)
def test_another_helm_is_refused(body: str, cause: str, tmp_path: Path) -> None:
    """Too old, or not helm at all: the cause says what was found where, and what is needed."""
    executable = program(tmp_path / "bin", body)
    with pytest.raises(ToolUnusable, match=f"helm 3.17 or newer is needed; {cause.format(executable)}"):
        helm_of("helm", tmp_path, path=f"{tmp_path / 'bin'}:/bin").version()


@pytest.mark.parametrize("executable", ["no-such-helm", "/no/such/helm", "folder", "data"])
def test_a_missing_helm_is_refused(executable: str, tmp_path: Path) -> None:
    """Nothing of that name, a folder, a file that is no program: none can be started."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "data").write_text("data")
    wanted = str(tmp_path / executable) if (tmp_path / executable).exists() else executable
    with pytest.raises(ToolUnusable, match=rf"helm 3\.17 or newer is needed; {wanted} cannot be started"):
        helm_of(wanted, tmp_path).version()


@pytest.mark.parametrize("key", sorted(REAL), ids="-".join)
def test_real_charts_pass(
    key: tuple[str, str], real: Mapping[tuple[str, str], Mapping[str, bytes]], helm: Path, tmp_path: Path
) -> None:
    """A chart of every era is linted, rendered with its image, and packaged, by both majors."""
    chart = write_files(tmp_path / "helm", real[key])
    caller = helm_of(helm, tmp_path)
    facts = read_chart_facts("helm", real[key]["Chart.yaml"], real[key]["values.yaml"])
    strict = facts.version == "1.10.0" or helm.name == "helm3"
    assert caller.lint(chart) == (() if strict else (f"Chart.yaml: version '{facts.version}' is not a valid SemVerV2",))
    assert check_workload(caller.render(chart), REAL[key]) == ()
    packaged = caller.package(chart, tmp_path)
    assert packaged.name == f"{facts.name}-{facts.version}.tgz"
    files = files_of(packaged.read_bytes())
    assert read_metadata(files)["version"] == facts.version
    assert {path: body for path, body in files.items() if path != "Chart.yaml"} == {
        path: body for path, body in real[key].items() if path != "Chart.yaml"
    }


VERSIONS = (
    *("1.2.3", "v1.2.3", "1", "v1", "1.2", "v1-stable", "1-stable", "01.02.03", "1.2.3-rc.1", "1.2.3-rc.1+b.c", "1-0x"),
    *("1.2.3.4", "latest", "s3-v1.2.3", "1.2_x", "vv1.2.3", "V1.2.3", "1.2.\u0663", "1..2", "1.2.3 4", "00"),
    *(f"{number}.{other}.0" for number in (LARGEST_NUMBER, LARGEST_NUMBER + 1) for other in (0, 1)),
    *(f"0.{LARGEST_NUMBER + 1}.0", f"1.2.{LARGEST_NUMBER}", f"v1.2.{LARGEST_NUMBER + 1}", "111111111111111111111.0.0"),
    *(f"v{LARGEST_NUMBER}-stable", f"v{LARGEST_NUMBER + 1}-stable", f"{'0' * 30}1.2.3"),
)


def test_versions_that_helm_reads(helm: Path, tmp_path: Path) -> None:
    """Helm packages charts of exactly the versions that we say it reads, among them every release and channel."""
    caller, read = helm_of(helm, tmp_path), set()
    for number, version in enumerate(VERSIONS):
        said = CHART.replace(b"version: 1.2.3", f"version: '{version}'".encode(), 1)
        chart = small(tmp_path / str(number), {"Chart.yaml": said})
        try:
            caller.package(chart, tmp_path)
        except ChartUnusable as error:
            assert "version" in error.cause, version  # noqa: PT017 - it is the version that helm refuses
        else:
            read.add(version)
    assert read == {version for version in VERSIONS if is_read_by_helm(version)}
    ours = {version for version in VERSIONS if ReleaseVersion.of_chart(version) or StableChannel.of_chart(version)}
    assert ours <= read
    assert {f"{LARGEST_NUMBER}.0.0", f"1.2.{LARGEST_NUMBER}", f"v{LARGEST_NUMBER}-stable"} <= ours


def test_two_packages_of_one_chart_are_one_archive(helm3: Path, helm4: Path, tmp_path: Path) -> None:
    """Other files' times, another folder and the other major change nothing after repacking."""
    digests = set()
    for number, helm in enumerate((helm3, helm4, helm3, helm4)):
        chart = small(tmp_path / str(number))
        for path in chart.rglob("*"):
            os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
        package = helm_of(helm, tmp_path).package(chart, tmp_path)
        digests.add(repack(package, tmp_path / f"{number}.tgz").digest)
    assert len(digests) == 1


def test_packages_of_one_name_do_not_meet(helm4: Path, tmp_path: Path) -> None:
    """Two services with one chart name share a destination without harm."""
    caller = helm_of(helm4, tmp_path)
    first, second = (caller.package(small(tmp_path / name, {"x": name.encode()}), tmp_path) for name in ("one", "two"))
    assert first.name == second.name
    assert [files_of(path.read_bytes())["x"] for path in (first, second)] == [b"one", b"two"]


def test_a_staged_chart_runs_the_staged_image(
    real: Mapping[tuple[str, str], Mapping[str, bytes]], helm: Path, tmp_path: Path
) -> None:
    """After the values were rewritten, the real chart renders the other registry's image, and NOTES are warned of."""
    files = real["s3", "v1.10.0"]
    chart = write_files(tmp_path / "helm", files)
    facts = read_chart_facts("helm", files["Chart.yaml"], files["values.yaml"])
    told = rewrite_image(chart, facts, "127.0.0.1:5000/staging/s3-controller", "1.10.0")
    assert told == (f"helm/templates/NOTES.txt:2: still names {BASE}/s3-controller:1.10.0",)
    caller = helm_of(helm, tmp_path)
    assert caller.lint(chart) == ()
    assert check_workload(caller.render(chart), "127.0.0.1:5000/staging/s3-controller:1.10.0") == ()


def test_warnings_are_one_line_each(helm: Path, tmp_path: Path) -> None:
    """Helm's information is left out, and what it says over several lines is joined."""
    chart = small(
        tmp_path,
        {
            "Chart.yaml": CHART.replace(b"icon:", b"unknown: x\n#"),
            "templates/old.yaml": b"apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: x}\n",
        },
    )
    warnings = helm_of(helm, tmp_path).lint(chart)
    assert len(warnings) == {"helm3": 1, "helm4": 2}[helm.name]
    assert "policy/v1beta1 PodDisruptionBudget is deprecated" in warnings[-1]
    assert 'unknown field "unknown"' in warnings[0] or helm.name == "helm3"
    assert not any("\n" in warning or "icon" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("changed", "command", "cause"),
    [
        ({"Chart.yaml": CHART.replace(b"1.2.3", b"one")}, "lint", "version 'one' is not a valid SemVer"),
        ({"templates/deployment.yaml": DEPLOYMENT + b"{{ end }}"}, "lint", r"templates/.*unexpected .*end"),
        ({"templates/deployment.yaml": b"a: b: c\n"}, "lint", "templates/deployment.yaml: unable to parse YAML"),
        ({"values.schema.json": b'{"required": ["absent"]}'}, "lint", "absent"),
        ({"Chart.yaml": CHART + b"kubeVersion: '<1.20'\n"}, "render", "incompatible with Kubernetes v1.34.0"),
        ({"templates/deployment.yaml": b'{{ fail "on purpose" }}'}, "render", "on purpose"),
        ({"templates/deployment.yaml": b'{{ required "wanted" .Values.no }}'}, "render", "wanted"),
        (
            {"Chart.yaml": CHART + b"dependencies: [{name: d, version: 1.0.0, repository: 'https://x'}]\n"},
            "package",
            "missing in charts/ directory: d",
        ),
        ({"Chart.yaml": None}, "package", r"unable to detect chart at helm/Chart\.yaml|Chart\.yaml file is missing"),
    ],
    ids=["version", "template", "YAML", "schema", "cluster", "fail", "required", "dependency", "no chart"],
)
def test_a_chart_that_helm_refuses_is_unusable(
    changed: Mapping[str, bytes | None], command: str, cause: str, helm: Path, tmp_path: Path
) -> None:
    """The cause has helm's own words, the detail its last lines, and neither a temporary folder."""
    chart = small(tmp_path, changed)
    caller = helm_of(helm, tmp_path)
    calls = {"lint": lambda: caller.lint(chart), "render": lambda: caller.render(chart)}
    with pytest.raises(ChartUnusable, match=cause) as refused:
        calls.get(command, lambda: caller.package(chart, tmp_path))()
    assert "refuses the chart helm: " in refused.value.cause
    assert refused.value.detail
    assert str(tmp_path) not in "\n".join((refused.value.cause, *refused.value.detail))


def test_a_helm_that_says_nothing_is_told_by_its_exit_code(tmp_path: Path) -> None:
    """A silent failure still has a cause."""
    executable = program(tmp_path / "bin", "exit 3")
    with pytest.raises(ChartUnusable, match="helm package refuses the chart helm: it exits with 3"):
        helm_of(executable, tmp_path).package(small(tmp_path), tmp_path)


def test_what_is_rendered_must_be_yaml(tmp_path: Path) -> None:
    """Output that no parser takes is the chart's fault."""
    executable = program(tmp_path / "bin", "printf 'kind: Pod\\n- a\\n'")
    with pytest.raises(ChartUnusable, match=r"what helm template renders from helm is not YAML: line 2"):
        helm_of(executable, tmp_path).render(small(tmp_path))


def test_rendering_does_not_depend_on_helms_own_cluster_version(helm3: Path, helm4: Path, tmp_path: Path) -> None:
    """Both majors render for one version of Kubernetes, one release name and one namespace."""
    template = b"version: {{ .Capabilities.KubeVersion }}\nname: {{ .Release.Name }}\nin: {{ .Release.Namespace }}\n"
    chart = small(tmp_path, {"templates/deployment.yaml": template})
    expected = ({"version": "v1.34.0", "name": "ack-release", "in": "ack-system"},)
    assert [helm_of(helm, tmp_path).render(chart) for helm in (helm3, helm4)] == [expected, expected]


def test_a_chart_may_be_of_a_recent_kubernetes_only(helm: Path, tmp_path: Path) -> None:
    """A constraint on the cluster's version does not keep a chart of today from being linted and rendered."""
    chart = small(tmp_path, {"Chart.yaml": CHART + b"kubeVersion: '>=1.30.0-0'\n"})
    caller = helm_of(helm, tmp_path)
    assert caller.lint(chart) == ()
    assert check_workload(caller.render(chart), f"{BASE}/s3-controller:1.2.3") == ()


@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", "../absent"])
def test_a_link_out_of_the_chart_is_refused(target: str, helm: Path, tmp_path: Path) -> None:
    """Helm would put what it points at into a public archive."""
    (tmp_path / "outside").write_text("secret")
    chart = small(tmp_path)
    (chart / "file").symlink_to(target)
    with pytest.raises(ChartUnusable, match=f"helm/file is a link to {target}, outside of the chart"):
        helm_of(helm, tmp_path).lint(chart)


def test_a_link_within_the_chart_is_allowed(helm: Path, tmp_path: Path) -> None:
    """It is packaged as the file that it points at."""
    chart = small(tmp_path)
    (chart / "copy.txt").symlink_to("templates/NOTES.txt")
    caller = helm_of(helm, tmp_path)
    assert caller.lint(chart) == ()
    files = files_of(caller.package(chart, tmp_path).read_bytes())
    assert files["copy.txt"] == files["templates/NOTES.txt"] == SMALL["templates/NOTES.txt"]


def test_helms_output_is_kept(helm4: Path, tmp_path: Path) -> None:
    """Everything helm prints goes to the log, in the order of the calls."""
    log = tmp_path / "helm.log"
    caller = helm_of(helm4, tmp_path, log=log)
    chart = small(tmp_path)
    caller.lint(chart)
    caller.render(chart)
    text = log.read_text()
    assert text.index("1 chart(s) linted") < text.index("kind: Deployment")
    assert [yaml.safe_load(line)["kind"] for line in text.splitlines() if line.startswith("kind:")] == ["Deployment"]


def test_helm_is_not_called_after_the_end(helm4: Path, tmp_path: Path) -> None:
    """An ended run starts no helm."""
    lifetime = Lifetime()
    lifetime.end("SIGTERM")
    caller = Helm(str(helm4), Children(lifetime).run, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    with pytest.raises(RunEnded):
        caller.version()
