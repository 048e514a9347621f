"""Programs that serve one another: started together, waited for until all answer, and ended together.

Each writes into a log of its own. One that ends early is an error that shows the last lines of that log.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from testbed.processes import started, tied

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from testbed.processes import Argv

READY_SECONDS = 60.0
LOOK_SECONDS = 0.05
LAST_LINES = 15
ANSWER_SECONDS = 5


class ServerFailed(Exception):
    """A program ended, or does not answer in time; the message says which, and holds the last lines of its log."""


class PortTaken(Exception):
    """A port that a program needs is taken; the message says which port and what needs it."""


@dataclass(frozen=True)
class Server:
    """A program that was started. ``ready`` says whether it answers now."""

    name: str
    log: Path
    ready: Callable[[], bool]
    child: subprocess.Popen[bytes]

    def check(self) -> None:
        """Check that it runs.

        Raises:
            ServerFailed: it has ended.
        """
        code = self.child.poll()
        if code is not None:
            raise ServerFailed(f"{self.name} ended with {code}; {self.log} ends so:\n{last_lines(self.log)}")


class Servers:
    """The programs; they end with the block, the one started last first.

    Args:
        logs: a folder that is there; the log of NAME is ``NAME.log`` in it.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._servers: dict[str, Server] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(
        self, name: str, argv: Argv, *, ready: Callable[[], bool], environment: Mapping[str, str] | None = None
    ) -> Server:
        """Start a program without waiting for it.

        Args:
            name: what it is called in errors, and its log.
            argv: program and arguments.
            ready: whether it answers; asked until it does.
            environment: what it gets beside PATH.
        """
        log = self.logs / f"{name}.log"
        output = self._stack.enter_context(log.open("wb"))
        child = self._stack.enter_context(
            started(
                tied(argv),
                env={"PATH": os.environ["PATH"], **(environment or {})},
                output=output,
            )
        )
        server = Server(name, log, ready, child)
        self._servers[name] = server
        return server

    def wait(self, *names: str, seconds: float = READY_SECONDS) -> None:
        """Wait until the programs of these names answer; all of them when none is given.

        Raises:
            ServerFailed: one of all that were started has ended, or one does not answer in time.
        """
        deadline = time.monotonic() + seconds
        waiting = [self._servers[name] for name in names or self._servers]
        while waiting:
            self.check()
            waiting = [server for server in waiting if not server.ready()]
            if waiting and time.monotonic() > deadline:
                late = waiting[0]
                raise ServerFailed(
                    f"{late.name} does not answer within {seconds:.0f} s; {late.log} ends so:\n{last_lines(late.log)}"
                )
            if waiting:
                time.sleep(LOOK_SECONDS)

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Stop a program for the time of the block: it goes on where it was."""
        child = self._servers[name].child
        child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.send_signal(signal.SIGCONT)

    def check(self) -> None:
        """Check that all run.

        Raises:
            ServerFailed: one has ended.
        """
        for server in self._servers.values():
            server.check()


def last_lines(log: Path) -> str:
    """The end of a log, as text."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])


def answers(port: int, path: str) -> Callable[[], bool]:
    """Return a function that tells whether a loopback server answers this path with 200."""

    def ask() -> bool:
        try:
            with contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
            ) as connection:
                connection.request("GET", path)
                return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    return ask


def listens(port: int) -> Callable[[], bool]:
    """Return a function that tells whether a server accepts connections on this loopback port."""

    def ask() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS).close()
        except OSError:
            return False
        return True

    return ask


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def check_free(port: int, what: str, *, host: str = "127.0.0.1") -> None:
    """Check that nobody listens on a port that cannot be chosen.

    Args:
        port: which.
        what: what needs it, for the message.
        host: the address that it will be bound on; empty for all.

    Raises:
        PortTaken: somebody does.
    """
    with contextlib.closing(socket.socket()) as probe:
        # As Go's servers do: a connection that ended a moment ago does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"port {port} is taken, and {what} listens on no other; end the program that has it"
                f" (ss -tlnp 'sport = :{port}' names it)"
            ) from error
