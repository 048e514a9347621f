"""What Deck's pages load from other hosts, style sheets and fonts, for a browser that reaches no other machine."""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.processes import read

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, "": "text/css"}  # noqa: RUF012 - as its own is

    def translate_path(self, path: str) -> str:
        """The file for a path of the host that was asked for; the first word of its name is that host."""
        host = (self.headers["Host"] or "").partition(":")[0]
        return super().translate_path(f"/{host}{path}")

    def end_headers(self) -> None:
        """Allow fonts to be used by the pages of another host."""
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""


@contextlib.contextmanager
def served(web: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """Serve the hosts of a folder until the end of the block; give the switches with which Chromium takes them here.

    Args:
        web: a folder for each host, as ``hack/build-deck-pages`` makes it.
        folder: for the certificate.

    Raises:
        ProgramFailed: openssl failed.
    """
    key, certificate = folder / "web.key", folder / "web.crt"
    read(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=local", "-days", "2", "-keyout", key, "-out", certificate),
        ],
        env={"PATH": os.environ["PATH"]},
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def handler(*arguments: object) -> _Handler:
        return _Handler(*arguments, directory=str(web))  # type: ignore[arg-type] # what the server passes

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        here = f"127.0.0.1:{server.server_address[1]}"
        hosts = ",".join(f"MAP {host.name} {here}" for host in sorted(Path(web).iterdir()))
        try:
            yield (f"--host-resolver-rules={hosts}", "--ignore-certificate-errors")
        finally:
            server.shutdown()
            thread.join()
