"""Which log, and which part of it, a request to the node asks for."""

from __future__ import annotations

import pytest

from testbed.node.logs import BadRequest, LogRequest, limited, read_request


def test_a_request_for_a_whole_log() -> None:
    """Without a query the whole log is asked for, as it is now."""
    assert read_request("/containerLogs/default/job/test", now=0) == LogRequest("default", "job", "test")


def test_a_request_for_a_part_of_a_log() -> None:
    """What the apiserver hands on of follow, timestamps, tail, limit and age is read."""
    query = "follow=true&timestamps=1&tailLines=5&limitBytes=10&sinceSeconds=60"
    assert read_request(f"/containerLogs/default/job/test?{query}", now=1000.5) == LogRequest(
        "default", "job", "test", follow=True, timestamps=True, tail_lines=5, limit_bytes=10, since=940
    )
    request = read_request("/containerLogs/default/job/test?sinceTime=1970-01-01T00:01:00Z", now=1000)
    assert request.since == 60


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/exec/default/job/test", "only /containerLogs"),
        ("/containerLogs/default/job", "only /containerLogs"),
        ("/containerLogs/default/job/test?tailLines=-1", "tailLines: '-1' is not a number"),
        ("/containerLogs/default/job/test?sinceTime=yesterday", "sinceTime"),
        ("/containerLogs/default/job/test?previous=true", "no container is started again"),
    ],
)
def test_other_requests_are_refused(target: str, why: str) -> None:
    """What is no request for a log is refused with the reason."""
    with pytest.raises(BadRequest, match=why):
        read_request(target, now=0)


def test_a_limit_cuts_within_a_chunk() -> None:
    """No more bytes than the limit are given, however they come, and without one all."""
    chunks = [b"abc", b"def", b"ghi"]
    assert list(limited(iter(chunks), None)) == chunks
    assert b"".join(limited(iter(chunks), 4)) == b"abcd"
    assert b"".join(limited(iter(chunks), 0)) == b""
