from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from botocore.response import StreamingBody

from runner.aws import objects
from runner.aws.calls import Caller
from runner.aws.objects import ObjectAddress, read_object
from runner.errors import AwsPermissionMissing
from runner.runtime.lifetime import Lifetime

if TYPE_CHECKING:
    from tests.unit.aws.conftest import StubbedClients

ADDRESS = ObjectAddress("prow", "logs/s3-release/1/artifacts/record.json")


def answer(body: bytes) -> dict[str, object]:
    return {"Body": StreamingBody(io.BytesIO(body), len(body))}


@pytest.mark.parametrize("text", ["s3://prow/a", "s3://prow-logs.example/a/b c/d.json", str(ADDRESS)])
def test_addresses(text: str) -> None:
    """An address is a bucket and a key, and is written as it was read."""
    assert str(ObjectAddress.parse(text)) == text


@pytest.mark.parametrize("text", ["", "s3://", "s3://prow", "s3://prow/", "s3://P/a", "gs://prow/a", "s3:///a", "/a"])
def test_what_is_no_address(text: str) -> None:
    """What lacks either, or is of another kind of storage, is none."""
    with pytest.raises(ValueError, match="is not s3://BUCKET/KEY"):
        ObjectAddress.parse(text)


def test_an_object(clients: StubbedClients) -> None:
    """The object is asked for by bucket and key, with the caller's own identity."""
    clients.stub("s3").add_response("get_object", answer(b"{}"), {"Bucket": ADDRESS.bucket, "Key": ADDRESS.key})
    assert read_object(ADDRESS, Caller(Lifetime()), clients) == b"{}"
    assert [(endpoint.service, role) for endpoint, role in clients.opened] == [("s3", None)]


def test_an_object_that_may_not_be_read(clients: StubbedClients) -> None:
    """The error names the action and the object."""
    clients.stub("s3").add_client_error("get_object", "AccessDenied", http_status_code=403)
    with pytest.raises(AwsPermissionMissing, match="s3:GetObject") as caught:
        read_object(ADDRESS, Caller(Lifetime()), clients)
    assert str(ADDRESS) in caught.value.cause


def test_a_large_object(clients: StubbedClients, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any record is not read."""
    monkeypatch.setattr(objects, "MOST_BYTES", 3)
    clients.stub("s3").add_response("get_object", answer(b"1234"))
    with pytest.raises(ValueError, match="more than 3 bytes"):
        read_object(ADDRESS, Caller(Lifetime()), clients)
