"""Connections to registries: TLS to every host but this machine, and through a proxy where one is configured."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from runner.errors import UsageInvalid
from runner.oci.bounded import Rate, bounded_response
from runner.oci.proxies import Proxy, proxy_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECTIONS_PER_HOST = 32
SLOWEST = Rate()


class Connections:
    """The pools of one run; thread-safe.

    Args:
        environment: proxy and certificate variables.
        rate: the slowest at which an answer may arrive.
    """

    def __init__(self, environment: Mapping[str, str], rate: Rate = SLOWEST) -> None:
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._trusted: ssl.SSLContext | None = None
        self._pools: dict[Proxy | None, urllib3.PoolManager] = {}
        self._sockets = weakref.WeakSet[socket.socket]()
        self._are_cut = False
        self._classes = _pool_classes(self._opened, rate)
        self._plain = self._watched(urllib3.PoolManager(maxsize=CONNECTIONS_PER_HOST))

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            pools = (self._plain, *self._pools.values())
        for pool in pools:
            pool.clear()

    def cut(self) -> None:
        """Shut down every connection, even one with a request in flight, and every connection opened from now on."""
        with self._lock:
            self._are_cut = True
            sockets = tuple(self._sockets)
        for one in sockets:
            _cut(one)

    def proxy(self, host: str) -> Proxy | None:
        """Return the proxy that leads to this host, if any; ProxyUnusable where what names it cannot work."""
        return None if is_loopback(host) else proxy_for(host, self._environment)

    def pool(self, host: str) -> urllib3.PoolManager:
        """Return the pool of connections to this host; raises what ``proxy`` raises."""
        if is_loopback(host):
            return self._plain
        proxy = self.proxy(host)
        with self._lock:
            if self._trusted is None:
                self._trusted = _trust(self._environment)
            if proxy not in self._pools:
                self._pools[proxy] = self._watched(_tls_pool(proxy, self._trusted))
            return self._pools[proxy]

    def _opened(self, connection: HTTPConnection) -> None:
        if connection.sock is None:
            return
        with self._lock:
            self._sockets.add(connection.sock)
            are_cut = self._are_cut
        if are_cut:
            _cut(connection.sock)

    def _watched(self, pool: urllib3.PoolManager) -> urllib3.PoolManager:
        pool.pool_classes_by_scheme = self._classes
        return pool


def _pool_classes(opened: Callable[[HTTPConnection], None], rate: Rate) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools by URL scheme, made to call ``opened`` with each connection once it is open."""
    bounded = bounded_response(rate)

    class Plain(HTTPConnection):
        response_class = bounded

        def connect(self) -> None:
            super().connect()
            opened(self)

    class Secure(HTTPSConnection):
        response_class = bounded

        def connect(self) -> None:
            super().connect()
            opened(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _cut(one: socket.socket) -> None:
    """Shut the socket itself down: closing TLS properly could wait for the other side."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)


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


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, which may leave the port to the scheme; ValueError when it is malformed."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def same_host(url: str, host: str) -> bool:
    """Whether a URL leads to this host: the same port, and TLS exactly where the host is spoken to in TLS."""
    return origin(url) == origin(base_url(host))


def _trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The certificates to trust: those named in the environment, else the system's, else certifi's."""
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


def _tls_pool(proxy: Proxy | None, trusted: ssl.SSLContext) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": CONNECTIONS_PER_HOST, "ssl_context": trusted}
    if proxy is None:
        return urllib3.PoolManager(**options)
    login = urlsplit(proxy.url).netloc.rpartition("@")[0]
    headers = urllib3.make_headers(proxy_basic_auth=unquote(login)) if login else None
    return urllib3.ProxyManager(proxy.url, proxy_headers=headers, proxy_ssl_context=trusted, **options)
