"""What a registry means by an answer that is no success: a table over status, codes, words and headers together.

The distribution-spec leaves much open, and registries differ. Immutable tags are refused by ECR with 400 TAG_INVALID
("cannot be overwritten because the tag is immutable"), by Harbor with 412 PRECONDITION ("configured as immutable"), by
Docker Hub with 403, by others with 409; Azure answers 405 for a tag that is locked; quotas are told as 403 DENIED by
Harbor and ECR, as 413 by gateways; and "too many requests" comes as 403 or 503 with Retry-After, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

from runner.oci.problem import plain_text, read_errors, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.oci.messages import Request


class Meaning(Enum):
    """What an answer of 400 or above means."""

    RATE_LIMITED = "later"
    """Too many requests: all of them to this host have to wait."""
    SERVER_ERROR = "error"
    """Another attempt may succeed."""
    CREDENTIALS = "credentials"
    """The credentials are wrong, or do not allow this."""
    IMMUTABLE = "immutable"
    """The tag holds something, and may not be written again."""
    LIMIT = "limit"
    """A quota, or a limit of size or number, is reached."""
    POLICY = "policy"
    """Another rule forbids it."""
    NO_REPOSITORY = "no repository"
    """The repository is not known."""
    UNKNOWN = "unknown"
    """Something that the request names is not known (yet)."""
    REFUSED = "refused"
    """Refused for good, for another reason or none."""


class Purpose(Enum):
    """What a request is for, as far as a refusal depends on it."""

    READ = "read"
    WRITE_TAG = "write tag"
    WRITE = "write"


READ, WRITE_TAG, WRITE = Purpose.READ, Purpose.WRITE_TAG, Purpose.WRITE
WRITES = frozenset({WRITE_TAG, WRITE})
ANY = frozenset(Purpose)
REFUSALS = frozenset(range(400, 500))
NOT_401 = REFUSALS - {401, 407}


@dataclass(frozen=True)
class Rule:
    """An answer matches when all that is given here fits; of ``codes`` and ``words``, one is enough."""

    meaning: Meaning
    statuses: frozenset[int]
    purposes: frozenset[Purpose] = ANY
    codes: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None
    retry_after: bool = False

    def matches(self, purpose: Purpose, status: int, codes: frozenset[str], words: str, *, retry_after: bool) -> bool:
        """Whether this rule is about such an answer."""
        if status not in self.statuses or purpose not in self.purposes or (self.retry_after and not retry_after):
            return False
        if not self.codes and self.words is None:
            return True
        return bool(self.codes & codes) or (self.words is not None and self.words.search(words) is not None)


def _words(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


RULES: tuple[Rule, ...] = (
    Rule(Meaning.RATE_LIMITED, frozenset({429})),
    Rule(
        Meaning.RATE_LIMITED,
        NOT_401 | {503},
        codes=frozenset({"TOOMANYREQUESTS", "RATELIMITEXCEEDED", "THROTTLINGEXCEPTION", "SLOWDOWN"}),
        words=_words(r"too many requests", r"\brate (limit )?exceeded", r"rate.?limit", r"throttl", r"slow down"),
    ),
    Rule(Meaning.RATE_LIMITED, frozenset({400, 403, 409, 413, 423, 425, 503}), retry_after=True),
    Rule(Meaning.LIMIT, frozenset({507}), WRITES),
    Rule(Meaning.SERVER_ERROR, frozenset({408, 425, *range(500, 600)}) - {501, 505, 511}),
    Rule(Meaning.CREDENTIALS, frozenset({401, 407, 511})),
    Rule(Meaning.CREDENTIALS, REFUSALS - {404}, codes=frozenset({"UNAUTHORIZED"})),
    Rule(
        Meaning.IMMUTABLE,
        REFUSALS - {404},
        WRITES,
        words=_words(
            r"immutab",
            r"(can ?not|can't|could not|must not|not allowed to|forbidden to) (be )?(over-?wr|re-?wr|re-?deploy)",
            r"overwrit\w* (is |are )?(not|disabled|forbidden|disallowed)",
            r"write.once",
        ),
    ),
    Rule(
        Meaning.IMMUTABLE,
        REFUSALS - {404},
        frozenset({WRITE_TAG}),
        words=_words(
            r"(tag|version|manifest|image|package|artifact)\b.{0,80}\balready (exists|in use)",
            r"already (exists|taken)",
            r"(tag|image|repository) is locked",
            r"(can ?not|can't) be (updated|changed|modified|moved|replaced)",
        ),
    ),
    Rule(Meaning.IMMUTABLE, frozenset({405}), frozenset({WRITE_TAG}), words=_words(r"disallow", r"\blocked\b")),
    Rule(
        Meaning.LIMIT,
        REFUSALS - {404},
        WRITES,
        codes=frozenset({"QUOTAEXCEEDED", "LIMITEXCEEDED", "ENTITYTOOLARGE", "SIZELIMITEXCEEDED"}),
        words=_words(
            r"quota",
            r"exceed",
            r"\bmaximum\b",
            r"too (large|big|long|many)",
            r"(storage|size|usage|tag|image|upload)s? limit",
            r"limit (has been |is |was )?reached",
            r"(no|not enough|insufficient) (storage|disk|space)",
        ),
    ),
    Rule(Meaning.LIMIT, frozenset({413}), WRITES),
    Rule(
        Meaning.CREDENTIALS,
        frozenset({403}),
        words=_words(
            r"not authori[sz]ed",
            r"unauthori[sz]ed",
            r"authenticat",
            r"permission",
            r"access (is |was )?(denied|forbidden)",
            r"requested access",
            r"insufficient.scope",
            r"credential",
            r"\btoken\b",
            r"\bexpired\b",
            r"log ?in\b",
        ),
    ),
    Rule(
        Meaning.POLICY,
        REFUSALS - {404},
        codes=frozenset({"PROJECTPOLICYVIOLATION", "POLICYVIOLATION", "READONLY", "UNSUPPORTEDMEDIATYPE"}),
        words=_words(
            r"polic(y|ies)\b",
            r"\brules?\b",
            r"disallow",
            r"read.?only",
            r"maintenance",
            r"vulnerab",
            r"\b(not |un)signed\b",
            r"signature",
            r"\bblock(ed|s|ing)?\b",
            r"\b(locked|archived|suspended|frozen|disabled|protected)\b",
            r"billing|payment|subscription",
        ),
    ),
    Rule(Meaning.POLICY, frozenset({402, 451})),
    Rule(Meaning.CREDENTIALS, frozenset({403})),
    Rule(Meaning.IMMUTABLE, REFUSALS - {404}, frozenset({WRITE_TAG}), codes=frozenset({"TAGINVALID"})),
    Rule(Meaning.IMMUTABLE, frozenset({409, 412}), frozenset({WRITE_TAG})),
    Rule(Meaning.POLICY, frozenset({412}), WRITES),
    Rule(Meaning.NO_REPOSITORY, frozenset({400, 404}), codes=frozenset({"NAMEUNKNOWN"})),
    Rule(
        Meaning.UNKNOWN,
        frozenset({400, 404, 409, 412, 416, 422}),
        codes=frozenset(
            {
                *("MANIFESTUNKNOWN", "MANIFESTBLOBUNKNOWN", "BLOBUNKNOWN", "NOTFOUND"),
                *("BLOBUPLOADUNKNOWN", "BLOBUPLOADINVALID", "LAYERSNOTFOUND", "REFERENCEDIMAGESNOTFOUND"),
            }
        ),
        words=_words(r"images? with digests?.* required", r"(layer|blob|manifest|image)s?\b.*\b(not exist|not found)"),
    ),
)
"""In the order in which they are asked; what none matches is ``REFUSED``. Codes stand without their underscores."""

NOT_IMMUTABLE = _words(r"did not match", r"does not match", r"invalid (tag|format|character)")
"""The distribution-spec's own meaning of TAG_INVALID: the tag's spelling, or another than in the URL."""


def purpose_of(request: Request) -> Purpose:
    """What a request is for."""
    if request.method in {"GET", "HEAD"}:
        return Purpose.READ
    tag = "/manifests/" in request.path and ":" not in request.path.rpartition("/")[2]
    return Purpose.WRITE_TAG if tag else Purpose.WRITE


def codes_of(body: bytes) -> frozenset[str]:
    """The codes of an error body in capitals and without underscores, hyphens and spaces."""
    return frozenset(re.sub(r"[_\-\s]", "", code).upper() for code, _ in read_errors(body))


def meaning_of(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> Meaning:
    """What an answer of 400 or above means.

    Args:
        request: what was asked.
        status: the answer's.
        headers: the answer's; their names in any case.
        body: the answer's.
    """
    codes = codes_of(body)
    words = " ".join((sentence(body), plain_text(body), *(message for _, message in read_errors(body))))
    if NOT_IMMUTABLE.search(words):
        codes -= {"TAGINVALID"}
    retry_after = "Retry-After" in headers
    purpose = purpose_of(request)
    for rule in RULES:
        if rule.matches(purpose, status, codes, words, retry_after=retry_after):
            return rule.meaning
    return Meaning.REFUSED


def told_by_proxy(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a proxy on the way says this itself, and not the registry.

    RFC 9110 has Proxy-Authenticate with 407, RFC 9209 Proxy-Status; a gateway's own 502 or 504 carries no error of
    the registry's but may name the gateway in Via.
    """
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED or "error=" in headers.get("Proxy-Status", ""):
        return True
    gateway = status in {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT} and "Via" in headers
    return gateway and not read_errors(body)
