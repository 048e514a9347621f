"""The only place that calls helm."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.chart.yaml_text import YamlInvalid, parse
from runner.errors import ChartUnusable, ToolUnusable
from runner.pointers import real_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.runtime.process import Finished, Run

MINIMUM = (3, 17)
RELEASE = "ack-release"
NAMESPACE = "ack-system"
KUBERNETES = "1.34.0"
"""The cluster's version that charts are rendered for: each build of helm has another one of its own."""

_PROBE = """\
apiVersion: v2
name: probe
version: 1.0.0
"""
_JUDGED = """\
allowed:
{{- range .Values.versions }}
{{- if semverCompare $.Values.constraint . }}
- {{ . | quote }}
{{- end }}
{{- end }}
"""


class Helm:
    """Calls helm on a chart in a folder; never on a cluster, never over the network.

    Args:
        executable: a name to be found on the environment's PATH, or a path.
        run: how a program is started.
        environment: helm's whole environment.
        log: a file to which all of helm's output is appended.
    """

    def __init__(self, executable: str, run: Run, environment: Mapping[str, str], log: Path | None = None) -> None:
        self._executable = executable
        self._run = run
        self._environment = environment
        self._log = log

    def version(self) -> str:
        """Return helm's version, e.g. ``4.2.4`` (``4.2`` of one that was built from its module).

        Raises:
            ToolUnusable: helm is missing, cannot be started, or is older than 3.17. Until then helm could not take a
                tag or digest in a chart's reference.
        """
        wanted = f"helm {MINIMUM[0]}.{MINIMUM[1]} or newer is needed"
        place = shutil.which(self._executable, path=self._environment.get("PATH")) or self._executable
        try:
            finished = self._helm("version", "--template", "{{.Version}}")
        except OSError as error:
            raise ToolUnusable(f"{wanted}; {self._executable} cannot be started: {error.strerror}") from error
        found = re.fullmatch(r"v?((\d+)\.(\d+)\S*)", finished.stdout.strip())
        if not finished.ok or found is None:
            raise ToolUnusable(f"{wanted}; {place} prints no version", detail=finished.tail())
        if (int(found[2]), int(found[3])) < MINIMUM:
            raise ToolUnusable(f"{wanted}; {place} is {found[1]}")
        return found[1]

    def lint(self, chart: Path, kubernetes: str = KUBERNETES) -> tuple[str, ...]:
        """Return helm's warnings about a chart on a cluster of this version, each on one line.

        Raises:
            ChartUnusable: helm finds an error, or a link in the chart leads out of it (helm would package what it
                points at).
        """
        _refuse_links_outwards(chart)
        finished = self._on(chart, "lint", "--kube-version", kubernetes)
        messages = _messages(finished.stdout)
        if not finished.ok:
            errors = [text for severity, text in messages if severity == "ERROR"]
            raise _refused(chart, finished, *errors)
        return tuple(text for severity, text in messages if severity == "WARNING")

    def render(self, chart: Path, kubernetes: str = KUBERNETES) -> tuple[Any, ...]:
        """Return the documents that the chart renders with its own values, without its CRDs and notes.

        Raises:
            ChartUnusable: helm cannot render the chart for this version of Kubernetes, or what it renders is not YAML.
        """
        finished = self._on(
            chart, "template", "--namespace", NAMESPACE, "--kube-version", kubernetes, before_chart=RELEASE
        )
        if not finished.ok:
            raise _refused(chart, finished)
        try:
            return parse(finished.stdout)
        except YamlInvalid as error:
            raise ChartUnusable(f"what helm template renders from {chart.name} is not YAML: {error}") from error

    def allowed(self, constraint: str, versions: Sequence[str], destination: Path) -> tuple[str, ...]:
        """Return those of some versions that a constraint allows, in their order; none where helm cannot read it.

        Helm judges all of them at once, by the function for templates that compares as it does itself
        (Masterminds/semver). Below ``destination`` a chart is made for that.
        """
        probe = Path(tempfile.mkdtemp(prefix="probe-", dir=destination))
        (probe / "templates").mkdir()
        (probe / "Chart.yaml").write_text(_PROBE)
        (probe / "templates" / "judged.yaml").write_text(_JUDGED)
        (probe / "values.yaml").write_text(json.dumps({"constraint": constraint, "versions": list(versions)}))
        finished = self._on(probe, "template", before_chart=RELEASE)
        try:
            judged = parse(finished.stdout) if finished.ok else ()
        except YamlInvalid:
            judged = ()
        return tuple(version for document in judged for version in document["allowed"] or ())

    def package(self, chart: Path, destination: Path) -> Path:
        """Package a chart into a new folder below ``destination`` and return the archive.

        Raises:
            ChartUnusable: helm cannot package the chart.
        """
        folder = Path(tempfile.mkdtemp(prefix="helm-", dir=destination))
        finished = self._on(chart, "package", "--destination", str(folder))
        archives = sorted(folder.glob("*.tgz"))
        if not finished.ok or len(archives) != 1:
            raise _refused(chart, finished)
        return archives[0]

    def _helm(self, *arguments: str, folder: Path | None = None) -> Finished:
        return self._run((self._executable, *arguments), env=self._environment, cwd=folder, log=self._log)

    def _on(self, chart: Path, command: str, *options: str, before_chart: str | None = None) -> Finished:
        # From the folder above, so that helm's messages name no temporary folder.
        names = [name for name in (before_chart, f"./{chart.name}") if name is not None]
        return self._helm(command, *names, *options, folder=chart.parent)


def _refused(chart: Path, finished: Finished, *errors: str) -> ChartUnusable:
    tail = tuple(line.replace(f"{chart.parent}/", "") for line in finished.tail())
    errors = tuple(error.replace(f"{chart.parent}/", "") for error in errors)
    said = [line.removeprefix("Error: ") for line in tail if line.startswith("Error: ")]
    reason = (*errors, *said, *reversed(tail), f"it exits with {finished.returncode}")[0]
    return ChartUnusable(f"helm {finished.argv[1]} refuses the chart {chart.name}: {reason}", detail=tail)


def _messages(output: str) -> list[tuple[str, str]]:
    """Lint's messages as (severity, text); what follows on indented lines belongs to the one before."""
    messages: list[tuple[str, str]] = []
    for line in output.splitlines():
        begun = re.match(r"\[(\w+)\] (.*)", line)
        if begun:
            messages.append((begun[1], begun[2].strip()))
        elif messages and line[:1].isspace() and line.strip():
            severity, text = messages[-1]
            messages[-1] = (severity, f"{text} {line.strip()}")
    return messages


def _refuse_links_outwards(chart: Path) -> None:
    inside = chart.resolve()
    for path in sorted(chart.rglob("*")):
        if path.is_symlink() and not real_path(path).is_relative_to(inside):
            raise ChartUnusable(
                f"{chart.name}/{path.relative_to(chart)} is a link to {path.readlink()}, outside of the chart",
                remedy="Put a copy of the file into the chart, commit, and tag that commit with the next version.",
            )
