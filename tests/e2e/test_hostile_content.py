"""Whole runs over much hostile content at once: what stands in the log, in every report and around the work folder."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import jsonschema
import pytest

from runner.report.record import record_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from testbed.release_harness import Ended, ReleaseHarness
    from testbed.sample_controller import Edit

EVIL = (
    "\x1b[31m\rERROR: owned exit=0\nRELEASED: owned\u2028ERROR: owned\x85\u202e\x9b"
    "</pre><script>alert(1)</script>&lt;script&gt;"
)
FAILING_TEMPLATE = '{{ fail "ERROR: owned\\nRELEASED: owned\\rERROR: owned" }}\n'
FAILING_SOURCE = (
    'package main\n\nvar _ = "\x1b[31m" + ERROR_owned\n//line ERROR: owned\\nRELEASED:1:1\nvar x int = "a"\n'
)
OURS = re.compile(r"\d\d:\d\d:\d\d level=|  \| |ERROR: |RELEASED: ")
LINE_BYTES = 10_000


def check_reports(ended: Ended) -> None:
    """Every line is one of ours, every report is valid, and nothing in them acts."""
    lines = ended.out.split("\n")
    assert lines.pop() == ""
    assert all(OURS.match(line) for line in lines), ended.out
    assert all(line.isprintable() and len(line.encode()) < LINE_BYTES for line in lines)
    last = [line for line in lines if line.startswith(("ERROR:", "RELEASED:"))]
    assert last == lines[-1:]
    assert not any("ERROR:" in line or "RELEASED:" in line for line in lines[:-1])
    jsonschema.validate(ended.record, record_schema())
    assert ended.record["exit"] == ended.code
    assert all(isinstance(value, str) for value in ended.metadata.values())
    texts = [text for element in ended.junit.iter() for text in texts_of(element)]
    assert all(text.replace("\n", "").replace("\t", "").isprintable() for text in [*texts, *ended.metadata.values()])
    page = (ended.artifacts / "release.html").read_text("utf-8")
    assert ended.page.css("script") == []
    assert "<script" not in page
    assert page.replace("\n", "").replace("\t", "").isprintable()
    for link in ended.artifacts.glob("*.link.txt"):
        assert re.fullmatch(r"https://[A-Za-z0-9./_%~-]+\n", link.read_text())


def texts_of(element: ET.Element) -> Iterator[str]:
    """All that stands in an element itself."""
    yield from filter(None, (element.text, element.tail, *element.attrib.values()))


def outside(harness: ReleaseHarness) -> set[Path]:
    """What is beside the folders of runs, and in their temporary folder once they have ended."""
    return {path for path in harness.folder.rglob("*") if not path.is_relative_to(harness.repository.folder / ".git")}


def bomb(levels: int = 9) -> str:
    """Values of a chart of which few lines stand for more than memory holds."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels))]
    return "\n".join(lines) + "\n"


CHARTS: Mapping[str, tuple[Mapping[str, Edit], int]] = {
    "values that are a bomb": ({"helm/values.yaml": lambda text: text + bomb()}, 4),
    "values nested deep": ({"helm/values.yaml": lambda text: text + "deep: " + "[" * 50_000 + "]" * 50_000 + "\n"}, 4),
    "a chart nested deep": (
        {"helm/Chart.yaml": lambda text: text + "x: " + "{a: " * 3000 + "b" + "}" * 3000 + "\n"},
        4,
    ),
    "a name that climbs": ({"helm/Chart.yaml": lambda text: re.sub("(?m)^name: .*", "name: ../../owned", text)}, 4),
    "a name of lines": (
        {"helm/Chart.yaml": lambda text: re.sub("(?m)^name: .*", lambda _: f"name: {json.dumps(EVIL)}", text)},
        4,
    ),
    "a description of lines": (
        {
            "helm/Chart.yaml": lambda text: re.sub(
                "(?m)^description: .*", lambda _: f"description: {json.dumps(EVIL)}", text
            )
        },
        0,
    ),
    "a template that fails in lines": (
        {"helm/templates/evil.yaml": FAILING_TEMPLATE},
        4,
    ),
    "definitions that are a bomb": (
        {
            "config/crd/bases/evil.yaml": f"{bomb()}kind: CustomResourceDefinition\n",
            "helm/crds/evil.yaml": f"{bomb()}kind: CustomResourceDefinition\n",
        },
        4,
    ),
    "a source that fails in lines": (
        {"cmd/controller/evil.go": FAILING_SOURCE},
        6,
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_hostile_repository(harness: ReleaseHarness, name: str) -> None:
    """Whatever a chart and a message hold: an honest code, only our lines, valid reports, and nothing left around."""
    edits, code = CHARTS[name]
    message = EVIL.replace("\x00", "") + "\n\nStable-Move: " + EVIL
    harness.repository.release("1.3.0", edits=edits)
    harness.repository.git("commit", "--amend", "--quiet", "--message", message)
    harness.repository.git("tag", "--force", "--annotate", "--message", message, "v1.3.0")
    clone = harness.clone("v1.3.0")
    before = outside(harness)
    ended = harness.run("v1.3.0", clone=clone)
    check_reports(ended)
    assert ended.code == code, ended.out
    mine = (harness.folder / "artifacts-1", harness.folder / "tmp", harness.folder / "registry")
    assert not [path for path in outside(harness) - before if not any(path.is_relative_to(one) for one in mine)]
    assert list((harness.folder / "tmp").iterdir()) == []


def test_hostile_words_of_a_registry(harness: ReleaseHarness) -> None:
    """What a registry says in codes, messages and details is told in one line that is not its own."""
    body = {"errors": [{"code": f"DENIED{EVIL}", "message": EVIL * 50, "detail": {"message": EVIL}}]}
    harness.proxy.answer(400, method="GET", path=r"/manifests/", body=json.dumps(body).encode())
    ended = harness.run("v1.2.3")
    check_reports(ended)
    assert ended.code in {2, 7, 8}
