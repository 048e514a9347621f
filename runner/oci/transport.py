"""HTTP to registries: the one way to send a request and read its answer. No message shows anything secret.

A *step* is one or more requests that may be repeated as a whole; ``Transport.retrying`` repeats it while it raises
``TransientFailure``: for a connection that fails, an answer that is missing or incomplete, 408, 429 and 5xx. When the
run ends, so does every wait.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self, TypeVar

import urllib3

from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.oci.artifact import CHUNK
from runner.oci.connections import Connections
from runner.oci.messages import Answer, Exchange, TransientFailure
from runner.oci.problem import describe, describe_status, is_untrusted
from runner.oci.retries import RetryPolicy, read_retry_after, repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from runner.oci.messages import Body, Request
    from runner.runtime.lifetime import Lifetime

Result = TypeVar("Result")

ANSWER_LIMIT = 4 * 1024 * 1024
"""The most bytes that are read into memory; the size of manifest that registries must accept (distribution-spec)."""
ERROR_LIMIT = 64 * 1024
RETRIED_STATUSES = frozenset({408, 429})


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection, and for each further part of an answer."""

    connect: float = 10.0
    read: float = 60.0


class Response:
    """An answer whose body has not been read yet, and can be read once; an error's, again."""

    def __init__(self, request: Request, response: urllib3.BaseHTTPResponse, check: Callable[[], object]) -> None:
        self.request = request
        self.status = response.status
        self.headers = response.headers
        self.received = 0
        self._response = response
        self._check = check
        self._error: bytes | None = None

    def chunks(self) -> Iterator[bytes]:
        """The body, piece by piece; TransientFailure when it ends early."""
        if self._error is not None:
            yield self._error
            return
        try:
            for chunk in self._response.stream(CHUNK, decode_content=False):
                self._check()
                self.received += len(chunk)
                yield chunk
        except urllib3.exceptions.TimeoutError as error:
            self._check()
            raise TransientFailure(self.request, describe(error)) from None
        except urllib3.exceptions.HTTPError as error:
            self._check()
            raise TransientFailure(self.request, describe(error), error=RegistryAnswerWrong) from None

    def read(self, limit: int) -> bytes:
        """The whole body; RegistryAnswerWrong when it is longer than ``limit`` bytes."""
        parts = []
        for chunk in self.chunks():
            parts.append(chunk)
            if self.received > limit:
                raise RegistryAnswerWrong(f"the answer to {self.request} is longer than {limit} bytes")
        return b"".join(parts)

    def read_error(self) -> bytes:
        """As much of an error's body as arrives, up to 64 KiB; as the status is known, it may be cut short."""
        parts: list[bytes] = []
        with contextlib.suppress(TransientFailure):
            for chunk in self.chunks():
                parts.append(chunk)
                if self.received > ERROR_LIMIT:
                    break
        self._error = b"".join(parts)
        return self._error


class Transport:
    """Sends requests. Thread-safe; a context manager that closes its connections.

    Args:
        lifetime: when it ends, every wait ends, and every request in flight.
        environment: proxy and certificate variables.
        retries: how often, and for how long, a step is repeated.
        timeouts: per request.
        observe: called after each request, from the thread that made it.
    """

    def __init__(
        self,
        lifetime: Lifetime,
        environment: Mapping[str, str],
        *,
        retries: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._lifetime = lifetime
        self._connections = Connections(environment)
        lifetime.at_end(self._connections.cut)
        self._retries = retries or RetryPolicy()
        timeouts = timeouts or Timeouts()
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._observe = observe

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all idle connections."""
        self._connections.close()

    def retrying(self, step: Callable[[int], Result]) -> Result:
        """Call ``step`` with 1, 2, … until it raises no TransientFailure.

        Raises:
            RegistryFailed, RegistryAnswerWrong: as the last failure says, once the retries are used up.
            RunEnded: the run was ended.
        """
        return repeat(step, self._retries, self._lifetime)

    def exchange(self, request: Request, *, limit: int = ANSWER_LIMIT) -> Answer:
        """Send once and read the whole answer; raises what ``open`` raises."""
        with self.open(request) as response:
            return Answer(request, response.status, response.headers, response.read(limit))

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[Response]:
        """Send once, without following redirects; the block's end returns the connection to its pool or closes it.

        Raises:
            TransientFailure: the connection failed, the answer is missing or incomplete, or it is 408, 429 or 5xx.
            RegistryFailed: the host's certificate is not trusted.
            RunEnded: the run was ended.
        """
        began = time.monotonic()
        sent = _Count()
        status: int | None = None
        problem: str | None = None
        response: Response | None = None
        try:
            raw = self._send(request, sent)
            try:
                status = raw.status
                response = Response(request, raw, self._lifetime.check)
                _refuse_transient(response)
                yield response
            finally:
                raw.close()
        except TransientFailure as failure:
            problem = failure.problem
            raise
        finally:
            if self._observe is not None:
                self._observe(
                    Exchange(
                        request.method,
                        request.host,
                        request.path,
                        status,
                        time.monotonic() - began,
                        sent.value,
                        response.received if response is not None else 0,
                        problem,
                    )
                )

    def _send(self, request: Request, sent: _Count) -> urllib3.BaseHTTPResponse:
        self._lifetime.check()
        headers = {"User-Agent": "ack-release", **request.headers}
        with contextlib.ExitStack() as stack:
            body = None
            if request.body is not None:
                headers["Content-Length"] = str(request.body.size)
                body = stack.enter_context(contextlib.closing(_sending(request.body, sent, self._lifetime.check)))
            try:
                return self._connections.pool(request.host).request(
                    request.method,
                    request.url,
                    body=body,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=self._timeout,
                )
            except urllib3.exceptions.HTTPError as error:
                self._lifetime.check()
                if is_untrusted(error):
                    raise RegistryFailed(
                        f"{request}: {describe(error)}",
                        remedy="Point SSL_CERT_FILE at the certificates to trust, then rerun.",
                    ) from None
                raise TransientFailure(request, describe(error)) from None


@dataclass
class _Count:
    value: int = 0


def _sending(body: Body, sent: _Count, check: Callable[[], object]) -> Generator[bytes, None, None]:
    try:
        with contextlib.closing(body.chunks()) as chunks:
            for chunk in chunks:
                check()
                yield chunk
                sent.value += len(chunk)
    except OSError as error:
        # Errors of the connection are raised where it sends a chunk; this one is the source's, which no retry helps.
        raise RuntimeError(f"the content to send cannot be read: {error}") from error


def _refuse_transient(response: Response) -> None:
    if response.status in RETRIED_STATUSES or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        retry_after = read_retry_after(response.headers.get("Retry-After"), time.time())
        problem = describe_status(response.status, response.read_error())
        raise TransientFailure(response.request, problem, retry_after=retry_after)
