"""Answers that must arrive at a reasonable rate: a server that sends a byte now and then holds no run up."""

from __future__ import annotations

import http.client
import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from _typeshed import WriteableBuffer


@dataclass(frozen=True)
class Rate:
    """How slow a whole message may be: ``seconds`` for anything, and one more for each ``bytes_per_second``."""

    seconds: float = 60.0
    bytes_per_second: int = 10 * 1024

    def is_kept(self, elapsed: float, size: int) -> bool:
        """Whether so many bytes within so many seconds are fast enough."""
        return elapsed <= self.seconds + size / self.bytes_per_second


LINE_LIMIT = 65536
"""Bytes of a line, as http.client allows them."""
LINES, CONTENT_PER_LINE = 2000, 64
"""Lines that an answer may have, http.client takes 100 headers; and for how many bytes of content it may have more."""


class BoundedReader(io.RawIOBase):
    """Reads from another raw stream, and raises TimeoutError once it is slower than the rate.

    Args:
        raw: where from; that each single read ends in time is its own matter.
        rate: the slowest that is waited for.
        clock: monotonic seconds.
    """

    def __init__(self, raw: io.RawIOBase, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._raw = raw
        self._rate = rate
        self._clock = clock
        self._began = clock()
        self._received = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """Read what there is."""
        count = self._raw.readinto(buffer)
        self._received += count or 0
        if count and not self._rate.is_kept(self._clock() - self._began, self._received):
            raise TimeoutError("the answer arrives too slowly")
        return count

    def close(self) -> None:
        """Close the other stream, too."""
        self._raw.close()
        super().close()


class BoundedLines(io.BufferedReader):
    """Reads lines that are no longer than http.client allows, and no more of them than the content needs.

    Lines are what stands around a body: the status, headers, sizes of chunks, trailers, answers before the answer.
    Whoever reads them to an end that never comes would wait for good, and hold a line of any length.
    """

    _lines = 0
    _content = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """The next line; http.client.HTTPException when it is too long, or one too many."""
        self._lines += 1
        if self._lines > LINES + self._content // CONTENT_PER_LINE:
            raise http.client.HTTPException("an answer of lines without end")
        limited = size is not None and 0 <= size <= LINE_LIMIT
        line = super().readline(size if limited else LINE_LIMIT + 1)
        if not limited and len(line) > LINE_LIMIT:
            raise http.client.LineTooLong("line")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        """Content."""
        content = super().read(size)
        self._content += len(content)
        return content

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Content, likewise."""
        count = super().readinto(buffer)
        self._content += count
        return count


def bounded_response(rate: Rate) -> type[http.client.HTTPResponse]:
    """Return a class of responses that are read, headers and body together, no slower than this."""

    class BoundedResponse(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - http.client's
            super().__init__(sock, *args, **options)
            self.fp: io.BufferedReader = BoundedLines(BoundedReader(self.fp.detach(), rate))

    return BoundedResponse
