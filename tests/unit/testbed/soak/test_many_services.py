from __future__ import annotations

import os

import pytest

from testbed.ecr_public.recording import Call
from testbed.process_table import Process
from testbed.soak.many_services import Peak, refused_for_good, refused_requests, service_names

BLOBS = "/v2/a/blobs/uploads"


def call(text: str) -> Call:
    """A request to the registry, from its method, path and status."""
    method, path, status = text.split()
    return Call("registry", method, path, {}, b"", None, (), int(status))


@pytest.mark.parametrize(
    "texts",
    [
        ("PUT /v2/a/manifests/v1 429", "PUT /v2/a/manifests/v1 201"),
        (f"PUT {BLOBS}/1?digest=x 429", f"PUT {BLOBS}/2?digest=x 429", f"PUT {BLOBS}/3?digest=x 201"),
        ("HEAD /v2/a/blobs/x 429", "HEAD /v2/a/blobs/x 404"),
        ("HEAD /v2/a/blobs/x 429", "HEAD /v2/a/blobs/x 307"),
        ("GET /v2/a/manifests/v1 200",),
        (),
    ],
    ids=["manifest", "upload that is begun again", "not there", "redirect", "none", "nothing"],
)
def test_what_was_asked_again(texts: tuple[str, ...]) -> None:
    """A request that was refused and later answered is no problem; an upload is known by its content."""
    assert refused_for_good(map(call, texts)) == []


@pytest.mark.parametrize(
    "texts",
    [
        ("PUT /v2/a/manifests/v1 429",),
        ("PUT /v2/a/manifests/v1 201", "PUT /v2/a/manifests/v1 429"),
        ("PUT /v2/a/manifests/v1 429", "PUT /v2/a/manifests/v2 201", "GET /v2/a/manifests/v1 200"),
        ("PUT /v2/a/manifests/v1 429", "PUT /v2/a/manifests/v1 403"),
        (f"PUT {BLOBS}/1?digest=x 429", f"PUT {BLOBS}/2?digest=y 201", "PUT /v2/b/blobs/uploads/3?digest=x 201"),
        (f"POST {BLOBS}/ 429", f"PUT {BLOBS}/1?digest=x 201"),
    ],
    ids=["never again", "last", "other requests", "another error", "other uploads", "another method"],
)
def test_what_was_refused_for_good(texts: tuple[str, ...]) -> None:
    """A request that was refused, and after that never answered, is told."""
    [told] = refused_for_good(map(call, texts))
    assert told.split()[0] == texts[0].split()[0]
    assert refused_requests(map(call, texts)) == 1


def test_names() -> None:
    """Services have different names, in order."""
    names = service_names(77)
    assert (len(set(names)), list(names)) == (77, sorted(names))


def test_peak_of_this_process() -> None:
    """What a process has is read from the kernel; of two samples the greater of each counts."""
    now = Peak.now(Process(os.getpid()))
    assert now.memory > 2**20
    assert min(now.threads, now.files) >= 1
    assert Peak(1, 9, 3) | Peak(5, 2, 3) == Peak(5, 9, 3)
