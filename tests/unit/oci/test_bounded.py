from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.bounded import CONTENT_PER_LINE, LINE_LIMIT, LINES, BoundedLines, BoundedReader, Rate


class Drip(io.RawIOBase):
    """Gives a number of bytes at each read, and lets time pass."""

    def __init__(self, size: int, seconds: float, each: int = 1) -> None:
        super().__init__()
        self.left, self.seconds, self.each, self.now = size, seconds, each, 0.0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Give some bytes."""
        self.now += self.seconds
        count = min(self.left, self.each, len(buffer))
        buffer[:count] = b"x" * count
        self.left -= count
        return count


def read_all(drip: Drip, rate: Rate) -> bytes:
    """Read all of it at this rate."""
    return io.BufferedReader(BoundedReader(drip, rate, lambda: drip.now)).read()


def test_a_byte_now_and_then() -> None:
    """A server that sends one byte every twenty seconds is left after about a minute, not after days."""
    drip = Drip(4096, 20.0)
    with pytest.raises(TimeoutError, match="too slowly"):
        read_all(drip, Rate())
    assert drip.now == 80.0


def test_steady_sender() -> None:
    """However long it takes as a whole, what keeps the rate is read to its end."""
    assert len(read_all(Drip(100_000, 0.1, 1024), Rate(5.0, 10_000))) == 100_000


@given(st.integers(0, 300), st.floats(0.0, 2.0), st.integers(1, 50))
def test_time_is_bounded_by_size(size: int, seconds: float, each: int) -> None:
    """Either all of it is read, or it took longer than it may have for what had arrived."""
    rate = Rate(10.0, 20)
    drip = Drip(size, seconds, each)
    try:
        assert len(read_all(drip, rate)) == size
    except TimeoutError:
        assert drip.now > rate.seconds
    assert drip.now <= rate.seconds + size / rate.bytes_per_second + 2 * seconds


def test_closing() -> None:
    """The stream behind is closed with it."""
    drip = Drip(1, 0.0)
    io.BufferedReader(BoundedReader(drip, Rate())).close()
    assert drip.closed


def lines_of(content: bytes) -> BoundedLines:
    """A reader of lines of this content."""
    return BoundedLines(io.BytesIO(content))


def test_a_line_without_end() -> None:
    """Whoever names no limit, or a higher one, gets http.client's; a lower one is kept."""
    for size in (-1, None, LINE_LIMIT + 1):
        with pytest.raises(http.client.LineTooLong):
            lines_of(b"x" * (LINE_LIMIT + 2)).readline(size)
        assert lines_of(b"x" * (LINE_LIMIT - 1) + b"\n").readline(size).endswith(b"x\n")
    assert lines_of(b"x" * 100).readline(5) == b"xxxxx"


@given(st.integers(0, 10))
def test_lines_without_end(content: int) -> None:
    """There are as many lines as an answer needs, and more of them with its content."""
    reader = lines_of(b"a" * content * CONTENT_PER_LINE + b"\n" * (LINES + 100))
    half = content // 2 * CONTENT_PER_LINE
    assert len(reader.read(half)) == half
    assert reader.readinto(bytearray(content * CONTENT_PER_LINE - half)) == content * CONTENT_PER_LINE - half
    for _ in range(LINES + content):
        assert reader.readline() == b"\n"
    with pytest.raises(http.client.HTTPException, match="without end"):
        reader.readline()
