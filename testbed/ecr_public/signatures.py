"""AWS's signatures, version 4: whose request it is, and whether it is theirs.

What is refused, and in which words, is what the services answer; those that speak JSON and STS have different codes.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.ecr_public.identities import Account, Caller

HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, *"
    r"SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>\w+)"
)
TIME = "%Y%m%dT%H%M%SZ"
SKEW_SECONDS = 300
INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - words
WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True)
class Signed:
    """Who signed a request, for which region and service."""

    caller: Caller
    region: str
    service: str


class Refused(Exception):
    """A request is not let in: ``code`` is what services that speak JSON answer, ``sts_code`` what STS answers."""

    def __init__(self, code: str, sts_code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.sts_code = code, sts_code


def authenticate(account: Account, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return who signed a request.

    Args:
        account: whose keys count.
        method: of the request.
        path: with the query.
        headers: by lower-case names.
        body: all of it.

    Raises:
        Refused: nobody did, or not so that it may be let in.
    """
    found = HEADER.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise Refused(
            "MissingAuthenticationTokenException", "MissingAuthenticationToken", "Missing Authentication Token"
        )
    caller = account.find(found["key"])
    if caller is None or headers.get("x-amz-security-token") != caller.token:
        raise Refused("UnrecognizedClientException", "InvalidClientTokenId", INVALID_TOKEN)
    if caller.expires is not None and account.clock() >= caller.expires:
        words = "The security token included in the request is expired"
        raise Refused("ExpiredTokenException", "ExpiredToken", words)
    _check_time(account.clock(), headers.get("x-amz-date", ""))
    signed = {name: headers.get(name, "") for name in found["headers"].split(";")}
    request = AWSRequest(method, f"http://{headers.get('host', '')}{path}", signed, body)
    request.context["timestamp"] = headers["x-amz-date"]
    if not hmac.compare_digest(_signature(caller, found, request), found["signature"]):
        raise Refused("InvalidSignatureException", "SignatureDoesNotMatch", WRONG)
    return Signed(caller, found["region"], found["service"])


def _check_time(now: float, written: str) -> None:
    try:
        signed_at = datetime.strptime(written, TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Refused("InvalidSignatureException", "IncompleteSignature", "Date must be in ISO-8601 format") from None
    words = None
    if signed_at < now - SKEW_SECONDS:
        limit = f"{_text(now - SKEW_SECONDS)} ({_text(now)} - 5 min.)"
        words = f"Signature expired: {written} is now earlier than {limit}"
    elif signed_at > now + SKEW_SECONDS:
        limit = f"{_text(now + SKEW_SECONDS)} ({_text(now)} + 5 min.)"
        words = f"Signature not yet current: {written} is still later than {limit}"
    if words is not None:
        raise Refused("InvalidSignatureException", "SignatureDoesNotMatch", words)


def _signature(caller: Caller, found: re.Match[str], request: Any) -> str:
    credentials = Credentials(caller.access_key, caller.secret, caller.token)
    auth: Any = SigV4Auth(credentials, found["service"], found["region"])
    text: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return text


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(TIME)
