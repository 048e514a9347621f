"""The host that blobs are read from: whoever has a signed address reads, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from testbed.ecr_public.upstream import asked
from testbed.ecr_public.wire import Exchange, WireServer

if TYPE_CHECKING:
    from testbed.ecr_public.recording import Recorder
    from testbed.ecr_public.state import State

SECONDS = 900.0
DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>'
)
TWO_WAYS = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidArgument</Code><Message>Only one auth mechanism '
    b"allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header "
    b"should be specified</Message></Error>"
)


def signed_address(state: State, repository: str, digest: str) -> str:
    """Where a blob can be read without credentials, for some minutes."""
    path = f"/{repository}/blobs/{digest}"
    expires = str(int(state.clock() + SECONDS))
    query = {"Expires": expires, "Signature": _signature(state, path, expires), "Key-Pair-Id": "KEXAMPLE"}
    return f"http://{state.cdn}{path}?{urlencode(query)}"


class CdnServer(WireServer):
    """Serves the blobs of one registry."""

    def __init__(self, state: State) -> None:
        super().__init__(_Exchange)
        self.state = state


class _Exchange(Exchange):
    server: CdnServer
    name = "cdn"

    @property
    def recorder(self) -> Recorder:
        """Where calls are recorded."""
        return self.server.state.recorder

    def handle_request(self) -> None:
        """Give a blob to whoever has its signed address; nothing to HEAD, which real addresses are not signed for."""
        self.read_body()
        state = self.server.state
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        expires, signature = query.get("Expires", [""])[0], query.get("Signature", [""])[0]
        kind = {"Content-Type": "application/xml"}
        if self.command != "GET":
            self.answer(401, b"", kind)
        elif "Authorization" in self.headers:
            self.answer(400, TWO_WAYS, kind)
        elif (
            not hmac.compare_digest(signature, _signature(state, parts.path, expires))
            or not expires.isdecimal()
            or state.clock() >= int(expires)
        ):
            self.answer(403, DENIED, kind)
        else:
            with asked(state.upstream, "GET", f"/v2{parts.path}", self.sent_headers) as answer:
                self.relay(answer, omit=frozenset({"docker-content-digest"}))


def _signature(state: State, path: str, expires: str) -> str:
    return hmac.new(state.cdn_key, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()
