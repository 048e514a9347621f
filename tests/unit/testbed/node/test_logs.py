"""Which log a request to the node asks for."""

from __future__ import annotations

import pytest

from testbed.node.logs import BadRequest, LogRequest, read_request


def test_a_request_for_a_whole_log() -> None:
    """Without a query the whole log is asked for, as it is now."""
    assert read_request("/containerLogs/default/job/test") == LogRequest("default", "job", "test")


@pytest.mark.parametrize(("query", "follow"), [("follow=true", True), ("follow=false", False)])
def test_a_request_to_follow_a_log(query: str, *, follow: bool) -> None:
    """A log is followed when the apiserver says so."""
    asked = read_request(f"/containerLogs/default/job/test?{query}")
    assert asked == LogRequest("default", "job", "test", follow=follow)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/exec/default/job/test", "only /containerLogs"),
        ("/containerLogs/default/job", "only /containerLogs"),
        ("/containerLogs/default/job/test?follow=true&tailLines=5", "^tailLines: only whole logs"),
        ("/containerLogs/default/job/test?previous=true", "^previous: only whole logs"),
        ("/containerLogs/default/job/test?sinceSeconds=60&timestamps=true", "^sinceSeconds, timestamps: only whole"),
    ],
)
def test_other_requests_are_refused(target: str, why: str) -> None:
    """What is no request for a whole log is refused, and what it asks for beside is named."""
    with pytest.raises(BadRequest, match=why):
        read_request(target)
