"""Warnings of what a chart names beside its values: other images, and names that are no dependency. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from runner.chart.facts import KUSTOMIZATION_FILE, NOTES_FILE, ChartFacts
from runner.chart.yaml_text import Mapped, YamlInvalid
from runner.versions import is_read_by_helm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.config.naming import RegistryAddress
    from runner.oci.name import Name


def reference_warnings(
    facts: ChartFacts, address: RegistryAddress, notes: bytes | None, kustomization: bytes | None
) -> tuple[str, ...]:
    """Return a sentence for each place beside the values that names another image of this registry.

    Args:
        facts: what the chart states.
        address: the production registry.
        notes: the chart's NOTES.txt, None where there is none.
        kustomization: config/controller/kustomization.yaml beside the chart's folder, likewise.
    """
    return (*_notes_warnings(facts, address, notes or b""), *_kustomization_warnings(facts, kustomization))


def alias_warnings(facts: ChartFacts, names: Iterable[Name]) -> tuple[str, ...]:
    """Return a sentence for each name under which Helm finds the chart but cannot take it as a dependency.

    Helm looks for a dependency in the repository of the chart's own name (pkg/downloader/manager.go), and pulls by a
    tag only where that is a version, in which it writes ``_`` for ``+`` (pkg/registry).
    """
    return tuple(
        f"{name} can be pulled and installed, but not used as a dependency: its chart is named {facts.name}"
        for name in names
        if is_read_by_helm(name.tag.replace("_", "+")) and name.repository.path.rpartition("/")[2] != facts.name
    )


def _notes_warnings(facts: ChartFacts, address: RegistryAddress, notes: bytes) -> list[str]:
    reference = re.compile(rf"{re.escape(str(address))}/[a-z0-9][a-z0-9._/-]*:[a-zA-Z0-9_][a-zA-Z0-9_.-]*(?<![.-])")
    return [
        f"{facts.folder}/{NOTES_FILE}:{number}: names {found[0]}, but the values name {facts.image}"
        for number, line in enumerate(notes.decode("utf-8", "replace").splitlines(), 1)
        for found in reference.finditer(line)
        if found[0] != facts.image
    ]


def _kustomization_warnings(facts: ChartFacts, kustomization: bytes | None) -> list[str]:
    file = posixpath.join(posixpath.dirname(facts.folder), KUSTOMIZATION_FILE)
    try:
        named = [] if kustomization is None else _kustomized_images(kustomization)
    except YamlInvalid as error:
        return [f"{file} cannot be read: {error}"]
    return [
        f"{file}:{line}: names {image}, but the values name {facts.image}"
        for line, image in named
        if image != facts.image
    ]


def _kustomized_images(kustomization: bytes) -> list[tuple[int, str]]:
    """What kustomize puts in the place of the image ``controller``, with the lines."""
    named: list[tuple[int, str]] = []
    for image in Mapped.read(kustomization).entries("images"):
        name, new_name, new_tag = (image.scalar(key) for key in ("name", "newName", "newTag"))
        if name is not None and name.text == "controller":
            text = f"{new_name.text if new_name else name.text}:{new_tag.text if new_tag else 'latest'}"
            named.append((name.line, text))
    return named
