"""Odd repositories: each known kind by name, and a sample of those that ``make soak`` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.raw_git import FILE, LINK, SUBMODULE
from tests.support.judging_trees import judge, judge_drawn
from tests.support.odd_trees import OddTree, Sample, run_odd
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLES = 15
CRD = b"helm/crds/samples.yaml"

KINDS: dict[str, tuple[OddTree, int, str | None, str]] = {
    "nothing odd": (OddTree(), 0, None, ""),
    "folder called as a source": (OddTree({b"cmd/controller/nats.go/x": (FILE, b"")}), 0, None, ""),
    "folder called as a version's source": (OddTree({b"pkg/version/nats.go/x": (FILE, b"")}), 0, None, ""),
    "link to itself": (OddTree({b"a": (LINK, b"a")}), 0, None, ""),
    "links to each other": (OddTree({b"a": (LINK, b"b"), b"b": (LINK, b"a")}), 0, None, ""),
    "main package that links to itself": (
        OddTree({b"cmd/controller": (LINK, b"controller")}),
        6,
        "build-failed",
        "cmd/controller",
    ),
    "source that links to itself": (
        OddTree({b"cmd/controller/a.go": (LINK, b"a.go")}),
        6,
        "build-failed",
        "cmd/controller/a.go is a link to a.go",
    ),
    "go.mod that links to itself": (OddTree({b"go.mod": (LINK, b"go.mod")}), 6, "build-failed", "go.mod"),
    "licence that links to itself": (OddTree({b"LICENSE": (LINK, b"LICENSE")}), 6, "build-failed", "LICENSE"),
    "licence that is a folder": (OddTree({b"LICENSE/x": (FILE, b"")}), 6, "build-failed", "LICENSE"),
    "chart that links to itself": (OddTree({b"helm": (LINK, b"helm")}), 4, "chart-missing", "helm/Chart.yaml"),
    "Chart.yaml that is a folder": (
        OddTree({b"helm/Chart.yaml/x": (FILE, b"")}),
        4,
        "chart-missing",
        "helm/Chart.yaml",
    ),
    "values that are a submodule": (
        OddTree({b"helm/values.yaml": (SUBMODULE, b"")}),
        4,
        "chart-missing",
        "helm/values.yaml",
    ),
    "template that links to itself": (
        OddTree({b"helm/templates/x.yaml": (LINK, b"x.yaml")}),
        4,
        "chart-unusable",
        "x.yaml",
    ),
    "template that links out": (
        OddTree({b"helm/templates/x.yaml": (LINK, b"/etc/passwd")}),
        4,
        "chart-unusable",
        "x.yaml",
    ),
    "definition of no type": (OddTree({CRD: (FILE, b"a: !!timestamp now\n")}), 4, "chart-unusable", "samples.yaml"),
    "definition nested too deep": (OddTree({CRD: (FILE, b"[" * 3000)}), 4, "chart-unusable", "samples.yaml"),
    "values nested too deep": (
        OddTree({b"helm/values.yaml": (FILE, b"[" * 3000)}),
        4,
        "chart-missing",
        "helm/values.yaml",
    ),
    "commit of the year 10000": (OddTree(time=b"253402300800 +0000"), 4, "commit-unusable", "253402300800"),
    "commit after every clock": (OddTree(time=b"9223372036854775807 +0000"), 4, "commit-unusable", "1970 to 9999"),
    "commit with a date of no number": (OddTree(time=b"yesterday"), 4, "commit-unusable", "1970 to 9999"),
    "name that git never writes": (OddTree({b".git/config": (FILE, b"x")}), 4, "commit-unusable", ".git/config"),
    "name that is too long": (OddTree({b"x" * 256: (FILE, b"")}), 4, "commit-unusable", "x" * 200),
    "folders that are too deep": (OddTree({b"/".join([b"d"] * 400): (FILE, b"")}), 4, "commit-unusable", "d/d/d"),
    "folders that are deep": (OddTree({b"helm/" + b"/".join([b"d"] * 190): (FILE, b"")}), 0, None, ""),
    "workspace that names no folder": (OddTree({b"go.work": (FILE, b"use ./\0\n")}), 0, None, ""),
    "link to nothing": (OddTree({b"a": (LINK, b"")}), 4, "commit-unusable", "symlink a"),
    "content that is not in the clone": (OddTree(absent=frozenset({b"go.mod"})), 2, "checkout-missing", "go.mod"),
    "chart that is not in the clone": (
        OddTree(absent=frozenset({b"helm/Chart.yaml"})),
        2,
        "checkout-missing",
        "helm/Chart.yaml",
    ),
    "tag of a tree": (OddTree(tag="of a tree"), 3, "not-a-release", "v1.2.3"),
    "tag of a file": (OddTree(tag="of a file"), 3, "not-a-release", "v1.2.3"),
    "tag of a tag": (OddTree(tag="of a tag"), 0, None, ""),
    "message of no encoding": (OddTree(message=b"\xff\n\nKey: \xff\n", header=b"encoding nothing\n"), 0, None, ""),
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    for name in ("git", "go"):
        require_tool(name)
    return Sample.make(tmp_path_factory.mktemp("sample"))


@pytest.mark.parametrize("kind", KINDS)
def test_kind(tmp_path: Path, sample: Sample, helm4: Path, kind: str) -> None:
    """Each kind of oddity ends with the code of who can mend it, and the file or date is named; or it stops nothing."""
    odd, code, name, says = KINDS[kind]
    document = run_odd(tmp_path / "run", sample, odd, helm4)
    judge(document, odd)
    said = "\n".join(line for error in document.errors for line in (error.cause, *error.detail))
    assert (document.exit, document.error and document.error.code) == (code, name), said
    assert says in said
    if name == "checkout-missing":
        assert document.error is not None
        assert "blobless_fetch" in document.error.remedy


def test_drawn(tmp_path: Path, helm4: Path, record_property: Callable[[str, object], None]) -> None:
    """Whatever a repository holds, a run over it ends with a code of its own and says why; none ends as a bug."""
    codes = judge_drawn(tmp_path, helm4, EXAMPLES, part=1000)
    told = ", ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
    record_property("counted", f"{codes.total()} odd repositories: {told}")
