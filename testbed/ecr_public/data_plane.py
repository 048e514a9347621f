"""The host that images are pushed to and pulled from, with ECR Public's manners."""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from testbed.ecr_public.cdn import signed_address
from testbed.ecr_public.manifests import DIGEST
from testbed.ecr_public.pushing import NotTaken, Why, invalid, take
from testbed.ecr_public.state import HOST
from testbed.ecr_public.tokens import Expired, Grant, Invalid
from testbed.ecr_public.upstream import ask, asked
from testbed.ecr_public.wire import Exchange, WireServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.ecr_public.recording import Recorder
    from testbed.ecr_public.repositories import Repository
    from testbed.ecr_public.state import State

PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>[^/]+|uploads/[^/]*)")
INVALID = "Your Authorization Token is invalid."
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
MOST_LISTED = 1000
NOT_TAKEN: Mapping[Why, tuple[int, str]] = {
    Why.MANIFEST: (405, "UNSUPPORTED"),
    Why.TAG: (400, "TAG_INVALID"),
    Why.DIGEST: (400, "DIGEST_INVALID"),
    Why.LAYERS: (400, "MANIFEST_BLOB_UNKNOWN"),
    Why.IMAGES: (400, "MANIFEST_BLOB_UNKNOWN"),
    Why.TAGS: (403, "DENIED"),
}
INDEX = "application/vnd.oci.image.index.v1+json"


class DataPlaneServer(WireServer):
    """Serves one registry.

    Args:
        state: what it shares with the other servers.
        port: where it listens; 0: on a free port.
    """

    def __init__(self, state: State, port: int = 0) -> None:
        super().__init__(_Exchange, port)
        self.state = state


class _Refused(Exception):
    """A request is answered with an error, as registries write it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class _Exchange(Exchange):
    server: DataPlaneServer
    name = "registry"
    unread: bool

    @property
    def recorder(self) -> Recorder:
        """Where calls are recorded."""
        return self.state.recorder

    def handle_request(self) -> None:
        """Answer one request."""
        self.unread = True
        try:
            self._serve()
        except _Refused as refused:
            if self.unread:
                self.read_body()
            document = {"errors": [{"code": refused.code, "message": str(refused)}]}
            self.answer_json(refused.status, document, refused.headers)

    @property
    def state(self) -> State:
        """What the servers share."""
        return self.server.state

    @property
    def origin(self) -> str:
        """The address under which the client knows this host."""
        return f"http://{self.headers.get('Host', self.state.host)}"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        if parts.path in {"/token", "/token/"}:
            self._give_token()
            return
        if parts.path != "/v2" and not parts.path.startswith("/v2/"):
            raise _Refused(404, "NOT_FOUND", "page not found")
        grant = self._grant()
        self.identity = grant.arn
        if parts.path in {"/v2", "/v2/"}:
            self.answer_json(200, {})
            return
        found = PATH.fullmatch(parts.path)
        if found is None:
            raise _Refused(404, "NOT_FOUND", "page not found")
        serve = _ROUTES.get((found["kind"], self.command))
        if serve is None:
            raise _Refused(405, "UNSUPPORTED", "The operation is unsupported.")
        serve(self, grant, found["name"], found["rest"])

    # --- who asks

    def _give_token(self) -> None:
        if self.command != "GET":
            raise _Refused(405, "UNSUPPORTED", "The operation is unsupported.")
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        seconds = self.state.switches.token_seconds
        if not scheme:
            self.answer_json(200, {"token": self.state.tokens.issue_token(None, seconds)})
            return
        grant = self._judge(self.state.tokens.basic, value.strip() if scheme.lower() == "basic" else "")
        self.identity = grant.arn
        self.answer_json(200, {"token": self.state.tokens.issue_token(grant.arn, seconds)})

    def _grant(self) -> Grant:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if not scheme:
            challenge = f'Bearer realm="{self.origin}/token/",service="{HOST}",scope="aws"'
            raise _Refused(401, "UNAUTHORIZED", "Not Authorized", {"WWW-Authenticate": challenge})
        if scheme.lower() != "bearer":
            raise _Refused(400, "DENIED", INVALID)
        return self._judge(self.state.tokens.bearer, value.strip())

    def _judge(self, judge: Callable[[str], Grant], value: str) -> Grant:
        try:
            return judge(value)
        except Invalid:
            raise _Refused(400, "DENIED", INVALID) from None
        except Expired:
            raise _Refused(403, "DENIED", EXPIRED) from None

    # --- what may be done, and where

    def _repository(self, name: str) -> Repository:
        alias, _, rest = name.partition("/")
        repository = self.state.repositories.find(rest) if alias == self.state.alias else None
        if repository is None:
            known = rest if alias == self.state.alias else name
            raise _Refused(404, "NAME_UNKNOWN", self.state.unknown_repository(known))
        return repository

    def _allow(self, grant: Grant, name: str, *actions: str) -> None:
        """Refuse who may not do this, or not as often; who is not logged in may do nothing that IAM has a name for."""
        if grant.arn is None:
            raise _Refused(403, "DENIED", "Not Authorized")
        self.actions = tuple(f"ecr-public:{action}" for action in actions)
        for action in self.actions:
            denial = self.state.account.denial(grant.arn, action, self.state.arn(name.partition("/")[2]))
            if denial is not None:
                raise _Refused(403, "DENIED", denial)
        for action in self.actions:
            self._throttle(allowed=self.state.within_quota(action))

    def _throttle(self, *, allowed: bool) -> None:
        if not allowed:
            retry = self.state.switches.retry_after
            raise _Refused(429, "TOOMANYREQUESTS", "Rate exceeded", {} if retry is None else {"Retry-After": retry})

    # --- manifests

    def _find(self, repository: Repository, reference: str) -> str:
        """The digest that a reader of a tag or digest is shown."""
        repositories = self.state.repositories
        if DIGEST.fullmatch(reference):
            shown = reference if repositories.has(repository, reference) else None
        else:
            shown = repositories.shows(repository, reference)
        if shown is None:
            raise _Refused(404, "MANIFEST_UNKNOWN", "Requested image not found")
        return shown

    def read_manifest(self, grant: Grant, name: str, reference: str) -> None:
        """Give a manifest; with its digest in a header only to HEAD."""
        repository = self._repository(name)
        self._throttle(allowed=self.state.may_pull(grant.arn))
        digest = self._find(repository, reference)
        omit = frozenset({"docker-content-digest"} if self.command == "GET" else ())
        with asked(self.state.upstream, self.command, f"/v2/{name}/manifests/{digest}", {}) as answer:
            self.relay(answer, omit=omit)

    def put_manifest(self, grant: Grant, name: str, reference: str) -> None:
        """Take a manifest whose parts are all in the same repository."""
        self._allow(grant, name, "PutImage")
        repository = self._repository(name)
        body = self.kept = self.read_body()
        self.unread = False
        try:
            manifest = take(self.state, repository, body, self.headers.get("Content-Type", ""), reference)
        except NotTaken as error:
            raise _Refused(*NOT_TAKEN[error.why], str(error)) from None
        said = {"Docker-Content-Digest": manifest.digest, "Location": f"{self.origin}/v2/{name}/manifests/{reference}"}
        if manifest.subject is not None and self.state.switches.referrers:
            said["OCI-Subject"] = manifest.subject
        self.answer(201, b"", said)

    # --- blobs

    def find_blob(self, grant: Grant, name: str, digest: str) -> None:
        """Say whether a blob is there: who asks with HEAD is sent to the host that serves blobs."""
        if grant.arn is not None and self.command == "HEAD":
            self._allow(grant, name, "BatchCheckLayerAvailability")
        repository = self._repository(name)
        if digest not in repository.blobs:
            raise _Refused(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.state.switches.blob_redirects:
            self.answer(307, b"", {"Location": signed_address(self.state, name, digest)})
            return
        with asked(self.state.upstream, self.command, self.path, self.sent_headers) as answer:
            self.relay(answer)

    def start_upload(self, grant: Grant, name: str, rest: str) -> None:
        """Start an upload, whether or not the client asks for a mount, or mount if that is switched on."""
        if rest not in {"uploads", "uploads/"}:
            raise _Refused(405, "UNSUPPORTED", "The operation is unsupported.")
        self._allow(grant, name, "InitiateLayerUpload")
        repository = self._repository(name)
        query = parse_qs(urlsplit(self.path).query)
        self.read_body()
        self.unread = False
        mount, source = query.get("mount", [""])[0], query.get("from", [""])[0]
        if mount and self.state.switches.mount and self._mounted(repository, mount, source):
            said = {"Location": f"{self.origin}/v2/{name}/blobs/{mount}", "Docker-Content-Digest": mount}
            self.answer(201, b"", said)
            return
        _, _, headers = ask(self.state.upstream, "POST", f"/v2/{name}/blobs/uploads/", {})
        upload = headers["location"].rpartition("/")[2]
        self.state.uploads[upload] = name
        location = f"{self.origin}/v2/{name}/blobs/uploads/{upload}"
        self.answer(202, b"", {"Location": location, "Range": "0-0", "Docker-Upload-UUID": upload})

    def _mounted(self, repository: Repository, digest: str, source: str) -> bool:
        alias, _, name = source.partition("/")
        other = self.state.repositories.find(name) if alias == self.state.alias else None
        if other is None or digest not in other.blobs:
            return False
        repository.blobs.add(digest)
        return True

    def continue_upload(self, grant: Grant, name: str, rest: str) -> None:
        """Take a part of a blob."""
        self._allow(grant, name, "UploadLayerPart")
        self._pass_upload_on(self._repository(name), name, rest)

    def complete_upload(self, grant: Grant, name: str, rest: str) -> None:
        """Take a blob's last part, if there is one, and complete it, as often in a second as the quota allows."""
        has_body = self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers
        self._allow(grant, name, *(("UploadLayerPart",) if has_body else ()), "CompleteLayerUpload")
        repository = self._repository(name)
        self._pass_upload_on(repository, name, rest)

    def _pass_upload_on(self, repository: Repository, name: str, rest: str) -> None:
        upload = rest.rpartition("/")[2]
        if self.state.uploads.get(upload) != name:
            raise _Refused(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        self.unread = False
        with asked(self.state.upstream, self.command, self.path, self.sent_headers, self.body()) as answer:
            content = answer.read()
            said = {key: value for key in ("Range", "Docker-Content-Digest") if (value := answer.getheader(key))}
            if answer.status == http.client.ACCEPTED:
                said["Location"] = f"{self.origin}/v2/{name}/blobs/uploads/{upload}"
            elif answer.status == http.client.CREATED:
                digest = said["Docker-Content-Digest"]
                said["Location"] = f"{self.origin}/v2/{name}/blobs/{digest}"
                repository.blobs.add(digest)
                self.state.uploads.pop(upload, None)
            self.answer(answer.status, content, {"Content-Type": "application/json", **said})

    # --- lists

    def list_tags(self, _: Grant, name: str, rest: str) -> None:
        """List the tags that can be seen, a page of them."""
        if rest != "list":
            raise _Refused(404, "NOT_FOUND", "page not found")
        repository = self._repository(name)
        query = parse_qs(urlsplit(self.path).query)
        asked_for = query.get("n", [str(MOST_LISTED)])[0]
        if not asked_for.isdecimal() or not 0 < int(asked_for) <= MOST_LISTED:
            words = invalid(f"Member must have value less than or equal to {MOST_LISTED}", "maxResults")
            raise _Refused(405, "UNSUPPORTED", words)
        last = query.get("last", [""])[0]
        tags = [tag for tag in self.state.repositories.visible_tags(repository) if tag > last]
        page = tags[: int(asked_for)]
        said = {}
        if len(tags) > len(page):
            following = urlencode({"last": page[-1], "n": asked_for})
            said["Link"] = f'</v2/{name}/tags/list?{following}>; rel="next"'
        self.answer_json(200, {"name": name, "tags": page}, said)

    def list_referrers(self, _: Grant, name: str, digest: str) -> None:
        """List what refers to a manifest, if that is switched on."""
        repository = self._repository(name)
        if not self.state.switches.referrers or not DIGEST.fullmatch(digest):
            raise _Refused(404, "NOT_FOUND", "page not found")
        if not repository.images:
            self.answer_json(200, {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, kind=INDEX)
            return
        with asked(self.state.upstream, "GET", f"/v2/{name}/referrers/{digest}", {}) as answer:
            self.relay(answer)


_ROUTES: dict[tuple[str, str], Callable[[_Exchange, Grant, str, str], None]] = {
    ("manifests", "GET"): _Exchange.read_manifest,
    ("manifests", "HEAD"): _Exchange.read_manifest,
    ("manifests", "PUT"): _Exchange.put_manifest,
    ("blobs", "GET"): _Exchange.find_blob,
    ("blobs", "HEAD"): _Exchange.find_blob,
    ("blobs", "POST"): _Exchange.start_upload,
    ("blobs", "PATCH"): _Exchange.continue_upload,
    ("blobs", "PUT"): _Exchange.complete_upload,
    ("tags", "GET"): _Exchange.list_tags,
    ("referrers", "GET"): _Exchange.list_referrers,
}
