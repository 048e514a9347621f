"""Which proxy leads to a host: the rules of Go's golang.org/x/net/http/httpproxy, which the runner's children follow.

HTTPS_PROXY counts, and NO_PROXY with names, domains, addresses, ranges and ports; the variables in capitals before
those in small letters. ALL_PROXY is not followed, as Go does not. A setting that cannot work ends the run: Go would
pass it over in silence, and what it is meant for would fail much later and for no visible reason.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from runner.errors import ProxyUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

SCHEMES = frozenset({"http", "https"})
HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]")
NO_HOST_CHARACTER = re.compile(r"[\s\x00-\x1f\x7f\"<>\\^`{|}]")
IPV4_IN_IPV6 = 96
"""The bits before the IPv4 address in ::ffff:0:0/96 (RFC 4291, 2.5.5.2)."""


@dataclass(frozen=True)
class Proxy:
    """A proxy and the variable that names it. ``url`` may hold a password, and does not show."""

    url: str = field(repr=False)
    variable: str

    @property
    def host(self) -> str:
        """Host and port, without user information."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def __str__(self) -> str:
        return f"the proxy {self.host} ({self.variable})"


def proxy_for(host: str, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy through which TLS to ``HOST[:PORT]`` goes, if any.

    Raises:
        ProxyUnusable: the variable that counts for this host holds no address of a proxy that can be used.
    """
    named = _named(environment, "HTTPS_PROXY", "https_proxy")
    ignored = _named(environment, "ALL_PROXY", "all_proxy")
    if (named is None and ignored is None) or not is_proxied(host, no_proxy(environment)):
        return None
    if named is not None:
        return _read(*named)
    if ignored is not None:
        with_remedy = (
            f"Unset {ignored[0]}, or set HTTPS_PROXY: neither this program nor Go's tools follow {ignored[0]}."
        )
        _read(*ignored, remedy=with_remedy)
    return None


def no_proxy(environment: Mapping[str, str]) -> str:
    """The list of hosts that need no proxy, empty where there is none."""
    found = _named(environment, "NO_PROXY", "no_proxy")
    return "" if found is None else found[1]


def is_proxied(host: str, exceptions: str) -> bool:
    """Whether a proxy is used for TLS to ``HOST[:PORT]``, unless this machine is meant or it is among the exceptions.

    Args:
        host: as in a URL; an IPv6 address in brackets.
        exceptions: the value of NO_PROXY.
    """
    parts = urlsplit(f"https://{host}")
    name, port = _ascii(parts.hostname or ""), str(parts.port or 443)
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        return False
    entries = [entry.strip().lower() for entry in exceptions.split(",")]
    return not any(_excepts(entry, name, port, address) for entry in entries if entry)


def _excepts(entry: str, name: str, port: str, address: Address | None) -> bool:
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return address is not None and address in network
    entry_host, entry_port = _split(entry)
    if entry_port not in {"", port} or not entry_host:
        return False
    entry_address = None if "%" in entry_host else _address(entry_host)
    if entry_address is not None or address is not None:
        return entry_address == address
    domain = entry_host.removeprefix("*") if entry_host.startswith("*.") else entry_host
    exact = not domain.startswith(".")
    suffix = _ascii(f".{domain}" if exact else domain)
    return name.endswith(suffix) or (exact and name == suffix[1:])


def _split(entry: str) -> tuple[str, str]:
    """Host and port of an entry; all of it is the host where Go's net.SplitHostPort finds no port."""
    host, colon, port = entry.rpartition(":")
    if entry.startswith("["):
        inner = host[1:-1]
        if colon and host.endswith("]") and not set("[]") & set(inner + port):
            return inner, port
        return entry, ""
    if not colon or set(":[]") & set(host) or set("[]") & set(port):
        return entry, ""
    return host, port


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return found.ipv4_mapped or (ipaddress.IPv6Address(int(found)) if found.scope_id else found)
    return found


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, slash, bits = entry.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()) or "%" in address:
        return None
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_network((address, int(bits)), strict=False)
        mapped = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) else None
        if mapped is not None:
            return ipaddress.ip_network((mapped, found.prefixlen - IPV4_IN_IPV6), strict=False)
        return found
    return None


def _ascii(name: str) -> str:
    """A name with labels in other letters as DNS has them (RFC 5891); as it is where it cannot be."""
    if name.isascii():
        return name
    import idna  # noqa: PLC0415 - few have such names, and its tables are large

    bare = name.removeprefix(".")
    with contextlib.suppress(idna.IDNAError):
        return name[: len(name) - len(bare)] + idna.encode(bare, uts46=True, std3_rules=True).decode()
    return name


def _named(environment: Mapping[str, str], *variables: str) -> tuple[str, str] | None:
    return next(((name, environment[name]) for name in variables if environment.get(name)), None)


def _read(variable: str, value: str, *, remedy: str | None = None) -> Proxy:
    """Read the address of a proxy, ``[http[s]://][USER:PASSWORD@]HOST[:PORT]``."""
    url = value if HAS_SCHEME.match(value) else f"http://{value}"
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
        is_address = bool(host) and not parts.netloc.endswith(":") and (url is value or parts.path in {"", "/"})
    except ValueError:
        is_address, scheme = False, ""
    if not is_address or NO_HOST_CHARACTER.search(url):
        raise ProxyUnusable(f"{variable} holds no address of a proxy, such as http://proxy.example:3128", remedy=remedy)
    if scheme not in SCHEMES:
        raise ProxyUnusable(
            f"{variable} names a proxy of the kind {scheme}://; only http:// and https:// can be used", remedy=remedy
        )
    return Proxy(url, variable)
