"""A chart for another registry than production's: the same chart, naming the image in that registry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.chart.facts import VALUES_FILE
from runner.chart.yaml_text import YamlInvalid, replace_scalars
from runner.errors import ChartDisagrees

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.chart.facts import ChartFacts


def rewrite_image(chart: Path, facts: ChartFacts, repository: str, tag: str) -> tuple[str, ...]:
    """Write another image into values.yaml of an exported chart.

    Only the text of ``image.repository`` and ``image.tag`` changes, every other byte stays.

    Args:
        chart: the folder with values.yaml, in the exported copy.
        facts: what the chart stated before.
        repository: ``HOST/REPOSITORY`` in the target registry.
        tag: the tag there.

    Returns:
        Where the chart still names production's repository literally, one sentence each.

    Raises:
        ChartDisagrees: the two are not written out in values.yaml (they come from an alias or a merge key).
    """
    file = chart / VALUES_FILE
    try:
        values = replace_scalars(file.read_bytes(), {("image", "repository"): repository, ("image", "tag"): tag})
    except YamlInvalid as error:
        place = "" if error.line is None else f":{error.line}"
        raise ChartDisagrees(
            f"{facts.folder}/{VALUES_FILE}{place} cannot be rewritten for another registry: {error.reason}",
            remedy="Write image.repository and image.tag literally in values.yaml, each on one line.",
        ) from error
    file.write_bytes(values)
    files = {path.relative_to(chart).as_posix(): path for path in sorted(chart.rglob("*")) if path.is_file()}
    return literal_references({name: path.read_bytes() for name, path in files.items()}, facts)


def literal_references(files: Mapping[str, bytes], facts: ChartFacts) -> tuple[str, ...]:
    """Return a sentence for each line that names the facts' image repository.

    Args:
        files: a chart's files by path in the chart's folder.
        facts: what the chart stated before it was rewritten.
    """
    reference = re.compile(
        rb"(?<![\w./-])" + re.escape(facts.image_repository.encode()) + rb"(?:[:@][\w.:-]*\w)?(?![\w/-])"
    )
    return tuple(
        f"{facts.folder}/{name}:{number}: still names {found[0].decode()}"
        for name, body in files.items()
        for number, line in enumerate(body.splitlines(), 1)
        for found in reference.finditer(line)
    )
