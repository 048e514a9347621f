"""A helm in memory: no program, but of a plain chart the same archive and the same image."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runner.chart.archive import read_metadata
from runner.chart.facts import VALUES_FILE
from runner.chart.helm import KUBERNETES, NAMESPACE, RELEASE, Helm
from runner.chart.manifest import METADATA_KEYS
from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.errors import ChartUnusable
from testbed.memory.calls import Calls

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemoryHelm(Helm):
    """Takes a chart for what its two files say; templates, sub-charts and ``.helmignore`` mean nothing to it.

    ``calls`` are about the chart's folder, by its own name.

    Args:
        version: what it says of itself.
        warnings: what lint says of every chart.
    """

    def __init__(self, version: str = "4.2.4", warnings: tuple[str, ...] = ()) -> None:
        self.calls = Calls()
        self._version = version
        self._warnings = warnings

    def version(self) -> str:
        """Return the configured version."""
        return self.calls.carry_out("version", "", lambda: self._version)

    def lint(self, chart: Path, kubernetes: str = KUBERNETES) -> tuple[str, ...]:  # noqa: ARG002 - as the real one
        """Return the configured warnings, where the chart has a name and a version."""

        def lint() -> tuple[str, ...]:
            _read(chart, "lint")
            return self._warnings

        return self.calls.carry_out("lint", chart.name, lint)

    def render(self, chart: Path, kubernetes: str = KUBERNETES) -> tuple[Any, ...]:  # noqa: ARG002 - as the real one
        """Return a Deployment that runs the image which the values name."""
        return self.calls.carry_out("render", chart.name, lambda: (_deployment(chart),))

    def allowed(self, constraint: str, versions: Sequence[str], destination: Path) -> tuple[str, ...]:  # noqa: ARG002
        """Return the versions of a constraint that is one version; a range means nothing to it."""
        found = tuple(version for version in versions if version == constraint.removeprefix("="))
        return self.calls.carry_out("allowed", constraint, lambda: found)

    def package(self, chart: Path, destination: Path) -> Path:
        """Package all files in a new folder, Chart.yaml written anew with its keys in the order of the alphabet."""
        return self.calls.carry_out("package", chart.name, lambda: _package(chart, destination))


def _read(chart: Path, command: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The chart's files, and what its Chart.yaml says."""
    files = {path.relative_to(chart).as_posix(): path.read_bytes() for path in chart.rglob("*") if path.is_file()}
    try:
        return files, read_metadata(files)
    except ValueError as error:
        raise ChartUnusable(f"helm {command} refuses the chart {chart.name}: {error}") from error


def _deployment(chart: Path) -> dict[str, Any]:
    files, _ = _read(chart, "template")
    try:
        values = Mapped.read(files.get(VALUES_FILE, b"{}"))
    except YamlInvalid as error:
        raise ChartUnusable(f"helm template refuses the chart {chart.name}: {error}") from error
    repository, tag = (found.text if (found := values.scalar("image", key)) else "" for key in ("repository", "tag"))
    container = {"name": "controller", "image": f"{repository}:{tag}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": RELEASE, "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def _package(chart: Path, destination: Path) -> Path:
    files, metadata = _read(chart, "package")
    written = {key: value for key, value in metadata.items() if key in METADATA_KEYS}
    files["Chart.yaml"] = yaml.safe_dump(written, width=10**6, allow_unicode=True).encode()
    archive = Path(tempfile.mkdtemp(prefix="helm-", dir=destination)) / f"{metadata['name']}-{metadata['version']}.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for path, body in files.items():
            member = tarfile.TarInfo(f"{metadata['name']}/{path}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return archive
