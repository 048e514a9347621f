from __future__ import annotations

import pytest

from runner.errors import ProxyUnusable, UsageInvalid
from runner.oci.connections import Connections, base_url, is_loopback, same_host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.10", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("public.ecr.aws", False),
        ("128.0.0.1:5000", False),
        ("10.0.0.1", False),
        ("[::2]:5000", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_only_this_machine_is_spoken_to_in_plain_text(host: str, *, expected: bool) -> None:
    """Plain HTTP is for localhost, 127.0.0.0/8 and ::1; every other host gets TLS."""
    assert is_loopback(host) is expected
    assert base_url(host) == f"{'http' if expected else 'https'}://{host}"


@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("https://a.example/v2/", "a.example", True),
        ("https://A.example:443/v2/", "a.example", True),
        ("https://a.example/v2/", "A.Example:443", True),
        ("https://me:secret@a.example/", "a.example", True),
        ("http://127.0.0.1:5000/v2/", "127.0.0.1:5000", True),
        ("http://[::1]:5000/", "[::1]:5000", True),
        ("http://a.example/v2/", "a.example", False),
        ("http://a.example:443/v2/", "a.example", False),
        ("https://127.0.0.1:5000/v2/", "127.0.0.1:5000", False),
        ("https://a.example:444/", "a.example", False),
        ("https://b.a.example/", "a.example", False),
        ("https://a.example@b.example/", "a.example", False),
        ("https://b.example/a.example", "a.example", False),
        ("/v2/", "a.example", False),
    ],
)
def test_urls_of_a_host(url: str, host: str, *, expected: bool) -> None:
    """A URL leads to a host when scheme, name and port are those with which the host is spoken to."""
    assert same_host(url, host) is expected


def test_proxy_of_this_machine() -> None:
    """No setting sends what goes to this machine through a proxy, nor keeps it from being reached."""
    connections = Connections({"HTTPS_PROXY": "htp://nonsense"})
    assert connections.proxy("127.0.0.1:5000") is None
    connections.pool("localhost:5000")
    with pytest.raises(ProxyUnusable, match="HTTPS_PROXY"):
        connections.pool("registry.example")


def test_certificates_that_cannot_be_read_are_a_usage_error(tmp_path: object) -> None:
    """SSL_CERT_FILE that names no file ends the run with the variable's value, before anything is sent."""
    environment = {"SSL_CERT_FILE": f"{tmp_path}/absent.pem"}
    with pytest.raises(UsageInvalid, match=r"absent\.pem"):
        Connections(environment).pool("registry.example")
