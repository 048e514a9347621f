"""A chart as tests state it, and facts and versions to judge it by."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from runner.chart.facts import ChartFacts
from runner.config.naming import PRESETS, RegistryAddress
from runner.versions import LARGEST_NUMBER

PRODUCTION = RegistryAddress("public.ecr.aws", "aws-controllers-k8s")
SCHEMES = tuple(PRESETS.values())
CHART_NAMES = ("{service}-chart", "ack-{service}-controller")
BASE = "public.ecr.aws/aws-controllers-k8s"

CHART = b"# a chart\nname: s3-chart\nversion: v1.2.3\nappVersion: 1.2.3\nkeywords: [1, 2]\n"
VALUES = f"image:\n  repository: {BASE}/s3-controller\n\n  tag: 1.2.3\n".encode()

NUMBER = st.integers(0, LARGEST_NUMBER)
TOO_LARGE = f"{LARGEST_NUMBER + 1}.2.3"
VERSIONS = st.builds("{}.{}.{}".format, NUMBER, NUMBER, NUMBER)
SERVICES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8})?", fullmatch=True)


def facts(**changed: str) -> ChartFacts:
    """What the chart of s3 1.2.3 states, but for what is changed."""
    stated: dict[str, Any] = {
        "folder": "helm",
        "name": "s3-chart",
        "version": "1.2.3",
        "app_version": "1.2.3",
        "image_repository": f"{BASE}/s3-controller",
        "image_tag": "1.2.3",
        "lines": {"name": 2, "version": 3, "app_version": 4, "image_repository": 6, "image_tag": 7},
    }
    return ChartFacts(**stated | changed)
