"""HTTP to registries: the one way to send a request and read its answer. No message shows anything secret.

A *step* is one or more requests that may be repeated as a whole; ``Transport.retrying`` repeats it while it raises
``TransientFailure``: for a connection that fails, an answer that is missing or incomplete, and one that means "later"
(see ``runner.oci.meaning``). When the run ends, so does every wait.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self, TypeVar

import urllib3

from runner.errors import CredentialsRefused, ProxyUnusable, RegistryAnswerWrong, RegistryFailed
from runner.oci.artifact import CHUNK
from runner.oci.connections import SLOWEST, Connections, is_loopback
from runner.oci.meaning import Meaning, meaning_of, told_by_proxy
from runner.oci.messages import Answer, Exchange, Request, TransientFailure, Wait
from runner.oci.patience import Patience
from runner.oci.problem import (
    ERROR_LIMIT,
    describe,
    describe_status,
    hopeless_after,
    is_at_proxy,
    is_untrusted,
    is_without_tls,
    tunnel_answer,
)
from runner.oci.retries import RetryPolicy, read_retry_after, repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from runner.oci.bounded import Rate
    from runner.oci.messages import Body
    from runner.oci.proxies import Proxy
    from runner.runtime.lifetime import Lifetime

Result = TypeVar("Result")

ANSWER_LIMIT = 4 * 1024 * 1024
"""The most bytes that are read into memory; the size of manifest that registries must accept (distribution-spec)."""
WRONG_CONTENT_ATTEMPTS = 8
"""How often content that is cut short or wrong is asked for: storage that is broken does not mend itself."""
WAITS = {Meaning.RATE_LIMITED: Wait.RATE_LIMITED, Meaning.SERVER_ERROR: Wait.SERVER_ERROR}


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection, and for each further part of an answer; the rate that a message must keep."""

    connect: float = 10.0
    read: float = 30.0
    rate: Rate = SLOWEST

    def waited(self, error: Exception) -> float:
        """For how long nothing had come when this error was raised."""
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
            return self.connect
        return self.read if isinstance(error, urllib3.exceptions.TimeoutError) else 0.0


class Response:
    """An answer whose body has not been read yet, and can be read once; an error's, again."""

    def __init__(
        self, request: Request, response: urllib3.BaseHTTPResponse, check: Callable[[], object], timeouts: Timeouts
    ) -> None:
        self.request = request
        self.status = response.status
        self.headers = response.headers
        self.received = 0
        self._response = response
        self._check = check
        self._timeouts = timeouts
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
            waited = self._timeouts.waited(error)
            raise TransientFailure(self.request, describe(error), wait=Wait.CONNECTION, waited=waited) from None
        except urllib3.exceptions.HTTPError as error:
            self._check()
            raise wrong_content(self.request, describe(error), wait=Wait.CONNECTION) from None

    def read(self, limit: int) -> bytes:
        """The whole body; RegistryAnswerWrong when it is longer than ``limit`` bytes."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if self.received > limit:
                raise RegistryAnswerWrong(f"the answer to {self.request} is longer than {limit} bytes")
        return bytes(body)

    def read_error(self) -> bytes:
        """As much of an error's body as arrives, up to 64 KiB; as the status is known, it may be cut short."""
        if self._error is None:
            parts: list[bytes] = []
            with contextlib.suppress(TransientFailure):
                for chunk in self.chunks():
                    parts.append(chunk)
                    if self.received > ERROR_LIMIT:
                        break
            self._error = b"".join(parts)
        return self._error


def wrong_content(request: Request, problem: str, *, wait: Wait = Wait.SERVER_ERROR) -> TransientFailure:
    """The failure of a request whose content is cut short, or not what it should be."""
    return TransientFailure(request, problem, error=RegistryAnswerWrong, wait=wait, attempts=WRONG_CONTENT_ATTEMPTS)


class Transport:
    """Sends requests. Thread-safe; a context manager that closes its connections.

    Args:
        lifetime: when it ends, every wait ends, and every request in flight.
        environment: proxy and certificate variables.
        retries: how often a step is repeated, and with which pauses.
        timeouts: per request.
        patience: how long the run waits in all; one of its own when left out.
        observe: called after each request, from the thread that made it.
    """

    def __init__(
        self,
        lifetime: Lifetime,
        environment: Mapping[str, str],
        *,
        retries: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        patience: Patience | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._lifetime = lifetime
        timeouts = timeouts or Timeouts()
        self._rate = timeouts.rate
        self._connections = Connections(environment, self._rate)
        lifetime.at_end(self._connections.cut)
        self._retries = retries or RetryPolicy()
        self._patience = patience or Patience(lifetime)
        self._timeouts = timeouts
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._observe = observe

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lifetime(self) -> Lifetime:
        """When it ends, every wait ends."""
        return self._lifetime

    def close(self) -> None:
        """Close all idle connections."""
        self._connections.close()

    def retrying(self, step: Callable[[int], Result]) -> Result:
        """Call ``step`` with 1, 2, … until it raises no TransientFailure.

        Raises:
            RegistryFailed, RegistryAnswerWrong, NotVisibleYet, ProxyUnusable: as the last failure says, once the
                retries are used up.
            RunEnded: the run was ended.
        """
        return repeat(step, self._retries, self._patience)

    def exchange(self, request: Request, *, limit: int = ANSWER_LIMIT) -> Answer:
        """Send once and read the whole answer; raises what ``open`` raises."""
        with self.open(request) as response:
            return Answer(request, response.status, response.headers, response.read(limit))

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[Response]:
        """Send once, without following redirects; the block's end returns the connection to its pool or closes it.

        Raises:
            TransientFailure: the connection failed, the answer is missing or incomplete, or it means "later".
            RegistryFailed: the host's certificate is not trusted.
            ProxyUnusable, CredentialsRefused: the proxy does not let the connection through.
            RunEnded: the run was ended.
        """
        self._patience.await_host(request.host)
        began = time.monotonic()
        sent = _Count()
        status: int | None = None
        problem: str | None = None
        response: Response | None = None
        try:
            raw = self._send(request, sent)
            try:
                status = raw.status
                response = Response(request, raw, self._lifetime.check, self._timeouts)
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
                body = stack.enter_context(contextlib.closing(self._sending(request, request.body, sent)))
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
                raise self._failure(request, error) from None

    def _failure(self, request: Request, error: urllib3.exceptions.HTTPError) -> Exception:
        """What it means that no answer came."""
        if is_untrusted(error):
            return RegistryFailed(
                f"{request}: {describe(error)}",
                remedy="Point SSL_CERT_FILE at the certificates to trust, then rerun.",
            )
        proxy = self._connections.proxy(request.host) if is_at_proxy(error) else None
        attempts = hopeless_after(error, on_this_machine=is_loopback(proxy.host if proxy else request.host))
        if proxy is not None:
            return self._failure_of_proxy(request, proxy, error, attempts)
        remedy = "Correct the registry's host and port; all but this machine are spoken to in TLS."
        return TransientFailure(
            request,
            describe(error),
            wait=Wait.CONNECTION,
            attempts=attempts,
            remedy=remedy if is_without_tls(error) else None,
            waited=self._timeouts.waited(error),
        )

    @staticmethod
    def _failure_of_proxy(request: Request, proxy: Proxy, error: Exception, attempts: int | None) -> Exception:
        status, reason = tunnel_answer(error) or (0, "")
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return CredentialsRefused(
                f"{proxy} asks for credentials before it connects to {request.host}: HTTP {status} {reason}".strip(),
                remedy=f"Put the proxy's user and password into {proxy.variable}, then rerun the job.",
            )
        meaning = meaning_of(Request("CONNECT", request.url), status, {}, b"") if status else Meaning.SERVER_ERROR
        if meaning not in WAITS:
            return ProxyUnusable(f"{proxy} does not connect to {request.host}: HTTP {status} {reason}".strip())
        return TransientFailure(
            request,
            f"{describe(error)} ({proxy.host}, which {proxy.variable} names)",
            wait=WAITS[meaning] if status else Wait.CONNECTION,
            attempts=attempts,
            error=RegistryFailed if attempts is None else ProxyUnusable,
        )

    def _sending(self, request: Request, body: Body, sent: _Count) -> Generator[bytes, None, None]:
        began = time.monotonic()
        try:
            with contextlib.closing(body.chunks()) as chunks:
                for chunk in chunks:
                    self._lifetime.check()
                    if not self._rate.is_kept(time.monotonic() - began, sent.value):
                        raise TransientFailure(request, "the body is taken too slowly", wait=Wait.CONNECTION)
                    yield chunk
                    sent.value += len(chunk)
        except OSError as error:
            # Errors of the connection are raised where it sends a chunk; this one is the source's, which no retry
            # helps.
            raise RuntimeError(f"the content to send cannot be read: {error}") from error


@dataclass
class _Count:
    value: int = 0


def _refuse_transient(response: Response) -> None:
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    request, status, headers, body = response.request, response.status, response.headers, response.read_error()
    wait = WAITS.get(meaning_of(request, status, headers, body))
    if wait is not None:
        raise TransientFailure(
            request,
            describe_answer(status, headers, body),
            retry_after=read_retry_after(headers.get("Retry-After"), time.time(), date=headers.get("Date")),
            wait=wait,
        )


def describe_answer(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Describe an answer of 400 or above, and say where a proxy on the way gave it."""
    said = describe_status(status, body)
    return f"a proxy on the way answered {said}" if told_by_proxy(status, headers, body) else said
