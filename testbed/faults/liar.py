"""A server that gives every request one answer, byte by byte as it is written down: also what no server would send."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def head(status: str = "200 OK", **headers: str) -> bytes:
    """The beginning of an answer; of a header's name each _ is a -."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()


def without_end(beginning: bytes, piece: bytes) -> Callable[[], Iterable[bytes]]:
    """An answer that repeats a piece for as long as somebody reads."""
    return lambda: itertools.chain((beginning,), itertools.repeat(piece))


@dataclass
class Liar:
    """A server that answers every request the same way."""

    host: str
    answer: Callable[[], Iterable[bytes]]
    requests: int = 0


@contextlib.contextmanager
def liar(answer: Callable[[], Iterable[bytes]]) -> Iterator[Liar]:
    """Serve one answer until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Liar(f"127.0.0.1:{listener.getsockname()[1]}", answer)

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                with connection.makefile("rb") as file:
                    for line in file:
                        if line == b"\r\n":
                            break
                served.requests += 1
                for piece in served.answer():
                    connection.sendall(piece)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield served
        finally:
            listener.shutdown(socket.SHUT_RDWR)
