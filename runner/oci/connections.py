"""Connections to registries: one pool, in plain text to this machine only, through a proxy where there is one."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import certifi
import urllib3

from runner.errors import UsageInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS_PER_HOST = 32


class Connections:
    """The pools of one run; thread-safe.

    Args:
        environment: proxy and certificate variables.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._trusted: ssl.SSLContext | None = None
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._plain = urllib3.PoolManager(maxsize=CONNECTIONS_PER_HOST)

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            pools = (self._plain, *self._pools.values())
        for pool in pools:
            pool.clear()

    def pool(self, host: str) -> urllib3.PoolManager:
        """Return the pool through which this host is spoken to."""
        if is_loopback(host):
            return self._plain
        proxy = proxy_for(host, self._environment)
        with self._lock:
            if self._trusted is None:
                self._trusted = _trust(self._environment)
            if proxy not in self._pools:
                self._pools[proxy] = _tls_pool(proxy, self._trusted)
            return self._pools[proxy]


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


def _tls_pool(proxy: str | None, trusted: ssl.SSLContext) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": CONNECTIONS_PER_HOST, "ssl_context": trusted}
    if proxy is None:
        return urllib3.PoolManager(**options)
    login = urlsplit(proxy).netloc.rpartition("@")[0]
    headers = urllib3.make_headers(proxy_basic_auth=unquote(login)) if login else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
