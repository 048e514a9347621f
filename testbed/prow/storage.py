"""The bucket that Prow's programs keep logs and artifacts in: an S3 server on a free loopback port, in memory."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from testbed import moto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWER_SECONDS = 60.0
NAMESPACE = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none"
)
"""Who sends no such header is anonymous and reads nothing; the server does not check the signature."""
ALL = 10**9
"""More keys than a bucket here has; unlike S3's own, this server gives them all in one answer."""


class StorageFailed(Exception):
    """The S3 server does not answer, or not as it should; the message says what it said."""


@dataclass(frozen=True)
class Storage:
    """A bucket that answers.

    Attributes:
        host: ``127.0.0.1:PORT``.
        bucket: the bucket's name; nothing was in it at first.
        credentials: the file that Prow's programs take as ``--s3-credentials-file`` (pkg/io/providers/providers.go).
    """

    host: str
    bucket: str
    credentials: Path

    @property
    def address(self) -> str:
        """The bucket as Prow's configuration names it."""
        return f"s3://{self.bucket}"

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all objects below a prefix, sorted."""
        query = urlencode({"list-type": 2, "prefix": prefix, "max-keys": ALL})
        listed = ET.fromstring(_ask(self.host, "GET", f"/{self.bucket}?{query}"))  # noqa: S314 - our own server
        return sorted(key.text or "" for key in listed.iterfind("s3:Contents/s3:Key", NAMESPACE))

    def read(self, key: str) -> bytes:
        """What an object holds.

        Raises:
            StorageFailed: there is none; the message says so.
        """
        return _ask(self.host, "GET", self._path(key))

    def write(self, key: str, content: bytes) -> None:
        """Make an object, or write over it."""
        _ask(self.host, "PUT", self._path(key), content)

    def _path(self, key: str) -> str:
        return f"/{self.bucket}/{quote(key)}"


@contextlib.contextmanager
def serve(server: Path, folder: Path, *, bucket: str = "prow") -> Iterator[Storage]:
    """Run an S3 server with one bucket; it picks a free port itself, and ends with the block.

    Args:
        server: the program moto_server.
        folder: an empty or missing folder for the credentials, the server's log and its temporary files.
        bucket: the bucket's name.

    Raises:
        StorageFailed: it ended or did not answer in time.
    """
    try:
        with moto.serve(server, folder) as host:
            _ask(host, "PUT", f"/{bucket}")
            yield Storage(host, bucket, _write_credentials(folder / "credentials.json", host))
    except moto.MotoFailed as error:
        raise StorageFailed(f"there is no S3 server: {error}") from error


def _write_credentials(path: Path, host: str) -> Path:
    credentials = {
        "region": "us-east-1",
        "endpoint": f"http://{host}",
        "insecure": True,
        "s3_force_path_style": True,
        "access_key": "local",
        "secret_key": "local",  # the server takes any
    }
    path.write_text(json.dumps(credentials), encoding="utf-8")
    return path


def _ask(host: str, method: str, path: str, body: bytes | None = None) -> bytes:
    with contextlib.closing(http.client.HTTPConnection(host, timeout=ANSWER_SECONDS)) as connection:
        connection.request(method, path, body, {"Authorization": AUTHORIZATION})
        answer = connection.getresponse()
        content = answer.read()
    if answer.status != http.client.OK:
        raise StorageFailed(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
    return content
