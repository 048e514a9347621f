from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ExitCode, ProxyUnusable
from runner.oci.proxies import is_proxied, no_proxy, proxy_for

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": "proxy.example:3128"}, PROXY),
        ({"HTTPS_PROXY": "10.0.0.1:3128"}, "http://10.0.0.1:3128"),
        ({"HTTPS_PROXY": "proxy.example"}, "http://proxy.example"),
        ({"HTTPS_PROXY": "http://[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        ({"HTTPS_PROXY": "https://me:s%40x@proxy.example"}, "https://me:s%40x@proxy.example"),
        ({"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower"}, "http://upper"),
        ({"HTTPS_PROXY": "", "https_proxy": "http://lower"}, "http://lower"),
        ({"HTTP_PROXY": PROXY}, None),
        ({"ALL_PROXY": PROXY}, None),
        ({"all_proxy": "proxy.example:3128"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "registry.example"}, None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "registry.example"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "x", "no_proxy": "registry.example"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "socks5h://x:1"}, PROXY),
        ({"HTTPS_PROXY": "nonsense://", "NO_PROXY": "*"}, None),
    ],
)
def test_environment(environment: dict[str, str], expected: str | None) -> None:
    """HTTPS_PROXY counts, in capitals first, where NO_PROXY does not list the host; ALL_PROXY does not, as in Go."""
    found = proxy_for("registry.example", environment)
    assert (found.url if found else None) == expected


@pytest.mark.parametrize(
    ("exceptions", "host", "expected"),
    [
        ("", "a.example", True),
        (",, ", "a.example", True),
        ("*", "a.example", False),
        ("b, *", "10.0.0.1", False),
        ("a.example", "a.example", False),
        ("a.example", "b.a.example", False),
        ("a.example", "ba.example", True),
        (".a.example", "a.example", True),
        (".a.example", "b.a.example", False),
        ("*.a.example", "a.example", True),
        ("*.a.example", "b.a.example", False),
        (" A.Example ", "a.EXAMPLE", False),
        ("a.example:5000", "a.example:5000", False),
        ("a.example:5000", "a.example", True),
        ("a.example:443", "a.example", False),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8", "10.1.2.3:5000", False),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("10.1.2.3/8", "10.9.9.9", False),
        ("10.0.0.0/33", "10.0.0.1", True),
        ("10.0.0.0/", "10.0.0.1", True),
        ("10.0.0.0/8:443", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.1", False),
        ("10.0.0.1:5000", "10.0.0.1:5000", False),
        ("10.0.0.1:5000", "10.0.0.1", True),
        ("10.0.0.1", "x10.0.0.1", True),
        (".0.0.1", "10.0.0.1", True),
        ("fd00::/8", "[fd00::1]:5000", False),
        ("fd00::1", "[fd00::1]", False),
        ("[fd00::1]:443", "[fd00::1]", False),
        ("[fd00::1]", "[fd00::1]", True),
        ("::ffff:10.0.0.0/104", "10.9.9.9", False),
        ("10.0.0.0/8", "[::ffff:10.1.1.1]", False),
        ("müller.example", "xn--mller-kva.example", False),
        ("xn--mller-kva.example", "müller.example", False),
        ("", "localhost:5000", False),
        ("", "127.8.9.1", False),
        ("", "[::1]", False),
        ("example", "a.example", False),
        ("ample", "a.example", True),
        (":443", "a.example", True),
    ],
)
def test_exceptions(exceptions: str, host: str, *, expected: bool) -> None:
    """NO_PROXY lists hosts, domains, addresses, ranges of them and everything, each with or without a port."""
    assert is_proxied(host, exceptions) is expected


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HTTPS_PROXY", "socks5h://proxy.example:1080", "socks5h://"),
        ("HTTPS_PROXY", "htp://proxy.example:3128", "htp://"),
        ("https_proxy", "http://proxy.example:port", "no address"),
        ("HTTPS_PROXY", "http://proxy.example:99999", "no address"),
        ("HTTPS_PROXY", "http://", "no address"),
        ("HTTPS_PROXY", "http:/proxy.example:3128", "no address"),
        ("HTTPS_PROXY", "http//proxy.example:3128", "no address"),
        ("HTTPS_PROXY", "http://proxy example", "no address"),
        ("HTTPS_PROXY", "http://[fd00::1", "no address"),
        ("HTTPS_PROXY", "://proxy", "no address"),
        ("ALL_PROXY", "socks5h://proxy.example:1080", "socks5h://"),
        ("all_proxy", "http://proxy.example:port", "no address"),
    ],
)
def test_settings_that_cannot_work(variable: str, value: str, words: str) -> None:
    """An address that cannot be a proxy's ends the run as a usage error that names the variable, with no password."""
    with pytest.raises(ProxyUnusable, match=words) as raised:
        proxy_for("registry.example", {variable: value})
    assert raised.value.cause.startswith(variable)
    assert raised.value.exit_code is ExitCode.USAGE


def test_nothing_secret_is_shown() -> None:
    """A proxy's password stands in no text about it, also where its address cannot be used."""
    found = proxy_for("registry.example", {"HTTPS_PROXY": "http://me:hunter2@proxy.example:3128"})
    assert str(found) == "the proxy proxy.example:3128 (HTTPS_PROXY)"
    assert "hunter2" not in repr(found)
    with pytest.raises(ProxyUnusable) as raised:
        proxy_for("registry.example", {"HTTPS_PROXY": "http://me:hunter2@proxy.example:port"})
    assert "hunter2" not in f"{raised.value.cause} {raised.value.remedy}"


def test_remedy_for_all_proxy() -> None:
    """Whoever sets ALL_PROXY learns that it is HTTPS_PROXY that counts."""
    with pytest.raises(ProxyUnusable) as raised:
        proxy_for("registry.example", {"ALL_PROXY": "socks5h://proxy.example"})
    assert "set HTTPS_PROXY" in raised.value.remedy


@given(st.text(max_size=40))
def test_any_exceptions_can_be_read(exceptions: str) -> None:
    """No value of NO_PROXY makes reading it fail."""
    assert isinstance(is_proxied("a.example", exceptions), bool)
    assert no_proxy({"NO_PROXY": exceptions}) == exceptions


@given(st.text(max_size=40))
def test_any_proxy_is_read_or_refused(value: str) -> None:
    """Every value of HTTPS_PROXY is none, an http or https address, or a usage error; nothing else."""
    try:
        found = proxy_for("registry.example", {"HTTPS_PROXY": value})
    except ProxyUnusable:
        return
    assert (found is None) == (value == "")
    assert found is None or found.url.startswith(("http://", "https://", "HTTP", "http", "Http"))
