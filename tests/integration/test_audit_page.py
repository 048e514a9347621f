"""audit.html as a person sees it: in a real Chromium, alone and in Prow's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.report.findings import AuditDocument, FleetServiceDocument
from runner.report.fleet import render_fleet
from tests.integration.test_release_page import FAINT, NOTIFIER, WIDER
from tests.support.records import HOSTILE
from tests.unit.report.test_fleet import document, finding

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.browser import Browser, Theme

NAMES = ("public.ecr.aws/aws-controllers-k8s/chart:s3-v1.2.3", "public.ecr.aws/aws-controllers-k8s/s3-chart:1.2.3")
FLEET = document(
    "public.ecr.aws/aws-controllers-k8s",
    verdict="2 findings in 2 services of 3.",
    findings=tuple(
        finding("x", service=service, version=version, names=NAMES, meaning="a chart is published", remedy="Rerun it.")
        for service, version in (("sns", "1.10.0"), ("s3", "1.9.0"))
    ),
    services=tuple(
        FleetServiceDocument(name=name, repository=name, state="in order", versions=number)
        for name, number in (("s3", 9), ("acm", 10), ("sns", 2))
    ),
)
WORST = document("x" * 3000)
HOSTILE_FLEET = document(" ".join(HOSTILE).replace("alert(1)", "(top.document.title='hit')"))
SERVICES = "[...{place}.querySelectorAll('main > section:last-of-type tbody th')].map((one) => one.textContent).join()"
CLICK = "{place}.querySelectorAll('main > section:last-of-type thead button')[{column}].click()"


def open_page(
    chromium: Browser, folder: Path, fleet: AuditDocument, *, width: int = 1600, theme: Theme = "light"
) -> None:
    """Show the page by itself."""
    file = folder / "audit.html"
    file.write_text(render_fleet(fleet), encoding="utf-8", errors="backslashreplace")
    chromium.show(file.as_uri(), width=width, theme=theme)


def open_in_frame(chromium: Browser, folder: Path, fleet: AuditDocument) -> str:
    """Show it as Prow's html lens does; return the expression for the document in the frame."""
    wrapped = f'<div id="wrapper">{render_fleet(fleet)}</div>{NOTIFIER}'.replace('"', "&quot;")
    sandbox = "allow-scripts allow-popups allow-same-origin"
    frame = f'<iframe srcdoc="{wrapped}" sandbox="{sandbox}" width="100%" height="3000" scrolling="no"></iframe>'
    text = f'<!doctype html><meta charset="utf-8"><title>-</title>{frame}'
    file = folder / "deck.html"
    file.write_text(text, encoding="utf-8", errors="backslashreplace")
    chromium.show(file.as_uri())
    return "document.querySelector('iframe').contentDocument"


@pytest.mark.parametrize("width", [400, 700, 1600])
@pytest.mark.parametrize("fleet", [FLEET, WORST, HOSTILE_FLEET], ids=["fleet", "3,000 letters", "hostile"])
def test_nothing_is_wider_than_the_window(chromium: Browser, tmp_path: Path, fleet: AuditDocument, width: int) -> None:
    """Whatever was found, there is nothing to scroll sideways for, not even with all parts open."""
    open_page(chromium, tmp_path, fleet, width=width)
    chromium.value("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert chromium.value(WIDER) == []
    assert chromium.content_size()[0] == width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(chromium: Browser, tmp_path: Path, theme: Theme) -> None:
    """In both themes every text stands out from what is behind it."""
    open_page(chromium, tmp_path, FLEET, theme=theme)
    seen, faint = chromium.value(FAINT)
    assert (seen > 40, faint) == (True, [])


def test_sorting(chromium: Browser, tmp_path: Path) -> None:
    """A click on a title sorts by it, numbers as numbers, a second click the other way round; in Prow's frame, too."""
    open_page(chromium, tmp_path, FLEET)
    for place in ("document", open_in_frame.__name__):
        where = place if place == "document" else open_in_frame(chromium, tmp_path, FLEET)
        orders = [chromium.value(SERVICES.format(place=where))]
        for column in (0, 4, 4):
            chromium.value(CLICK.format(place=where, column=column))
            orders.append(chromium.value(SERVICES.format(place=where)))
        assert orders == ["s3,acm,sns", "acm,s3,sns", "sns,s3,acm", "acm,s3,sns"]


def test_a_value_is_seen_as_text(chromium: Browser, tmp_path: Path) -> None:
    """Nothing that a value says is carried out, in Prow's frame either."""
    open_page(chromium, tmp_path, HOSTILE_FLEET)
    assert chromium.value("document.scripts.length") == 1
    assert chromium.value("document.title").startswith("Findings")
    where = open_in_frame(chromium, tmp_path, HOSTILE_FLEET)
    assert chromium.value(f"{where}.scripts.length") == 2  # the page's, and Prow's own
    assert chromium.value("document.title").isdigit()
