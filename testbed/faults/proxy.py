"""A proxy that stands before a registry to count requests and inject faults.

Use::

    with crane_registry(tmp_path / "registry") as registry, FaultProxy(registry.host) as proxy:
        proxy.fail(503, method="PUT", path=r"/manifests/", times=2)
        ...                                   # speak to proxy.host
        assert proxy.count("PUT", r"/manifests/") == 3
        assert not proxy.writes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.faults.fault import NO_FAULT, Answer, Drop, Fault
from testbed.faults.marks import Marks
from testbed.faults.rules import Held, Rule, Seen
from testbed.faults.server import FaultServer
from testbed.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class FaultProxy(LoopbackServer):
    """An HTTP proxy before a registry; a context manager.

    Args:
        upstream: ``HOST:PORT`` of the registry behind, plain HTTP.
        tls: certificate and key to speak TLS with; plain HTTP without.

    Every fault takes ``method`` (a regular expression for the whole method), ``path`` (one that is searched in path
    and query), ``times`` (how many matching requests it meets; None: all of them) and ``skip`` (how many matching
    requests pass before). The first rule that matches and is not used up decides; rules are asked in the order made.
    """

    def __init__(self, upstream: str, *, tls: tuple[Path, Path] | None = None) -> None:
        self._held: list[Held] = []
        self._server = FaultServer(upstream, tls)
        super().__init__(self._server)

    def __exit__(self, *exception: object) -> None:
        for held in self._held:
            held.let_go(forward=False)
        super().__exit__(*exception)

    @property
    def upstream(self) -> str:
        """``HOST:PORT`` of the registry behind."""
        return self._server.upstream

    def stand_before(self, upstream: str) -> None:
        """Pass further requests on to another registry: clients go on speaking to the same address."""
        self._server.upstream = upstream

    def mark(self, secrets: Mapping[str, str]) -> None:
        """Look for these secrets, each by its name, in every further request (``Seen.marks``)."""
        self._server.marks = Marks(secrets)

    def watch(self, watcher: Callable[[Seen], None] | None) -> None:
        """Call this once the registry has acted on a request, before the client is answered; None: nobody.

        Requests that write are passed on one at a time meanwhile, so that each is looked at alone.
        """
        self._server.watcher = watcher

    @property
    def requests(self) -> tuple[Seen, ...]:
        """All requests so far, in the order in which they were finished."""
        return self._server.seen

    @property
    def writes(self) -> tuple[Seen, ...]:
        """The requests that would change the registry."""
        return tuple(seen for seen in self.requests if seen.method in {"POST", "PUT", "PATCH", "DELETE"})

    def count(self, method: str = ".*", path: str = "") -> int:
        """How many requests matched (see the class for what ``method`` and ``path`` are)."""
        rule = Rule(method, path, None, 0, NO_FAULT)
        return sum(rule.matches(seen.method, seen.path) for seen in self.requests)

    def wait_until_idle(self, seconds: float = 20.0) -> None:
        """Wait until no request is under way, whether or not its client is still there.

        Raises:
            TimeoutError: one was still under way after this time.
        """
        if not self._server.wait_until_idle(seconds):
            raise TimeoutError(f"a request to {self.host} is under way for more than {seconds} s")

    def clear(self) -> None:
        """Forget all requests and all rules."""
        self._server.clear()

    def meet(
        self, fault: Fault, *, method: str = ".*", path: str = "", times: int | None = None, skip: int = 0
    ) -> None:
        """Meet requests with a fault."""
        self._server.add(Rule(method, path, times, skip, fault))

    def fail(
        self,
        status: int,
        *,
        method: str = ".*",
        path: str = "",
        times: int | None = None,
        skip: int = 0,
        code: str = "UNKNOWN",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with an error as registries write it, without asking the registry."""
        fault = Fault(answer=Answer.error(status, code, headers))
        self.meet(fault, method=method, path=path, times=times, skip=skip)

    def answer(
        self,
        status: int,
        *,
        method: str = ".*",
        path: str = "",
        times: int | None = None,
        skip: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Answer with exactly this, without asking the registry (a 404 without a body, a page of tags …)."""
        fault = Fault(answer=Answer(status, headers or {}, body))
        self.meet(fault, method=method, path=path, times=times, skip=skip)

    def redirect(
        self, host: str, *, method: str = "GET", path: str = r"/blobs/sha256:", times: int | None = None, skip: int = 0
    ) -> None:
        """Answer 307 to the same path and query on another host, with a secret in the query as a CDN has it."""
        fault = Fault(answer=Answer(307, {"Location": f"http://{host}"}))
        self.meet(fault, method=method, path=path, times=times, skip=skip)

    def drop(
        self,
        *,
        method: str = ".*",
        path: str = "",
        times: int | None = None,
        skip: int = 0,
        after: bool = False,
    ) -> None:
        """Close the connection without an answer: before the registry sees the request, or after it has acted."""
        fault = Fault(drop=Drop.AFTER if after else Drop.BEFORE)
        self.meet(fault, method=method, path=path, times=times, skip=skip)

    def cut(self, *, method: str = "GET", path: str = "", times: int | None = None, skip: int = 0) -> None:
        """Announce the whole body, send half of it, close."""
        self.meet(Fault(cut=True), method=method, path=path, times=times, skip=skip)

    def corrupt(self, *, method: str = "GET", path: str = "", times: int | None = None, skip: int = 0) -> None:
        """Send a body of the right length with other bytes."""
        self.meet(Fault(corrupt=True), method=method, path=path, times=times, skip=skip)

    def omit(self, *names: str, method: str = ".*", path: str = "", times: int | None = None, skip: int = 0) -> None:
        """Leave these headers out of the registry's answer."""
        fault = Fault(omit=tuple(name.lower() for name in names))
        self.meet(fault, method=method, path=path, times=times, skip=skip)

    def delay(
        self, seconds: float, *, method: str = ".*", path: str = "", times: int | None = None, skip: int = 0
    ) -> None:
        """Wait before the registry sees the request; ends early when the proxy is closed."""
        self.meet(Fault(seconds=seconds), method=method, path=path, times=times, skip=skip)

    def intervene(
        self, action: Callable[[], None], *, method: str = ".*", path: str = "", times: int | None = 1, skip: int = 0
    ) -> None:
        """Call a function before the registry sees the request: another writer, a signal."""
        self.meet(Fault(before=action), method=method, path=path, times=times, skip=skip)

    def hold(self, *, method: str = ".*", path: str = "", skip: int = 0, half: bool = False) -> Held:
        """Hold one request back: before the registry sees it, or with ``half`` after half of the answer's body."""
        held = Held(half=half)
        self._held.append(held)
        self.meet(Fault(held=held), method=method, path=path, times=1, skip=skip)
        return held
