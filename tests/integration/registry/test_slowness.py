"""Servers that are slow on purpose or by accident: no read is waited for without an end, and none is cut too early."""

from __future__ import annotations

import os
import socketserver
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.oci.bounded import Rate
from runner.oci.manifest import OCI_LAYER
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Timeouts
from testbed.base_images import write_blob
from testbed.loopback import LoopbackServer
from tests.integration.registry.sample import at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.oci.messages import Exchange
    from testbed.faults.proxy import FaultProxy
    from tests.integration.registry.sample import Connect

ONCE = RetryPolicy(attempts=1)
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Dripping(LoopbackServer):
    """Answers anything with these bytes at once, and then one byte of the others every few hundredths of a second."""

    def __init__(self, at_once: bytes, then: bytes, seconds: float = 0.05) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.recv(65536)
                try:
                    self.request.sendall(at_once)
                    for number in range(len(then)):
                        time.sleep(seconds)
                        self.request.sendall(then[number : number + 1])
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = False

        super().__init__(Server(("127.0.0.1", 0), Handler))


@pytest.fixture(
    params=[
        (b"", HEADERS),
        (HEADERS, b"x" * 4096),
        (CHUNKED, b"1\r\nx\r\n" * 700),
        (b"HTTP/1.1 503 X\r\nX: ", b"y" * 999),
    ],
    ids=["headers", "body", "chunks", "endless header"],
)
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    with Dripping(*request.param) as server:
        yield server


def test_byte_now_and_then(dripping: Dripping, connect: Connect) -> None:
    """An answer that comes a byte at a time is left once it is slower than the rate, wherever in it that happens."""
    registry = connect(retries=ONCE, timeouts=Timeouts(read=5.0, rate=Rate(0.5, 10_000)))
    began = time.monotonic()
    with pytest.raises((RegistryFailed, RegistryAnswerWrong), match="no answer within the time allowed"):
        registry.manifest(at(dripping.host), "v1")
    assert 0.4 <= time.monotonic() - began < 4.0


def test_steady_answer(connect: Connect) -> None:
    """An answer that keeps the rate is read, though it takes longer than the first seconds."""
    body = b'{"tags": ["v1"]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with Dripping(head, body, 0.02) as server:
        registry = connect(retries=ONCE, timeouts=Timeouts(read=5.0, rate=Rate(0.1, 20)))
        assert registry.tags(at(server.host)) == ("v1",)


def test_body_that_is_not_taken(connect: Connect, tmp_path: Path, faulty: FaultProxy) -> None:
    """A body that the registry takes more slowly than the rate is not sent to its end."""
    blob = write_blob(tmp_path, OCI_LAYER, os.urandom(8_000_000))
    held = faulty.hold(method="PUT", path="/blobs/uploads/")
    registry = connect(retries=ONCE, timeouts=Timeouts(connect=0.5, read=0.5))
    with pytest.raises(RegistryFailed, match="failed once"):
        registry.send_blob(at(faulty.host), blob)
    held.let_go(forward=False)


def test_uploads_per_second(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """However many threads send, at most ten uploads are completed in any second."""
    moments: list[float] = []

    def observe(exchange: Exchange) -> None:
        if exchange.method == "PUT":
            moments.append(time.monotonic() - exchange.seconds)

    registry = connect(observe=observe)
    blobs = [write_blob(tmp_path, OCI_LAYER, os.urandom(30)) for _ in range(24)]
    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(lambda blob: registry.send_blob(at(faulty.host), blob), blobs)) == {"uploaded"}
    moments.sort()
    assert moments[23] - moments[0] >= 1.9
    assert all(later - earlier > 0.8 for earlier, later in zip(moments, moments[10:], strict=False))
