"""A proxy of Go modules with one module, which answers as a test says.

The protocol is that of ``go help goproxy``; the module is ``example.org/d`` v1.0.0, an empty package.
"""

from __future__ import annotations

import io
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from testbed.loopback import LoopbackServer

MODULE, VERSION = "example.org/d", "v1.0.0"
GO_MOD = f"module {MODULE}\n".encode()
SUMS = (
    f"{MODULE} {VERSION} h1:8U5+h+FyGhpG4exy94Nb9jaMQFfPnYq/oJl9fucoSWs=\n"
    f"{MODULE} {VERSION}/go.mod h1:31R5ocE+Q6H6zE1LICxk0H7n90U47i/2FrvYNuioD5s=\n"
)
"""The lines of go.sum."""


def _archive() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in {"go.mod": GO_MOD, "d.go": b"package d\n"}.items():
            archive.writestr(zipfile.ZipInfo(f"{MODULE}@{VERSION}/{name}"), content)
    return body.getvalue()


FILES = {
    f"/{MODULE}/@v/{VERSION}.info": b'{"Version": "v1.0.0"}',
    f"/{MODULE}/@v/{VERSION}.mod": GO_MOD,
    f"/{MODULE}/@v/{VERSION}.zip": _archive(),
}


class ModuleProxy(LoopbackServer):
    """Serves the module; a context manager. ``asked`` are the paths that were asked for.

    Args:
        refusals: the first answers to requests for the archive: each a status, or ``cut`` for half of it.
        always: refuse every one of them, with the first of these.
    """

    def __init__(self, *refusals: int | str, always: bool = False) -> None:
        asked: list[str] = []
        left = list(refusals)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append(self.path)
                content = FILES.get(self.path)
                refusal = None
                if left and self.path.endswith(".zip"):
                    refusal = left[0] if always else left.pop(0)
                if refusal == "cut" and content is not None:
                    self._answer(200, content, sent=len(content) // 2)
                elif isinstance(refusal, int):
                    self._answer(refusal, b"said by the proxy\n")
                else:
                    self._answer(404 if content is None else 200, content or b"")

            def _answer(self, status: int, body: bytes, *, sent: int | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:sent])
                self.close_connection = sent is not None

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.asked = asked
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    @property
    def url(self) -> str:
        """What GOPROXY is."""
        return f"http://{self.host}"
