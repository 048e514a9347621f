"""audit.html: what it says, and that no value can be more than text, neither on its own nor in Prow's frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from runner.report import fleet
from runner.report.findings import (
    AuditDocument,
    FindingDocument,
    FleetServiceDocument,
    UnreadDocument,
    audit_schema,
    verify_schema,
)
from runner.report.fleet import render_fleet
from tests.unit.report.test_html import ANY_TEXT, VIEWS, alone, in_prow, skeleton, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from selectolax.lexbor import LexborHTMLParser

SCRIPT = Path(fleet.__file__).with_name("sort.js").read_text("utf-8")


def finding(text: str = "x", **fields: object) -> FindingDocument:
    """A finding with this text wherever text comes from outside."""
    given = {"kind": "tag-without-image", "meaning": text, "service": text, "version": text, "names": (text,)}
    return FindingDocument.model_validate({**given, "found": text, "who": "operator", "remedy": text, **fields})


def document(text: str = "x", /, **fields: object) -> AuditDocument:
    """A document with this text wherever text comes from outside."""
    services = (
        FleetServiceDocument(name=text, repository=text, state="findings", tagged=text, published=text, stable=(text,)),
        FleetServiceDocument(name="s3", repository="s3-controller", state="in order", versions=3),
        FleetServiceDocument(name="sns", repository="sns-controller", state="not read"),
    )
    given: dict[str, object] = {
        "runner": text,
        "time": text,
        "seconds": 1.2,
        "registry": text,
        "repositories": text,
        "deep": False,
        "verdict": text,
        "exit": 5,
        "services": services,
        "findings": (finding(text),),
        "former": (finding(text),),
        "unread": (UnreadDocument(service=text, code="registry-failed", cause=text, remedy=text, exit=7),),
        "notes": (text,),
    }
    return AuditDocument.model_validate({**given, **fields})


@VIEWS
def test_what_it_says(view: Callable[[str], LexborHTMLParser]) -> None:
    """The verdict, each finding with what to do, each service with its state, and the former job's flaws apart."""
    page = view(render_fleet(document(findings=(finding(found="at 0123", names=("host/a:1",)),), verdict="1 finding.")))
    said = words(page)
    assert words(page, "h1") == "1 finding."
    assert words(page, ".status") == "Findings"
    assert "at 0123" in said
    assert "host/a:1" in said
    assert "operator: x" in said
    assert "Known flaws of the former job 1, nothing to do" in said
    assert "Of older versions only the names were looked at." in said
    assert [words(page, f"main > section:nth-of-type({place}) h2").split()[0] for place in range(1, 5)] == [
        "Findings",
        "Not",
        "Not",
        "Services",
    ]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"findings": ()}, "Not all was read"),
        ({"findings": (), "unread": ()}, "In order"),
    ],
)
def test_without_findings(fields: dict[str, object], word: str) -> None:
    """What could not be read is not in order; where all is, the page says so and leaves out what is empty."""
    page = alone(render_fleet(document("x", deep=True, notes=(), former=(), **fields)))
    assert words(page, ".status") == word
    assert "Everything that is published was read." in words(page)
    assert "Findings 0" not in words(page)


@given(ANY_TEXT)
def test_any_text_is_text(text: str) -> None:
    """Whatever a value holds, the page has the same elements, alone and in Prow's frame."""
    harmless = render_fleet(document("x"))
    hostile = render_fleet(document(text))
    assert skeleton(alone(hostile)) == skeleton(alone(harmless))
    assert skeleton(in_prow(hostile)) == skeleton(in_prow(harmless))


def test_script() -> None:
    """The one script is the program's own, and nothing in it is read as an escape or a tag, however often decoded."""
    page = render_fleet(document())
    assert page.count("<script>") == 1
    assert "src=" not in page
    assert "http" not in SCRIPT
    assert not set("&<") & set(SCRIPT)
    assert SCRIPT.strip() in page


def test_schemas() -> None:
    """What programs read is described for them, every key of it."""
    assert audit_schema()["additionalProperties"] is False
    assert {"findings", "services", "unread", "requests", "schema"} <= set(audit_schema()["properties"])
    assert {"checks", "verdict", "exit", "schema"} <= set(verify_schema()["properties"])
