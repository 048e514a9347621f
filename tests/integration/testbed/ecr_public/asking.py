"""Requests to the registry, written out: what a client library would hide is what these tests are about."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from testbed.ecr_public.manifests import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.ecr_public.harness import EcrPublic

OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Answer:
    """What was answered; ``headers`` by lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an answer that has one error."""
        [error] = self.json["errors"]
        return self.status, error["code"], error["message"]


def request(
    host: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one request on a connection of its own; no redirect is followed."""
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Asker:
    """A client with a bearer token; requests are below the registry's alias."""

    ecr: EcrPublic
    token: str = field(repr=False)

    @classmethod
    def logged_in(cls, ecr: EcrPublic, arn: str = "arn:aws:iam::123456789012:user/prow") -> Self:
        """One who got a token as this identity."""
        basic = base64.b64encode(f"AWS:{ecr.password(arn)}".encode()).decode()
        answer = request(ecr.host, "GET", "/token/?service=public.ecr.aws&scope=aws", headers=_basic(basic))
        return cls(ecr, answer.json["token"])

    @classmethod
    def anonymous(cls, ecr: EcrPublic) -> Self:
        """One who got a token without saying who it is."""
        return cls(ecr, request(ecr.host, "GET", "/token/").json["token"])

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str | None = None) -> Answer:
        """Send a request; the path is what follows ``/v2/ALIAS/``, or a whole address that was answered."""
        if path.startswith("http"):
            parts = urlsplit(path)
            host, path = parts.netloc, f"{parts.path}?{parts.query}" if parts.query else parts.path
        else:
            host, path = self.ecr.host, f"/v2/{self.ecr.alias}/{path}"
        headers = {"Authorization": f"Bearer {self.token}"} | ({} if kind is None else {"Content-Type": kind})
        return request(host, method, path, body, headers)

    def upload(self, repository: str, content: bytes) -> Answer:
        """Upload a blob: start, and complete with all of it."""
        started = self.ask("POST", f"{repository}/blobs/uploads/")
        assert started.status == 202, started.body
        return self.ask("PUT", f"{started.headers['location']}?digest={digest_of(content)}", content)

    def put(self, repository: str, reference: str, manifest: bytes, kind: str = OCI_IMAGE) -> Answer:
        """Push a manifest."""
        return self.ask("PUT", f"{repository}/manifests/{reference}", manifest, kind)

    def push(self, repository: str, tag: str, content: bytes = b"content", **more: Any) -> str:
        """Push an image of one layer, and return its digest."""
        manifest = image(content, **more)
        for blob in (b"{}", content):
            assert self.upload(repository, blob).status == 201
        answer = self.put(repository, tag, manifest)
        assert answer.status == 201, answer.body
        return answer.headers["docker-content-digest"]

    def get(self, repository: str, reference: str) -> Answer:
        """Read a manifest."""
        return self.ask("GET", f"{repository}/manifests/{reference}")

    def head(self, repository: str, reference: str) -> Answer:
        """Ask whether a manifest is there."""
        return self.ask("HEAD", f"{repository}/manifests/{reference}")


def image(content: bytes, **more: Any) -> bytes:
    """The manifest of an image of one layer."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": {"mediaType": CONFIG, "digest": digest_of(b"{}"), "size": 2},
            "layers": [{"mediaType": LAYER, "digest": digest_of(content), "size": len(content)}],
            **more,
        }
    ).encode()


def index(*children: str) -> bytes:
    """The manifest of an index."""
    manifests = [{"mediaType": OCI_IMAGE, "digest": digest, "size": 1} for digest in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()


def _basic(value: str) -> dict[str, str]:
    return {"Authorization": f"Basic {value}"}
