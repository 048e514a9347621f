"""Objects of S3, read with the identity that boto3 finds: records of runs, as Prow keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runner.aws.client import Endpoint
from runner.aws.identity import OWN_IDENTITY
from runner.aws.problem import Operation

if TYPE_CHECKING:
    from runner.aws.calls import Caller
    from runner.aws.client import OpenClient

ADDRESS: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>\S(?:.*\S)?)")
"""S3's own rules for a bucket's name; a key may be anything."""

MOST_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class ObjectAddress:
    """Where an object is."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> ObjectAddress:
        """Read ``s3://BUCKET/KEY``; ValueError when it is not one."""
        found = ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not s3://BUCKET/KEY")
        return cls(found["bucket"], found["key"])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def read_object(address: ObjectAddress, caller: Caller, open_client: OpenClient) -> bytes:
    """Return an object's content.

    Args:
        address: where it is.
        caller: calls AWS.
        open_client: makes clients.

    Raises:
        AwsPermissionMissing, AwsCredentialsUnusable, AwsSettingWrong, AwsFailed: as AWS answered.
        ValueError: it has more than MOST_BYTES.
        RunEnded: the run was ended.
    """

    def call() -> bytes:
        answer = open_client(Endpoint("s3", None), None).get_object(Bucket=address.bucket, Key=address.key)
        body: bytes = answer["Body"].read(MOST_BYTES + 1)
        return body

    body = caller.ask(Operation("s3:GetObject", OWN_IDENTITY, str(address)), call)
    if len(body) > MOST_BYTES:
        raise ValueError(f"{address} has more than {MOST_BYTES} bytes")
    return body
