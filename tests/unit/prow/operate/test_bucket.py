from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.response import StreamingBody

from runner.errors import LogUnavailable
from runner.prow.operate.bucket import Bucket
from runner.prow.operate.prowjob import Place
from runner.report.console import Outlet, open_log

if TYPE_CHECKING:
    from runner.aws.client import Endpoint

PLACE = Place("s3", "prow", "logs/s3-release/1")


class Client:
    """A client of S3 that has these objects, or fails so."""

    def __init__(self, objects: dict[str, bytes], failure: Exception | None = None) -> None:
        self.objects, self.failure, self.made = objects, failure, 0

    def __call__(self, endpoint: Endpoint, role: object) -> Client:
        """Make the client."""
        assert (endpoint.service, role) == ("s3", None)
        self.made += 1
        return self

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """An object's content."""
        if self.failure is not None:
            raise self.failure
        if f"{Bucket}/{Key}" not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = self.objects[f"{Bucket}/{Key}"]
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}


def opened(client: Client) -> Bucket:
    return Bucket(client, open_log(Outlet(io.StringIO()), None))


def test_what_is_kept() -> None:
    """A file is read whole or by lines, whatever its bytes are; what is not there is None; the client is made once."""
    client = Client({"prow/logs/s3-release/1/build-log.txt": b"a\n\xff\nb"})
    bucket = opened(client)
    assert client.made == 0
    assert bucket.read(PLACE, "build-log.txt") == b"a\n\xff\nb"
    assert list(bucket.lines(PLACE, "build-log.txt") or ()) == ["a", "\ufffd", "b"]
    assert bucket.read(PLACE, "artifacts/record.json") is None
    assert bucket.lines(PLACE, "artifacts/record.json") is None
    assert client.made == 1


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (NoCredentialsError(), "without credentials"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "127.0.0.1:1"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject"), "s3:GetObject"),
        (ClientError({"Error": {"Code": "NoSuchBucket", "Message": "no bucket"}}, "GetObject"), "no bucket"),
    ],
)
def test_a_bucket_that_does_not_answer(failure: Exception, says: str) -> None:
    """Whoever cannot read the bucket is told why, and what to set."""
    with pytest.raises(LogUnavailable, match=says) as refused:
        opened(Client({}, failure)).read(PLACE, "build-log.txt")
    assert "AWS_PROFILE" in refused.value.remedy


def test_another_kind() -> None:
    """A bucket of Google's is not read, and nobody is asked."""
    client = Client({})
    with pytest.raises(LogUnavailable, match=r"gs://prow/logs.* is in a bucket of another kind"):
        opened(client).read(replace(PLACE, provider="gs"), "build-log.txt")
    assert client.made == 0


def test_a_connection_that_breaks() -> None:
    """A file whose end does not come is an error."""
    client = Client({"prow/logs/s3-release/1/build-log.txt": b"abc"})
    bucket = opened(client)
    whole = client.get_object

    def cut(**given: str) -> dict[str, Any]:
        return {"Body": StreamingBody(whole(**given)["Body"], 10)}

    client.get_object = cut  # type: ignore[method-assign]
    with pytest.raises(LogUnavailable):
        bucket.read(PLACE, "build-log.txt")
    with pytest.raises(LogUnavailable):
        list(bucket.lines(PLACE, "build-log.txt") or ())
