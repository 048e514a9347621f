from __future__ import annotations

import pytest

from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.oci.messages import Body, Request, TransientFailure

SECRET = "hunter2"  # noqa: S105  # what must not be shown
PUT = Request(
    "PUT",
    f"https://me:{SECRET}@registry.example:5000/v2/a/blobs/uploads/1?_state={SECRET}",
    {"Authorization": SECRET},
    Body.of(SECRET.encode()),
)


def test_a_body_can_be_read_again() -> None:
    """Each reading of a body begins anew."""
    body = Body.of(b"abc")
    assert [b"".join(body.chunks()), b"".join(body.chunks()), body.size] == [b"abc", b"abc", 3]
    assert list(Body.of(b"").chunks()) == []


def test_parts_of_a_request() -> None:
    """Host and path are given without user information and query, in which a secret may stand."""
    assert (PUT.host, PUT.path) == ("registry.example:5000", "/v2/a/blobs/uploads/1")
    assert str(PUT) == "PUT registry.example:5000/v2/a/blobs/uploads/1"


@pytest.mark.parametrize(
    "text", [str(PUT), repr(PUT), str(TransientFailure(PUT, "x")), repr(TransientFailure(PUT, "x"))]
)
def test_nothing_secret_is_shown(text: str) -> None:
    """Neither a request nor its failure shows what is secret, however it is printed."""
    assert "PUT" in text
    assert SECRET not in text


def test_failure_of_a_request() -> None:
    """A failure says which request and what happened; unless told otherwise, the registry has failed."""
    failure = TransientFailure(PUT, "HTTP 503")
    assert str(failure) == "PUT registry.example:5000/v2/a/blobs/uploads/1: HTTP 503"
    assert (failure.retry_after, failure.error) == (None, RegistryFailed)
    told = TransientFailure(PUT, "cut", retry_after=2.0, error=RegistryAnswerWrong)
    assert (told.request, told.problem, told.retry_after, told.error) == (PUT, "cut", 2.0, RegistryAnswerWrong)
