"""HTTP to registries: one pool of connections, one way to retry, nothing secret in what it says.

A *step* is one or more requests that may be repeated as a whole; ``Transport.retrying`` repeats it while it raises
``TransientFailure``. What is retried: no connection, no or half an answer, 408, 429 and 5xx. Every wait ends with the
run.
"""

from __future__ import annotations

import contextlib
import email.utils
import ipaddress
import itertools
import random
import ssl
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import certifi
import tenacity
import urllib3

from runner.errors import RegistryAnswerWrong, RegistryFailed, ReleaseError, UsageInvalid
from runner.oci.layout import CHUNK
from runner.oci.problem import describe, describe_status, is_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from runner.lifetime import Lifetime

Result = TypeVar("Result")

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer that is read as a whole; the size of manifest that registries must take (distribution-spec)."""
ERROR_LIMIT = 64 * 1024
CONNECTIONS_PER_HOST = 32
RETRIED_STATUSES = frozenset({408, 429})


@dataclass(frozen=True)
class RetryPolicy:
    """How long a step is repeated. All times in seconds.

    Args:
        attempts: how often it is tried at most.
        seconds: how long after its first failure another attempt may still begin.
        first_pause: the pause after the first failure; each further one is twice as long, less a random part.
        longest_pause: where the doubling ends.
        longest_retry_after: what a Retry-After header may ask for at most.
    """

    attempts: int = 8
    seconds: float = 60.0
    first_pause: float = 0.25
    longest_pause: float = 10.0
    longest_retry_after: float = 30.0

    def pause(self, failures: int, retry_after: float | None, chance: float) -> float:
        """Seconds to wait after so many failures; ``chance`` in [0, 1) makes up to half of the pause random."""
        if retry_after is not None:
            return min(retry_after, self.longest_retry_after)
        doubled = self.first_pause * 2.0 ** min(failures - 1, 60)
        return min(doubled, self.longest_pause) * (1.0 - chance / 2.0)

    def gives_up(self, failures: int, since_first_failure: float, pause: float) -> bool:
        """Whether no further attempt is made after so many failures and the pause that would follow."""
        return failures >= self.attempts or since_first_failure + pause > self.seconds


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection, and for each next part of an answer."""

    connect: float = 10.0
    read: float = 60.0


@dataclass(frozen=True)
class Body:
    """A request's body that can be sent again: ``chunks`` begins anew each time; ``size`` in bytes."""

    size: int
    chunks: Callable[[], Generator[bytes, None, None]]

    @classmethod
    def of(cls, content: bytes) -> Body:
        """A body that is in memory."""

        def chunks() -> Generator[bytes, None, None]:
            if content:
                yield content

        return cls(len(content), chunks)


@dataclass(frozen=True)
class Request:
    """One HTTP request; headers and the query of ``url`` may be secret and do not show in its representation."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Host and port as in the URL, without user information."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def path(self) -> str:
        """The URL's path, without its query."""
        return urlsplit(self.url).path

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


@dataclass(frozen=True)
class Exchange:
    """What was seen of one request, for logs and counts. ``status`` is None when no answer came."""

    method: str
    host: str
    path: str
    status: int | None
    seconds: float
    sent: int
    received: int
    problem: str | None


@dataclass(frozen=True)
class Answer:
    """An answer that was read as a whole; the names of ``headers`` are matched in any case."""

    request: Request
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes


class TransientFailure(Exception):
    """A step failed in a way that another attempt may mend.

    Args:
        request: the request that failed.
        problem: what happened, in words.
        retry_after: seconds that the registry asked to wait.
        error: what the failure is for the person once the retries are used up.
    """

    def __init__(
        self,
        request: Request,
        problem: str,
        *,
        retry_after: float | None = None,
        error: type[ReleaseError] = RegistryFailed,
    ) -> None:
        super().__init__(f"{request}: {problem}")
        self.request = request
        self.problem = problem
        self.retry_after = retry_after
        self.error = error


def is_loopback(host: str) -> bool:
    """Whether ``HOST[:PORT]`` is this machine: localhost, 127.0.0.0/8, ::1."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def base_url(host: str) -> str:
    """``http://HOST`` for this machine, ``https://HOST`` for all others."""
    return f"{'http' if is_loopback(host) else 'https'}://{host}"


def read_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header: seconds or an HTTP date (RFC 9110, 10.2.3); None where it is neither.

    Args:
        value: the header, if there was one.
        now: seconds since the epoch.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip())
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, when.timestamp() - now)


def proxy_for(host: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for TLS to this host, if any."""
    named = {key.lower(): value for key, value in sorted(environment.items()) if value}
    proxy = named.get("https_proxy") or named.get("all_proxy")
    if proxy is None or is_loopback(host) or _bypasses(host.lower(), named.get("no_proxy", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypasses(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY has this host or a domain that it is in, with or without the port."""
    entries = [entry.strip().lower().removeprefix("*").removeprefix(".") for entry in no_proxy.split(",")]
    names = {host, urlsplit(f"//{host}").hostname or ""}
    return "*" in no_proxy.split(",") or any(
        name == entry or name.endswith(f".{entry}") for entry in entries if entry for name in names
    )


def _trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The certificates to trust: those that the environment names, else the system's, else certifi's."""
    file = environment.get("SSL_CERT_FILE") or environment.get("REQUESTS_CA_BUNDLE") or None
    folder = environment.get("SSL_CERT_DIR") or None
    if file or folder:
        try:
            return ssl.create_default_context(cafile=file, capath=folder)
        except OSError as error:
            raise UsageInvalid(
                f"the certificates that the environment names ({file or folder}) cannot be read: {error}",
                remedy="Correct or unset SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE, then rerun.",
            ) from None
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(cafile=certifi.where())
    return context


class Response:
    """An answer whose body is still to be read, once."""

    def __init__(self, request: Request, response: urllib3.BaseHTTPResponse, check: Callable[[], object]) -> None:
        self.request = request
        self.status = response.status
        self.headers = response.headers
        self.received = 0
        self._response = response
        self._check = check

    def chunks(self) -> Iterator[bytes]:
        """The body, piece by piece; TransientFailure where it ends early."""
        try:
            for chunk in self._response.stream(CHUNK, decode_content=False):
                self._check()
                self.received += len(chunk)
                yield chunk
        except urllib3.exceptions.TimeoutError as error:
            raise TransientFailure(self.request, describe(error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise TransientFailure(self.request, describe(error), error=RegistryAnswerWrong) from None

    def read(self, limit: int) -> bytes:
        """The whole body; RegistryAnswerWrong when it is longer than ``limit`` bytes."""
        parts = []
        for chunk in self.chunks():
            parts.append(chunk)
            if self.received > limit:
                raise RegistryAnswerWrong(f"the answer to {self.request} is longer than {limit} bytes")
        return b"".join(parts)


class Transport:
    """Sends requests; thread-safe; a context manager that closes its connections.

    Args:
        lifetime: what ends every wait.
        environment: proxy and certificate variables.
        retries: how long a step is repeated.
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
        self._environment = dict(environment)
        self._retries = retries or RetryPolicy()
        timeouts = timeouts or Timeouts()
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._observe = observe
        self._lock = threading.Lock()
        self._trusted: ssl.SSLContext | None = None
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._plain = urllib3.PoolManager(maxsize=CONNECTIONS_PER_HOST)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            pools = (self._plain, *self._pools.values())
        for pool in pools:
            pool.clear()

    def retrying(self, step: Callable[[int], Result]) -> Result:
        """Call ``step`` with 1, 2, … until it raises no TransientFailure.

        Raises:
            RegistryFailed, RegistryAnswerWrong: as the last failure says, once the retries are used up.
            RunEnded: the run was ended.
        """
        attempts = itertools.count(1)
        first_failure: list[float] = []

        def attempt() -> Result:
            self._lifetime.check()
            try:
                return step(next(attempts))
            except TransientFailure:
                first_failure.append(time.monotonic())
                raise

        def pause(state: tenacity.RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            retry_after = failure.retry_after if isinstance(failure, TransientFailure) else None
            return self._retries.pause(state.attempt_number, retry_after, random.random())  # noqa: S311  # jitter

        def stop(state: tenacity.RetryCallState) -> bool:
            return self._retries.gives_up(
                state.attempt_number, time.monotonic() - first_failure[0], state.upcoming_sleep
            )

        repeated = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientFailure),
            wait=pause,
            stop=stop,
            sleep=self._lifetime.wait,
            reraise=True,
        )
        try:
            return repeated(attempt)
        except TransientFailure as failure:
            tried = len(first_failure)
            times = (
                "once"
                if tried == 1
                else f"{tried} times, the last {time.monotonic() - first_failure[0]:.0f} s after the first"
            )
            raise failure.error(f"{failure.request} failed {times}: {failure.problem}") from None

    def exchange(self, request: Request, *, limit: int = ANSWER_LIMIT) -> Answer:
        """Send once and read the whole answer; errors as ``open``."""
        with self.open(request) as response:
            return Answer(request, response.status, response.headers, response.read(limit))

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[Response]:
        """Send once; redirects are not followed; the connection is given back or closed at the end of the block.

        Raises:
            TransientFailure: no connection, no or half an answer, 408, 429 or 5xx.
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
                return self._pool(request.host).request(
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
                if is_untrusted(error):
                    raise RegistryFailed(
                        f"{request}: {describe(error)}",
                        remedy="Point SSL_CERT_FILE at the certificates to trust, then rerun.",
                    ) from None
                raise TransientFailure(request, describe(error)) from None

    def _pool(self, host: str) -> urllib3.PoolManager:
        if is_loopback(host):
            return self._plain
        proxy = proxy_for(host, self._environment)
        with self._lock:
            if self._trusted is None:
                self._trusted = _trust(self._environment)
            if proxy not in self._pools:
                self._pools[proxy] = _tls_pool(proxy, self._trusted)
            return self._pools[proxy]


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
        # The connection's own errors are raised where the chunk is sent; this is the source, which no retry mends.
        raise RuntimeError(f"what was to be sent cannot be read: {error}") from error


def _tls_pool(proxy: str | None, trusted: ssl.SSLContext) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": CONNECTIONS_PER_HOST, "ssl_context": trusted}
    if proxy is None:
        return urllib3.PoolManager(**options)
    login = urlsplit(proxy).netloc.rpartition("@")[0]
    headers = urllib3.make_headers(proxy_basic_auth=unquote(login)) if login else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


def _refuse_transient(response: Response) -> None:
    if response.status in RETRIED_STATUSES or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        retry_after = read_retry_after(response.headers.get("Retry-After"), time.time())
        problem = describe_status(response.status, _beginning(response))
        raise TransientFailure(response.request, problem, retry_after=retry_after)


def _beginning(response: Response) -> bytes:
    """What can be had of an error's body: the status is known already, so nothing that goes wrong here matters."""
    parts: list[bytes] = []
    with contextlib.suppress(TransientFailure):
        for chunk in response.chunks():
            parts.append(chunk)
            if response.received > ERROR_LIMIT:
                break
    return b"".join(parts)
