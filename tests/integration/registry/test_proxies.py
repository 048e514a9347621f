"""Which proxy is taken, held to Go's own decision; and what a proxy itself answers, told as the proxy's."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from runner.errors import CredentialsRefused, ProxyUnusable, RegistryFailed
from runner.oci.proxies import proxy_for
from testbed.go_proxies import build_proxy_rules, go_proxies
from testbed.tunnel_proxy import TunnelProxy
from tests.integration.registry.sample import at
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.registry.sample import Connect

PROXY = "http://proxy.example:3128"
HOSTS = (
    "a.example",
    "A.EXAMPLE",
    "a.example:5000",
    "b.a.example",
    "ba.example",
    "example",
    "10.1.2.3",
    "10.1.2.3:5000",
    "11.1.2.3",
    "192.168.0.1",
    "[fd00::1]",
    "[fd00::1]:5000",
    "[fe80::1%25eth0]",
    "[::ffff:10.1.2.3]",
    "localhost",
    "localhost:5000",
    "127.0.0.1",
    "127.8.9.1:5000",
    "[::1]",
    "xn--mller-kva.example",
    "müller.example",
    "www.müller.example",
    "straße.example",
    "1.example",
    "a.example.",
)
EXCEPTIONS = (
    "",
    ",, ,",
    "*",
    "a.example,*",
    "a.example",
    ".a.example",
    "*.a.example",
    "**.a.example",
    "*a.example",
    " A.EXAMPLE , x",
    "a.example:5000",
    "a.example:443",
    "a.example:",
    ".a.example:5000",
    ":443",
    "example",
    "ample",
    ".",
    "*.",
    "a.example.",
    "10.0.0.0/8",
    "10.0.0.0/08",
    "10.1.2.3/8",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/8:443",
    "0.0.0.0/0",
    "::/0",
    "10.1.2.3",
    "10.1.2.3:5000",
    "010.1.2.3",
    ".1.2.3",
    "10.1.2",
    "fd00::/8",
    "fd00::1",
    "fd00::1:5000",
    "[fd00::1]",
    "[fd00::1]:5000",
    "[fd00::1]5000",
    "[fd00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::/10",
    "fe80::1%eth0/10",
    "::ffff:10.1.2.3",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.0/90",
    "müller.example",
    "MÜLLER.example",
    ".müller.example",
    "*.müller.example",
    "xn--mller-kva.example",
    "straße.example",
    "xn--strae-oqa.example",
    "strasse.example",
    "a b.example",
    "http://a.example",
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("go")
    return build_proxy_rules(tmp_path_factory.mktemp("rules"))


@pytest.mark.parametrize("exceptions", EXCEPTIONS)
def test_exceptions_as_go_reads_them(rules: Path, exceptions: str) -> None:
    """For every entry of NO_PROXY and every host, the proxy is the one that Go itself takes."""
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}
    found = [proxy_for(host.replace("%25", "%"), environment) for host in HOSTS]
    expected = go_proxies(rules, environment, [f"https://{host}/v2/" for host in HOSTS])
    ours = tuple(None if proxy is None else proxy.url for proxy in found)
    assert dict(zip(HOSTS, ours, strict=True)) == dict(zip(HOSTS, expected, strict=True))


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTPS_PROXY": PROXY, "https_proxy": "http://lower.example"},
        {"https_proxy": PROXY},
        {"HTTPS_PROXY": "", "https_proxy": PROXY},
        {"HTTP_PROXY": PROXY, "http_proxy": PROXY},
        {"ALL_PROXY": PROXY, "all_proxy": PROXY},
        {"HTTPS_PROXY": "proxy.example"},
        {"HTTPS_PROXY": "proxy.example:3128"},
        {"HTTPS_PROXY": "127.0.0.1:3128"},
        {"HTTPS_PROXY": "https://me:s%40x@proxy.example:3128"},
        {"HTTPS_PROXY": "http://[fd00::1]:3128"},
        {"HTTPS_PROXY": PROXY, "NO_PROXY": "b", "no_proxy": "a.example"},
        {"HTTPS_PROXY": PROXY, "NO_PROXY": "", "no_proxy": "a.example"},
        {"https_proxy": PROXY, "No_Proxy": "a.example"},
    ],
    ids=str,
)
def test_variables_as_go_reads_them(rules: Path, environment: dict[str, str]) -> None:
    """Which variable counts, and how an address may be written, is as in Go."""
    found = proxy_for("a.example", environment)
    assert (None if found is None else found.url,) == go_proxies(rules, environment, ["https://a.example/"])


def read_through(connect: Connect, proxy: str) -> None:
    connect(environment={"HTTPS_PROXY": f"http://{proxy}"}).manifest(at("registry.example"), "v1")


def test_proxy_that_wants_credentials(connect: Connect) -> None:
    """407 is a matter of the proxy's credentials: told at once, with the variable they belong in."""
    with (
        TunnelProxy("127.0.0.1:9", [(407, "Proxy Authentication Required")] * 3) as proxy,
        pytest.raises(CredentialsRefused, match=rf"the proxy {proxy.host} \(HTTPS_PROXY\).*407 Proxy Auth") as raised,
    ):
        read_through(connect, f"me:hunter2@{proxy.host}")
    assert len(proxy.requests) == 1
    assert "HTTPS_PROXY" in raised.value.remedy
    assert "hunter2" not in raised.value.cause


@pytest.mark.parametrize("status", [400, 403, 405])
def test_proxy_that_does_not_connect(connect: Connect, status: int) -> None:
    """A proxy that refuses a host for good is a setting that cannot work, and is not asked again."""
    with (
        TunnelProxy("127.0.0.1:9", [(status, "No")] * 3) as proxy,
        pytest.raises(ProxyUnusable, match=rf"HTTPS_PROXY\) does not connect to registry.example: HTTP {status} No"),
    ):
        read_through(connect, proxy.host)
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_proxy_that_fails(connect: Connect, status: int) -> None:
    """What passes is waited for, and told as the proxy's where it does not."""
    with (
        TunnelProxy("127.0.0.1:9", [(status, "Bad Luck")] * 9) as proxy,
        pytest.raises(RegistryFailed, match=rf"failed 4 times.*at the proxy: HTTP {status} Bad Luck \({proxy.host}, "),
    ):
        read_through(connect, proxy.host)
    assert len(proxy.requests) == 4


def test_proxy_that_is_not_there(connect: Connect) -> None:
    """A proxy on this machine that nobody serves cannot come to work by waiting: a usage error, at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ProxyUnusable, match=r"failed once: at the proxy: connection refused.*HTTPS_PROXY"):
            read_through(connect, f"127.0.0.1:{unused.getsockname()[1]}")


def test_proxy_whose_name_is_mistyped(connect: Connect) -> None:
    """A proxy whose name does not resolve is looked for twice, and then a usage error that names the variable."""
    with pytest.raises(ProxyUnusable, match=r"at the proxy: the host's name does not resolve.*HTTPS_PROXY"):
        read_through(connect, "proxy.invalid:3128")


def test_setting_that_cannot_work(connect: Connect) -> None:
    """A proxy of a kind that cannot be used costs no time and no attempt."""
    began = time.monotonic()
    registry = connect(environment={"ALL_PROXY": "socks5h://127.0.0.1:1080"})
    with pytest.raises(ProxyUnusable, match="ALL_PROXY"):
        registry.manifest(at("registry.example"), "v1")
    assert time.monotonic() - began < 1.0
