from __future__ import annotations

import pytest
import urllib3

from runner.errors import RegistryAnswerWrong, RegistryFailed
from runner.oci.messages import Answer, Body, Request
from runner.oci.registry import redirected

HOST = "registry.example"
MANIFEST, UPLOAD = "/v2/a/manifests/v1", "/v2/a/blobs/uploads/1"


def redirect(method: str, path: str, location: str) -> Answer:
    """A redirect that repeats a request."""
    request = Request(method, f"https://{HOST}{path}", {"Content-Type": "x"}, Body.of(b"body"))
    return Answer(request, 307, urllib3.HTTPHeaderDict({"Location": location} if location else {}), b"")


@pytest.mark.parametrize(
    ("method", "path", "location", "expected"),
    [
        ("PUT", MANIFEST, "/v2/b/manifests/v1", f"https://{HOST}/v2/b/manifests/v1"),
        ("PUT", MANIFEST, f"https://{HOST}:443/x", f"https://{HOST}:443/x"),
        ("PUT", MANIFEST, f"http://{HOST}/x", f"https://{HOST}/x"),
        ("POST", UPLOAD, "2?state=y", f"https://{HOST}/v2/a/blobs/uploads/2?state=y"),
        ("PUT", UPLOAD, "https://storage.example/x?sig=y", "https://storage.example/x?sig=y"),
        ("PATCH", UPLOAD, "https://storage.example/x", "https://storage.example/x"),
    ],
)
def test_where_a_request_is_sent_again(method: str, path: str, location: str, expected: str) -> None:
    """A request goes on within its host, an upload's body also to storage elsewhere, each as it was."""
    answer = redirect(method, path, location)
    moved = redirected(answer, HOST)
    assert moved.url == expected
    assert (moved.method, moved.headers, moved.body) == (method, answer.request.headers, answer.request.body)


@pytest.mark.parametrize(
    ("method", "path", "location", "error"),
    [
        ("PUT", MANIFEST, "https://other.example/x", RegistryFailed),
        ("POST", UPLOAD, "https://other.example/x", RegistryFailed),
        ("PUT", MANIFEST, f"https://{HOST}:444/x", RegistryFailed),
        ("PUT", UPLOAD, "http://storage.example/x", RegistryAnswerWrong),
        ("PUT", MANIFEST, "", RegistryAnswerWrong),
        ("PUT", MANIFEST, "https://[", RegistryAnswerWrong),
    ],
)
def test_where_it_is_not(method: str, path: str, location: str, error: type[Exception]) -> None:
    """Nothing but an upload's body leaves the host, nothing goes out without TLS, and a redirect has to say where."""
    with pytest.raises(error):
        redirected(redirect(method, path, location), HOST)
