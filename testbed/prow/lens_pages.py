"""What Deck's lenses answer, with nothing in it that a browser would load from another host.

The frame of every lens is compiled into Deck (pkg/spyglass/lenses/common) and loads style sheets from the internet. But
Deck asks its own lenses over HTTP, at an address that can be configured. ``python -m testbed.prow.lens_pages PORT
LENSES-PORT`` listens there and asks them in its place.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
from copy import deepcopy
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from testbed.prow.web import loaded_here

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT: Final = 12340
"""Deck serves only lenses whose address begins with its own, 127.0.0.1:1234 (cmd/deck/main.go, initLocalLensHandler):
this one does."""

ANSWER_SECONDS = 60
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"})
"""Headers that are not passed on, because they are of one connection."""


@dataclass(frozen=True)
class Shown:
    """How Deck shows a lens: under which title, which of several first, and whether without the title."""

    title: str
    priority: int
    hide_title: bool = False


LENSES: Mapping[str, Shown] = {
    "metadata": Shown("Metadata", 0, hide_title=True),
    "html": Shown("HTML", 3, hide_title=True),
    "junit": Shown("JUnit", 5),
    "buildlog": Shown("Build Log", 10),
    "links": Shown("Debugging links", 20),
    "podinfo": Shown("Job Pod Info", 20),
}
"""As each lens says itself (pkg/spyglass/lenses): where its address is configured, all of this has to be."""


def through_here(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Prow's configuration with this as the address of every lens in ``LENSES``. Pure."""
    changed = deepcopy(dict(configuration))
    for one in changed.get("deck", {}).get("spyglass", {}).get("lenses", ()):
        name = one["lens"]["name"]
        if (shown := LENSES.get(name)) is not None:
            one["remote_config"] = {
                "endpoint": f"http://127.0.0.1:{PORT}/dynamic/{name}",
                "title": shown.title,
                "priority": shown.priority,
                "hide_title": shown.hide_title,
            }
    return changed


class _Handler(BaseHTTPRequestHandler):
    lenses_port: int

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.lenses_port, timeout=ANSWER_SECONDS)
        ) as lenses:
            lenses.request(self.command, self.path, body, {"Content-Type": "application/json"})
            answer = lenses.getresponse()
            said = answer.read()
        if answer.headers.get_content_type() == "text/html":
            said = loaded_here(said.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = _pass_on  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Leave the log to what goes wrong."""


def main(arguments: list[str]) -> None:
    """Serve until a signal ends the process."""
    port, lenses_port = map(int, arguments)
    handler = type("Handler", (_Handler,), {"lenses_port": lenses_port})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
