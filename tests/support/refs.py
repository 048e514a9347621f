"""Refs on the edge of what is a release, and what a Prow job's regular expressions say of a ref."""

from __future__ import annotations

import re

from runner.prow.generate.jobs import RELEASED_REFS
from runner.versions import LARGEST_NUMBER

READABLE = (
    *("v1.2.3", "v0.0.0", "v10.20.30", "v0.0.1", f"v1.2.{LARGEST_NUMBER}"),
    f"v{LARGEST_NUMBER}.{LARGEST_NUMBER}.{LARGEST_NUMBER}",
)
"""Tags of releases."""

TOO_LARGE = (
    *(f"v{LARGEST_NUMBER + 1}.0.0", f"v0.{LARGEST_NUMBER + 1}.0", f"v0.0.{LARGEST_NUMBER + 1}"),
    *("v111111111111111111111.0.0", f"v1.2.{'9' * 20}", f"v1.{'9' * 200}.0"),
)
"""Tags that only the size of a number keeps from being a release."""

OTHERS = (
    *("v01.2.3", "v1.02.3", "v1.2.03", "v00.0.0", f"v1.2.{'0' * 30}", f"v{'0' * 20}1.2.3"),
    *("v1", "v1.2", "v1.2.3.4", "v1..3", "v.1.2", "v1.2.", "v", "", "v1.2.x", "v1.2.3-", "v1.2.3-rc.1", "v1.2.3+b"),
    *("v-1.2.3", "v+1.2.3", "v1.2.-3", "v1,2,3", "v1_2_3", "v1.2.3 ", " v1.2.3", "v 1.2.3", "v1.2.1e3", "v0x1.2.3"),
    *("1.2.3", "V1.2.3", "vv1.2.3", "release/v1.2.3", "v1.2.3/x", "refs/tags/v1.2.3"),
    *("v1.2.\u0663", "v\uff11.2.3", "v1.2.\u00b2", "v\u0661\u0662.2.3", "v1\u30022\u30023", "\uff561.2.3"),
    *("v1.2.3\n", "\nv1.2.3", "v1.2.3\nv1.2.3", "v1.2.3\r", "v1.2.3\0", "v1.2.3\u2028", "stable\n", "\nstable"),
    *("unstable", "stable-2", "Stable", "stable/v1", "v1-stable", "1-stable", "heads/stable", "main"),
)
"""Names that start no job."""


def starts_job(ref: str) -> bool:
    r"""Whether a release job's ``branches`` match a ref's short name as Go matches them.

    Prow joins them and searches (pkg/config/branches.go). To RE2, ``\d`` is one of ten digits and ``$`` the very end of
    the text; nothing else in them means another thing to Python.
    """
    joined = "|".join(RELEASED_REFS)
    assert set(re.sub(r"\\[d.]|[a-z0-9()|*^$]|\[1-9\]", "", joined)) == set(), joined
    return re.search(joined.replace("$", r"\Z"), ref, re.ASCII) is not None
