"""A node in the test's own process."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.node.agent import Agent

LONG = 60


@contextlib.contextmanager
def running(agent: Agent) -> Iterator[None]:
    """Run a node until the end of the block; nothing works for one of its pods after that."""
    ready, failures = threading.Event(), []
    before = {*threading.enumerate()}

    def run() -> None:
        try:
            agent.run(("127.0.0.1", 0), ready=lambda _: ready.set())
        except BaseException as error:
            failures.append(error)
            ready.set()
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(LONG)
        assert not failures
        yield
    finally:
        agent.stop()
        thread.join(LONG)
        assert not thread.is_alive()
        assert not [one for one in {*threading.enumerate()} - before if one.name.startswith("pod-")]
