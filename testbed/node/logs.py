"""Serves containers' logs where the apiserver looks for them: on the node's own HTTPS port, as a kubelet does."""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from testbed.processes import read

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    OpenLog = Callable[["LogRequest"], AbstractContextManager[Iterator[bytes]]]
    """Opens a log, whose bytes come as they are printed."""

IDLE_SECONDS = 60


class BadRequest(Exception):
    """The request cannot be understood; the message says why."""


class NoLog(Exception):
    """There is no log, or none yet; the message says why."""


@dataclass(frozen=True)
class LogRequest:
    """One container's log; ``follow`` goes on until the container ends."""

    namespace: str
    pod: str
    container: str
    follow: bool = False


def read_request(target: str) -> LogRequest:
    """Read what a request asks for from its path and query.

    Deck asks for whole logs (cmd/deck/main.go, GetLogs), an operator follows them. What else the apiserver hands on of
    PodLogOptions (pkg/registry/core/pod/strategy.go, LogLocation) is refused by name.

    Args:
        target: as it stands in the request's first line.

    Raises:
        BadRequest: it is no request for a log, or one for a part of it.
    """
    split = urlsplit(target)
    parts = split.path.strip("/").split("/")
    if len(parts) != 4 or parts[0] != "containerLogs":  # noqa: PLR2004  # the endpoint and three names
        raise BadRequest(f"{split.path}: only /containerLogs/NAMESPACE/POD/CONTAINER is served")
    asked = dict(parse_qsl(split.query))
    follow = asked.pop("follow", None) == "true"
    if asked:
        raise BadRequest(f"{', '.join(asked)}: only whole logs are served")
    _, namespace, pod, container = parts
    return LogRequest(namespace, pod, container, follow=follow)


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate that nobody signed, and its key; an apiserver without a kubelet CA checks neither.

    Raises:
        ProgramFailed: openssl failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "node.pem", folder / "node.key"
    read(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=IP:{host}"),
            *("-keyout", key, "-out", certificate),
        ],
        env={"PATH": os.environ["PATH"]},
    )
    return certificate, key


@contextlib.contextmanager
def log_server(address: tuple[str, int], certificate: tuple[Path, Path], open_log: OpenLog) -> Iterator[int]:
    """Serve logs during the block; gives the port.

    Args:
        address: host and port; port 0 takes a free one.
        certificate: the files of certificate and key.
        open_log: opens a log, or raises NoLog.

    Raises:
        OSError: the port is taken; the message names it.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    try:
        server = _Server(address, _Handler)
    except OSError as error:
        raise OSError(error.errno, f"{address[0]}:{address[1]}: {error.strerror}") from error
    server.context, server.open_log = context, open_log
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="logs", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext
    open_log: OpenLog

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        # The handshake is left to the request's own thread: a client that says nothing holds up nobody else.
        wrapped = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is none of this server's business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self.close_connection = True
        try:
            with self.server.open_log(read_request(self.path)) as chunks:
                self._answer(chunks)
        except (BadRequest, NoLog) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _answer(self, chunks: Iterator[bytes]) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks:
            self._chunk(chunk)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, content: bytes) -> None:
        if content:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        content = f"{message}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Requests are not logged."""
