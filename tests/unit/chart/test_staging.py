from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.chart.facts import read_chart_facts
from runner.chart.staging import literal_references, rewrite_image
from runner.errors import ChartDisagrees
from testbed.files import write_files

if TYPE_CHECKING:
    from pathlib import Path

    from runner.chart.facts import ChartFacts

PRODUCTION = "public.ecr.aws/aws-controllers-k8s/s3-controller"
CHART = b"name: s3-chart\nversion: 1.2.3\nappVersion: 1.2.3\n"
VALUES = f"# the image\nimage:\n  repository: {PRODUCTION} # here\n  tag: 1.2.3\n\nlog: {{}}\n".encode()
NOTES = f'It deploys "{PRODUCTION}:1.2.3".\nSee https://{PRODUCTION}/x and {PRODUCTION}s.\n'.encode()


def facts(values: bytes = VALUES) -> ChartFacts:
    return read_chart_facts("helm", CHART, values)


def test_the_values_name_the_other_registry(tmp_path: Path) -> None:
    """The two scalars change, all other bytes of the chart stay, and what still names production is warned of."""
    files = {"values.yaml": VALUES, "Chart.yaml": CHART, "templates/NOTES.txt": NOTES}
    chart = write_files(tmp_path / "helm", files)
    told = rewrite_image(chart, facts(), "127.0.0.1:5000/x/s3-controller", "1.2.3")
    values = (chart / "values.yaml").read_bytes()
    assert values == VALUES.replace(PRODUCTION.encode(), b'"127.0.0.1:5000/x/s3-controller"').replace(
        b"tag: 1.2.3", b'tag: "1.2.3"'
    )
    assert read_chart_facts("helm", CHART, values).image == "127.0.0.1:5000/x/s3-controller:1.2.3"
    assert (chart / "templates/NOTES.txt").read_bytes() == NOTES
    assert told == (f"helm/templates/NOTES.txt:1: still names {PRODUCTION}:1.2.3",)


def test_values_from_elsewhere_are_not_rewritten(tmp_path: Path) -> None:
    """A value that comes through a merge key is refused with the remedy, and the file stays."""
    values = f"base: &b {{repository: {PRODUCTION}}}\nimage:\n  <<: *b\n  tag: x\n".encode()
    chart = write_files(tmp_path / "helm", {"values.yaml": values})
    with pytest.raises(ChartDisagrees, match=r"helm/values\.yaml cannot be rewritten.*image\.repository") as refused:
        rewrite_image(chart, facts(values), "r", "t")
    assert "each on one line" in refused.value.remedy
    assert (chart / "values.yaml").read_bytes() == values


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (PRODUCTION, [PRODUCTION]),
        (f"image: '{PRODUCTION}:v1'", [f"{PRODUCTION}:v1"]),
        (f"{PRODUCTION}@sha256:0a.", [f"{PRODUCTION}@sha256:0a"]),
        (f"{PRODUCTION}:1 {PRODUCTION}:2", [f"{PRODUCTION}:1", f"{PRODUCTION}:2"]),
        (f"ends with {PRODUCTION}.", [PRODUCTION]),
        (f"mirror/{PRODUCTION}", []),
        (f"{PRODUCTION}-x", []),
        (f"{PRODUCTION}/sub", []),
        ("\udcff{{ .Values.image.repository }}", []),
    ],
)
def test_literal_references_are_found(line: str, found: list[str]) -> None:
    """Only the repository itself counts, with or without a tag; a longer name is another one."""
    told = literal_references({"a": b"\n" + line.encode("utf-8", "surrogateescape"), "b": b""}, facts())
    assert told == tuple(f"helm/a:2: still names {reference}" for reference in found)
