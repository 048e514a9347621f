"""What answers for Deck's lenses, before a server in the lenses' place."""

from __future__ import annotations

import contextlib
import http.client
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from testbed.paths import ROOT
from testbed.processes import started
from testbed.prow import lens_pages
from testbed.prow.prowjobs import prow_source
from testbed.prow.servers import free_ports, listens
from testbed.prow.web import BELOW
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = '<link rel="stylesheet" href="https://fonts.googleapis.com/icon?family=X">\udcff'.encode(
    errors="surrogateescape"
)


class Lenses(BaseHTTPRequestHandler):
    """Answers with what was asked, in a header, and with a page, a text, or an error."""

    def answer(self) -> None:
        """Answer any question."""
        asked = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        self.send_response({"/dynamic/none": 404}.get(self.path, 200))
        self.send_header("Content-Type", "text/plain" if self.path == "/dynamic/text" else "text/html; encoding=utf-8")
        self.send_header("X-Asked", f"{self.command} {asked}")
        self.end_headers()
        self.wfile.write(PAGE)

    do_GET = do_POST = answer  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where it listens."""
    with HTTPServer(("127.0.0.1", 0), Lenses) as lenses:
        thread = threading.Thread(target=lenses.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        [port] = free_ports(1)
        argv = [sys.executable, "-m", "testbed.prow.lens_pages", str(port), str(lenses.server_address[1])]
        try:
            with started(argv, env={"PYTHONPATH": str(ROOT)}, output=sys.stderr.fileno(), cwd=ROOT):
                until(listens(port))
                yield port
        finally:
            lenses.shutdown()
            thread.join()


def ask(port: int, method: str, path: str, body: str) -> tuple[int, bytes, str]:
    """Status, body and the header that says what was asked."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["X-Asked"]


def test_answers(port: int) -> None:
    """A question goes on with method and body, and its answer comes back; only pages have other addresses in them."""
    here = PAGE.replace(
        b"https://fonts.googleapis.com/icon?family=X", f"{BELOW}/fonts.googleapis.com/icon.css".encode()
    )
    assert ask(port, "GET", "/dynamic/html", '{"a": 1}') == (200, here, 'GET {"a": 1}')
    assert ask(port, "POST", "/dynamic/html", "x") == (200, here, "POST x")
    assert ask(port, "POST", "/dynamic/text", "x") == (200, PAGE, "POST x")
    assert ask(port, "GET", "/dynamic/none", "x") == (404, here, "GET x")


@pytest.mark.parametrize("name", lens_pages.LENSES)
def test_lenses_are_shown_as_they_say_themselves(name: str) -> None:
    """Title, place and whether the title is hidden are those in the source of the pinned Prow."""
    folder = prow_source() / "pkg/spyglass/lenses" / name
    source = "\n".join(file.read_text("utf-8") for file in sources(folder))
    constants = dict(re.findall(r"^\s*(title|priority)\s+= (.+)$", source, re.MULTILINE))
    [block] = re.findall(r"return lenses\.LensConfig\{(.*?)\n\t\}", source, re.DOTALL)
    said: dict[str, str] = dict(re.findall(r"^\s+(Title|Priority|HideTitle): +(.+),$", block, re.MULTILINE))
    title, priority = (str(constants.get(said[key], said[key])) for key in ("Title", "Priority"))
    shown = lens_pages.LENSES[name]
    assert (shown.title, shown.priority) == (title.strip('"'), int(priority))
    assert shown.hide_title == (said.get("HideTitle") == "true")


def sources(folder: Path) -> list[Path]:
    """The Go files of a lens, without its tests."""
    return [file for file in folder.glob("*.go") if not file.name.endswith("_test.go")]
