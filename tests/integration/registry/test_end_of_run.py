from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import urllib3

from runner.errors import RunEnded
from runner.oci.connections import Connections
from runner.oci.manifest import OCI_LAYER
from runner.oci.messages import Exchange
from runner.oci.retries import RetryPolicy
from runner.runtime.lifetime import Lifetime
from testbed.base_images import write_blob
from tests.integration.registry.sample import LAYER, at

if TYPE_CHECKING:
    from pathlib import Path

    from runner.oci.artifact import Blob
    from testbed.faults.proxy import FaultProxy
    from tests.integration.registry.sample import Connect


def test_no_request_outlasts_the_run(faulty: FaultProxy, connect: Connect) -> None:
    """A request that would wait for half a minute ends with the run, and is observed as one that got no answer."""
    faulty.delay(30)
    lifetime, seen = Lifetime(), list[Exchange]()
    threading.Timer(0.2, lifetime.end, ["the deadline"]).start()
    began = time.monotonic()
    with pytest.raises(RunEnded, match="the deadline"):
        connect(lifetime=lifetime, observe=seen.append).manifest(at(faulty.host), "v1")
    assert time.monotonic() - began < 5.0
    assert [(exchange.status, exchange.problem) for exchange in seen] == [(None, None)]


def test_no_download_outlasts_the_run(proxy: FaultProxy, connect: Connect, layer: Blob, tmp_path: Path) -> None:
    """A download that stands still in its middle ends with the run, and leaves nothing of the file."""
    connect().send_blob(at(proxy.host), layer)
    held = proxy.hold(method="GET", path=r"/blobs/", half=True)
    lifetime = Lifetime()
    registry = connect(lifetime=lifetime)
    folder = tmp_path / "downloads"
    folder.mkdir()

    def end() -> None:
        assert held.reached.wait(10)
        assert [path.name[:1] for path in folder.iterdir()] == ["."]
        lifetime.end("SIGTERM")

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end)
        with pytest.raises(RunEnded, match="SIGTERM"):
            registry.download_blob(at(proxy.host), LAYER, folder / "layer")
        ending.result()
    assert list(folder.iterdir()) == []


def test_a_connection_made_after_the_end_is_cut(faulty: FaultProxy) -> None:
    """A request that was about to connect as the run ended gets no answer either."""
    connections = Connections({})
    connections.cut()
    with pytest.raises(urllib3.exceptions.HTTPError):
        connections.pool(faulty.host).request("GET", f"http://{faulty.host}/v2/", retries=False)
    connections.close()


def test_a_signal_ends_a_pause(faulty: FaultProxy, connect: Connect) -> None:
    """A run that is ended while an operation pauses ends at once."""
    faulty.fail(503, headers={"Retry-After": "30"})
    lifetime = Lifetime()
    registry = connect(lifetime=lifetime, retries=RetryPolicy())
    threading.Timer(0.2, lifetime.end, ["SIGTERM"]).start()
    began = time.monotonic()
    with pytest.raises(RunEnded, match="SIGTERM"):
        registry.manifest(at(faulty.host), "v1")
    assert time.monotonic() - began < 5.0


def test_a_signal_ends_an_upload(proxy: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """A run that is ended while a blob is sent sends no more of it."""
    blob = write_blob(tmp_path, OCI_LAYER, bytes(8 * 1024 * 1024))
    lifetime = Lifetime()
    proxy.intervene(lambda: lifetime.end("SIGINT"), method="POST")
    with pytest.raises(RunEnded, match="SIGINT"):
        connect(lifetime=lifetime).send_blob(at(proxy.host), blob)
    assert proxy.count("PUT") == 0
