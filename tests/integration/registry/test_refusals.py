"""What registries refuse, in the manner of each: told by who can act, and never as an outage."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runner.errors import CredentialsRefused, RegistryAnswerWrong, RegistryFailed, RegistryForbids, TagImmutable
from runner.oci.artifact import Blob, RemoteSource
from runner.oci.manifest import OCI_LAYER, OCI_MANIFEST, Manifest
from runner.oci.retries import RetryPolicy
from testbed.base_images import write_blob
from tests.integration.registry.sample import CONFIG, LAYER, MANIFEST, at

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.faults.proxy import FaultProxy
    from tests.integration.registry.sample import Connect

OTHER = Manifest.write(
    OCI_MANIFEST,
    {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG.document(), "layers": [LAYER.document()]},
)
REFUSALS = {
    "ECR": (400, "TAG_INVALID", "The image tag 'v1' already exists and cannot be overwritten because it is immutable."),
    "Harbor": (412, "PRECONDITION", "Failed to process request due to 'image:v1' configured as immutable."),
    "Docker Hub": (403, "DENIED", "tag v1 is immutable"),
    "conflict": (409, "", ""),
    "locked": (405, "DENIED", "The operation is disallowed on this registry, repository or image."),
}


def refuse(proxy: FaultProxy, said: tuple[int, str, str], path: str, method: str = "PUT") -> None:
    status, code, message = said
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode() if code else b""
    proxy.answer(status, method=method, path=path, body=body)


@pytest.mark.parametrize("manner", REFUSALS)
def test_immutable_tag(faulty: FaultProxy, connect: Connect, manner: str) -> None:
    """A tag that holds other content and may not be written is a conflict, in the registry's words, at once."""
    status, _, message = REFUSALS[manner]
    refuse(faulty, REFUSALS[manner], "/manifests/v1$")
    with pytest.raises(TagImmutable) as raised:
        connect().put_manifest(at(faulty.host), "v1", OTHER)
    assert f"HTTP {status}" in raised.value.cause
    assert message in raised.value.cause
    assert raised.value.cause.endswith(f"it holds {MANIFEST.digest}")
    assert "next version" in raised.value.remedy
    assert faulty.count("PUT") == 1


@pytest.mark.parametrize("manner", REFUSALS)
def test_immutable_tag_with_the_same_content(faulty: FaultProxy, connect: Connect, manner: str) -> None:
    """A tag that is immutable and holds this very content is done, although the registry refuses to write it."""
    refuse(faulty, REFUSALS[manner], "/manifests/v1$")
    connect().put_manifest(at(faulty.host), "v1", MANIFEST)
    assert faulty.count("PUT") == 1


def test_immutable_tag_that_should_move(faulty: FaultProxy, connect: Connect) -> None:
    """Where a tag was to move, the remedy is to exempt it from the registry's rule."""
    refuse(faulty, REFUSALS["ECR"], "/manifests/v1$")
    with pytest.raises(TagImmutable) as raised:
        connect().put_manifest(at(faulty.host), "v1", OTHER, replacing=MANIFEST.digest)
    assert "Exempt the tags that move" in raised.value.remedy


@pytest.mark.parametrize(
    "said",
    [
        (413, "", ""),
        (403, "DENIED", "project quota of 100 MiB exceeded"),
        (412, "PRECONDITION", "the configured upper limit will be exceeded"),
        (403, "DENIED", "the repository is archived"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_rules(faulty: FaultProxy, connect: Connect, tmp_path: Path, said: tuple[int, str, str], method: str) -> None:
    """A quota, a size or a policy is no matter of credentials or of time: told at once, with the registry's words."""
    path = "/blobs/uploads/"
    blob = write_blob(tmp_path, OCI_LAYER, f"{said}{method}".encode())
    refuse(faulty, said, path, method)
    with pytest.raises(RegistryForbids) as raised:
        connect().send_blob(at(faulty.host), blob)
    assert said[2] in raised.value.cause
    assert "only then rerun" in raised.value.remedy
    assert faulty.count(method, path) == 1


@pytest.mark.parametrize("status", [403, 404, 405, 400, 401])
def test_mount_that_is_refused(faulty: FaultProxy, connect: Connect, status: int) -> None:
    """A mount from another project that is refused becomes an upload."""
    repository = at(faulty.host, f"team/mounted-{status}")
    faulty.fail(status, method="POST", path="mount=", code="DENIED")
    assert connect().send_blob(repository, Blob(LAYER, RemoteSource(at(faulty.host)))) == "uploaded"
    assert faulty.count("POST", "mount=") == 1


@pytest.mark.parametrize("status", [403, 405, 400, 501])
def test_look_up_that_is_refused(faulty: FaultProxy, connect: Connect, tmp_path: Path, status: int) -> None:
    """Where blobs can be sent but not looked for, they are sent."""
    faulty.answer(status, method="HEAD")
    blob = write_blob(tmp_path, OCI_LAYER, f"no HEAD {status}".encode())
    assert connect().send_blob(at(faulty.host), blob) == "uploaded"


def test_registry_without_head(faulty: FaultProxy, connect: Connect) -> None:
    """A registry that does not know HEAD is asked by GET whether it has a blob."""
    faulty.answer(405, method="HEAD")
    assert connect().has_blob(at(faulty.host), LAYER.digest)
    assert not connect().has_blob(at(faulty.host), f"sha256:{'0' * 64}")


def test_blob_that_is_elsewhere(faulty: FaultProxy, connect: Connect, tmp_path: Path) -> None:
    """HEAD that redirects to where others are refused means that the blob is there; nothing is asked there."""
    faulty.redirect("127.0.0.1:9", method="HEAD")
    blob = write_blob(tmp_path, OCI_LAYER, b"elsewhere")
    assert connect().send_blob(at(faulty.host), blob) == "exists"
    assert not faulty.writes


@pytest.mark.parametrize(
    "said",
    [
        (429, "TOOMANYREQUESTS", {}),
        (403, "DENIED", {"Retry-After": "0"}),
        (503, "", {"Retry-After": "0"}),
        (400, "TOOMANYREQUESTS", {}),
        (403, "TOOMANYREQUESTS", {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_too_many_requests(
    faulty: FaultProxy, connect: Connect, said: tuple[int, str, dict[str, str]], method: str
) -> None:
    """However a registry says that it gets too many requests, it is waited for."""
    status, code, headers = said
    faulty.fail(status, method=method, path="/manifests/", times=2, code=code, headers=headers)
    registry = connect()
    registry.put_manifest(at(faulty.host), f"busy-{method}".lower(), MANIFEST)
    assert registry.manifest(at(faulty.host), f"busy-{method}".lower()) == MANIFEST


def test_forbidden_without_a_wish(faulty: FaultProxy, connect: Connect) -> None:
    """403 without Retry-After is about the credentials, at once."""
    faulty.fail(403, path="/manifests/", code="DENIED")
    with pytest.raises(CredentialsRefused):
        connect().manifest(at(faulty.host), "v1")
    assert faulty.count("GET", "/manifests/") == 1


def test_all_requests_to_a_host_pause_together(faulty: FaultProxy, connect: Connect) -> None:
    """After one request was told to come later, no other goes to that host before the pause is over."""
    moments: list[float] = []
    faulty.fail(429, path="/manifests/", times=1, headers={"Retry-After": "1"})
    registry = connect(
        retries=RetryPolicy(),
        observe=lambda exchange: moments.append(time.monotonic() - exchange.seconds),
    )
    registry_read = lambda _: registry.manifest(at(faulty.host), "v1")  # noqa: E731
    with ThreadPoolExecutor(1) as first:
        begun = first.submit(registry_read, 0)
        while not faulty.count("GET", "/manifests/"):
            time.sleep(0.01)
        time.sleep(0.1)
        with ThreadPoolExecutor(6) as others:
            assert set(others.map(registry_read, range(6))) == {MANIFEST}
        assert begun.result() == MANIFEST
    first_moment, *later = sorted(moments)
    assert len(later) == 7
    assert min(later) - first_moment >= 0.95


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/blobs/uploads/$"), ("PUT", "/blobs/uploads/"), ("PUT", "/manifests/")]
)
def test_redirect_within_the_host(faulty: FaultProxy, connect: Connect, tmp_path: Path, method: str, path: str) -> None:
    """307 within the host is followed with method and body."""
    content = f"redirected {method} {path}".encode()
    blob = write_blob(tmp_path, OCI_LAYER, content)
    faulty.redirect(faulty.host, method=method, path=path, times=1)
    registry = connect()
    assert registry.send_blob(at(faulty.host), blob) == "uploaded"
    registry.put_manifest(at(faulty.host), f"redirected-{method}".lower(), MANIFEST)
    assert registry.read_blob(at(faulty.host), blob.descriptor) == content
    assert registry.manifest(at(faulty.host), f"redirected-{method}".lower()) == MANIFEST


def test_308_within_the_host(faulty: FaultProxy, connect: Connect) -> None:
    """308 is followed, too."""
    faulty.answer(308, method="PUT", path="/manifests/moved$", headers={"Location": "/v2/team/image/manifests/moved2"})
    registry = connect()
    registry.put_manifest(at(faulty.host), "moved", MANIFEST)
    assert registry.manifest(at(faulty.host), "moved2") == MANIFEST


def test_redirect_for_ever(faulty: FaultProxy, connect: Connect) -> None:
    """Redirects that lead to each other end the step."""
    faulty.answer(307, method="PUT", headers={"Location": "/v2/team/image/manifests/round"})
    with pytest.raises(RegistryAnswerWrong, match="more than 5 redirects"):
        connect().put_manifest(at(faulty.host), "round", MANIFEST)


def test_manifest_is_written_to_no_other_host(faulty: FaultProxy, connect: Connect) -> None:
    """A manifest is not sent to a host that nobody named."""
    faulty.answer(307, method="PUT", headers={"Location": "http://127.0.0.1:9/v2/team/image/manifests/x"})
    with pytest.raises(RegistryFailed, match=r"another host, 127\.0\.0\.1:9") as raised:
        connect().put_manifest(at(faulty.host), "x", MANIFEST)
    assert "127.0.0.1:9" in raised.value.remedy
