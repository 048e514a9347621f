from __future__ import annotations

import io

import pytest
import urllib3

from runner.errors import RegistryFailed, RunEnded
from runner.oci.messages import Request, TransientFailure
from runner.oci.retries import RetryPolicy
from runner.oci.transport import Response, Timeouts, Transport
from runner.runtime.lifetime import Lifetime

NOW = 1_800_000_000.0
GET = Request(
    "GET", "https://me:hunter2@registry.example/v2/a/manifests/t?_state=hunter2", {"Authorization": "hunter2"}
)
QUICK = RetryPolicy(attempts=4, first_pause=0.0)


def test_a_step_is_repeated_until_it_succeeds() -> None:
    """A step that fails transiently is called again with the number of its attempt."""

    def step(attempt: int) -> str:
        if attempt < 3:
            raise TransientFailure(GET, "HTTP 503")
        return f"done at {attempt}"

    with Transport(Lifetime(), {}, retries=QUICK) as transport:
        assert transport.retrying(step) == "done at 3"


def test_a_step_that_keeps_failing_says_what_it_tried_and_no_secret() -> None:
    """The error names host, method, path, count and the last failure, but neither query nor user information."""

    def step(attempt: int) -> None:
        raise TransientFailure(GET, f"HTTP 50{attempt}")

    with Transport(Lifetime(), {}, retries=QUICK) as transport, pytest.raises(RegistryFailed) as raised:
        transport.retrying(step)
    assert raised.value.cause == (
        "GET registry.example/v2/a/manifests/t failed 4 times, the last 0 s after the first: HTTP 504"
    )
    assert "hunter2" not in f"{raised.value.cause} {GET!r} {raised.value.__cause__!r}"


def test_other_errors_are_not_repeated() -> None:
    """Only transient failures are repeated; every other error passes at once."""
    calls = []

    def step(attempt: int) -> None:
        calls.append(attempt)
        raise ValueError("a bug")

    with Transport(Lifetime(), {}, retries=QUICK) as transport, pytest.raises(ValueError, match="a bug"):
        transport.retrying(step)
    assert calls == [1]


def test_an_ended_run_sends_nothing() -> None:
    """No step is begun once the run has ended."""
    lifetime = Lifetime()
    lifetime.end("SIGTERM")

    def step(_: int) -> None:
        pytest.fail("a step began")

    with Transport(lifetime, {}, retries=QUICK) as transport, pytest.raises(RunEnded, match="SIGTERM"):
        transport.retrying(step)


def test_a_pause_ends_with_the_run() -> None:
    """A run that is ended while a step waits for its next attempt does not wait any longer."""
    lifetime = Lifetime()

    def step(_: int) -> None:
        lifetime.end("SIGINT")
        raise TransientFailure(GET, "HTTP 429", retry_after=30.0)

    with Transport(lifetime, {}) as transport, pytest.raises(RunEnded, match="SIGINT"):
        transport.retrying(step)


def test_no_request_is_made_once_the_run_has_ended() -> None:
    """A request after the end is not made, and is no failure of the registry."""
    lifetime = Lifetime()
    lifetime.end("the deadline")
    with Transport(lifetime, {}) as transport, pytest.raises(RunEnded, match="the deadline"):
        transport.exchange(Request("GET", "http://127.0.0.1:9/v2/"))


@pytest.mark.parametrize("content", [b"", b"error", b"x" * 100_000], ids=["empty", "short", "more than is read"])
def test_an_error_is_read_again(content: bytes) -> None:
    """The body of an error can be read once more, by whoever decides about it after the first reader."""
    raw = urllib3.HTTPResponse(io.BytesIO(content), status=400, preload_content=False)
    response = Response(GET, raw, lambda: None, Timeouts())
    read = response.read_error()
    assert content.startswith(read)
    assert response.read(1 << 20) == read
    assert b"".join(response.chunks()) == read
    raw.close()
