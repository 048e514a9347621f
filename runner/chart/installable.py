"""Whether a cluster can install what a chart renders with its own values: only what is certain. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runner.chart.crds import SUFFIXES, definitions, objects
from runner.chart.facts import VALUES_FILE, refuse
from runner.chart.helm import NAMESPACE
from runner.chart.workload import TEMPLATE
from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.errors import ChartUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOOK = "helm.sh/hook"
"""The annotation of what Helm does not install with the rest, but deletes and makes again at certain moments."""

STORED_AT_MOST = 1024 * 1024
"""Bytes of a Secret (Kubernetes' core/v1, MaxSecretSize), in which Helm keeps a release with its chart, in base64."""

_TRUE = frozenset({"true", "yes", "on"})


def check_installable(files: Mapping[str, bytes], documents: Sequence[Any], size: int) -> None:
    """Check that nothing in a chart is sure to fail when it is installed.

    Args:
        files: the archive's, by path in the chart.
        documents: what ``helm template`` rendered, parsed.
        size: the archive's, in bytes.

    Raises:
        ChartUnusable: with everything that is found in its detail.
    """
    found = [one for document in documents if document is not None for one in objects(document)]
    incomplete = [problem for one in found if (problem := _incomplete(one)) is not None]
    if incomplete:
        refuse(ChartUnusable, incomplete)
    problems = [*_twice(found), *_also_in_crds(files, found), *_without_account(files, found)]
    if size * 4 // 3 > STORED_AT_MOST:
        problems.append(f"the chart has {size} bytes, and Helm can store no release of more than {STORED_AT_MOST}")
    if problems:
        refuse(ChartUnusable, problems)


def _incomplete(one: Any) -> str | None:  # noqa: ANN401 - whatever YAML holds
    if not isinstance(one, dict):
        return f"the chart renders {str(one)[:80]!r}, which is no object of Kubernetes"
    metadata = _mapping(one, "metadata")
    missing = [key for key in ("apiVersion", "kind") if not one.get(key)]
    if not (metadata.get("name") or metadata.get("generateName")):
        missing.append("metadata.name")
    return f"rendered, {_called(one)} has no {' and no '.join(missing)}" if missing else None


def _twice(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    seen: set[tuple[str, ...]] = set()
    for one in found:
        metadata = _mapping(one, "metadata")
        if HOOK in _mapping(metadata, "annotations") or not metadata.get("name"):
            continue
        group = str(one["apiVersion"]).rpartition("/")[0]
        key = (group, str(one["kind"]), _namespace(one), str(metadata["name"]))
        if key in seen:
            yield f"the chart renders {_called(one)} twice"
        seen.add(key)


def _also_in_crds(files: Mapping[str, bytes], found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Helm installs what is in crds first, and then refuses to adopt it as part of the release."""
    names = {str(_mapping(one, "metadata").get("name")) for one in found if one["kind"] == "CustomResourceDefinition"}
    if names:
        crds = {path: body for path, body in files.items() if path.startswith("crds/") and path.endswith(SUFFIXES)}
        for one in definitions(crds).found.values():
            if one.name in names:
                yield f"{one.name} stands in {one.file} and is rendered by a template, too: helm install refuses that"


def _without_account(files: Mapping[str, bytes], found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Workloads whose service account the values say is made, but is not."""
    try:
        stated = Mapped.read(files.get(VALUES_FILE, b"{}")).scalar("serviceAccount", "create")
    except YamlInvalid:
        stated = None
    if stated is None or stated.text.lower() not in _TRUE:
        return
    made = {
        (_namespace(one), _mapping(one, "metadata").get("name")) for one in found if one["kind"] == "ServiceAccount"
    }
    for one in found:
        specification: Mapping[str, Any] = one
        for key in TEMPLATE.get(str(one["kind"]), ("absent",)):
            specification = _mapping(specification, key)
        account = specification.get("serviceAccountName")
        if account not in {None, "", "default"} and (_namespace(one), account) not in made:
            yield (
                f"{_called(one)} runs as the service account {account}, which no template makes,"
                f" although {VALUES_FILE} has serviceAccount.create: {stated.text}"
            )


def _namespace(one: Mapping[str, Any]) -> str:
    if str(one["kind"]).startswith("Cluster"):
        return ""
    return str(_mapping(one, "metadata").get("namespace") or NAMESPACE)


def _called(one: Mapping[str, Any]) -> str:
    return f"{one.get('kind') or 'an object without kind'}/{_mapping(one, 'metadata').get('name')}"


def _mapping(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = node.get(key)
    return value if isinstance(value, Mapping) else {}
