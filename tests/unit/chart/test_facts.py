from __future__ import annotations

import pytest

from runner.chart.facts import ChartFacts, read_chart_facts
from runner.errors import ChartDisagrees, ChartMissing
from tests.support.charts import BASE, CHART, VALUES


def test_facts_are_read_with_their_lines() -> None:
    """Each fact is the text as written, and says where it stands."""
    read = read_chart_facts("services/s3/helm", CHART, VALUES)
    assert read == ChartFacts("services/s3/helm", "s3-chart", "v1.2.3", "1.2.3", f"{BASE}/s3-controller", "1.2.3")
    assert read.image == f"{BASE}/s3-controller:1.2.3"
    assert read.lines == {"name": 2, "version": 3, "app_version": 4, "image_repository": 2, "image_tag": 4}
    assert read.says("version") == "services/s3/helm/Chart.yaml:3: version is v1.2.3"
    assert read.where("image_tag") == "services/s3/helm/values.yaml:4: image.tag"
    assert hash(read)


@pytest.mark.parametrize(
    ("chart", "values", "cause"),
    [
        (None, None, r"the commit has no helm/Chart\.yaml and no helm/values\.yaml"),
        (None, VALUES, r"the commit has no helm/Chart\.yaml$"),
        (CHART, None, r"the commit has no helm/values\.yaml$"),
        (b"", VALUES, r"helm/Chart\.yaml cannot be read: it is not a mapping"),
        (b"- a", VALUES, r"helm/Chart\.yaml:1 cannot be read: it is not a mapping"),
        (b"a: b\n\xe9: d\n", VALUES, r"helm/Chart\.yaml:2 cannot be read: it is not UTF-8"),
        (CHART, VALUES + b"a: b: c\n", r"helm/values\.yaml:5 cannot be read: mapping values"),
        (CHART, VALUES + b"---\n" + VALUES, r"helm/values\.yaml:5 cannot be read: expected a single document"),
        (CHART + b"name: x\n", VALUES, r"helm/Chart\.yaml:6 cannot be read: the key name is given twice"),
        (CHART, VALUES + b"  tag: x\n", r"helm/values\.yaml:5 cannot be read: the key tag is given twice"),
        (CHART, VALUES + b"image: {}\n", r"helm/values\.yaml:5 cannot be read: the key image is given twice"),
    ],
)
def test_a_chart_that_cannot_be_read_is_missing(chart: bytes | None, values: bytes | None, cause: str) -> None:
    """The cause names file and line."""
    with pytest.raises(ChartMissing, match=cause):
        read_chart_facts("helm", chart, values)


@pytest.mark.parametrize(
    ("chart", "values", "problems"),
    [
        (
            b"name: ''\nversion: 1.10\n",
            b"image: {tag: 12}",
            [
                "helm/Chart.yaml:1: name is empty",
                "helm/Chart.yaml:2: version is 1.10, which is not text: quote it",
                "helm/Chart.yaml: appVersion is missing",
                "helm/values.yaml: image.repository is missing",
                "helm/values.yaml:1: image.tag is 12, which is not text: quote it",
            ],
        ),
        (CHART, b"image: public.ecr.aws/x:1\n", ["image.repository is missing", "image.tag is missing"]),
        (CHART, VALUES.replace(b"1.2.3", b""), ["helm/values.yaml:4: image.tag is empty"]),
        (CHART, VALUES.replace(b"1.2.3", b"null"), ["image.tag is null, which is not text"]),
        (CHART, VALUES.replace(b"1.2.3", b"1.10"), ["image.tag is 1.10, which is not text"]),
        (CHART.replace(b"v1.2.3", b"[v1.2.3]"), VALUES, ["helm/Chart.yaml: version is missing"]),
    ],
)
def test_a_fact_that_is_not_text_is_refused(chart: bytes, values: bytes, problems: list[str]) -> None:
    """All of a chart's faults are reported at once, the first in the cause."""
    with pytest.raises(ChartDisagrees) as refused:
        read_chart_facts("helm", chart, values)
    assert len(refused.value.detail) == len(problems)
    assert all(problem in line for problem, line in zip(problems, refused.value.detail, strict=True))
    assert refused.value.cause == refused.value.detail[0]


def test_a_quoted_number_is_text() -> None:
    """A tag written "1.10" stays 1.10."""
    assert read_chart_facts("helm", CHART, VALUES.replace(b"1.2.3", b"'1.10'")).image_tag == "1.10"


@pytest.mark.parametrize("file", ["Chart.yaml", "values.yaml"])
def test_a_file_that_the_commit_only_points_to_is_missing(file: str) -> None:
    """A pointer of Git LFS in the place of either file is told as one."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * 'a'}\nsize 1\n".encode()
    bodies = {"Chart.yaml": CHART, "values.yaml": VALUES, file: pointer}
    with pytest.raises(ChartMissing, match=rf"helm/{file} is a Git LFS pointer: the commit does not hold") as refused:
        read_chart_facts("helm", *bodies.values())
    assert refused.value.remedy.startswith("Commit the content itself")
