"""Whether an answer refuses the credentials that a request carried, so that others may be accepted in their place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from runner.oci.problem import read_errors


class Refusal(Enum):
    """What an answer says of the credentials that came with its request."""

    NONE = "nothing"
    """They are no matter: no others would change the answer."""
    POSSIBLE = "perhaps that they are refused"
    """Others are worth an attempt; where that is answered in the same way, the answer is about something else."""
    CERTAIN = "that they are refused"
    """Others are worth an attempt; where they are refused as well, the credentials are at fault."""


@dataclass(frozen=True)
class Rule:
    """Answers of one kind: with this status, and where given with this error code and with these words.

    ``to_head`` is for answers to HEAD, which have neither code nor words.
    """

    status: int
    refusal: Refusal
    code: str | None = None
    words: re.Pattern[str] | None = None
    to_head: bool = False

    def fits(self, status: int, code: str, message: str, method: str) -> bool:
        """Whether an answer, by one of its errors, is of this kind."""
        return (
            status == self.status
            and (not self.to_head or method == "HEAD")
            and (self.code is None or code.upper() == self.code)
            and (self.words is None or self.words.search(message) is not None)
        )


RULES = (
    Rule(HTTPStatus.UNAUTHORIZED, Refusal.CERTAIN),
    Rule(HTTPStatus.FORBIDDEN, Refusal.CERTAIN, words=re.compile(r"\bexpired\b", re.IGNORECASE)),
    Rule(
        HTTPStatus.BAD_REQUEST,
        Refusal.CERTAIN,
        code="DENIED",
        words=re.compile(r"\b(?:authorization|authentication|token|credentials?|expired)\b", re.IGNORECASE),
    ),
    Rule(HTTPStatus.BAD_REQUEST, Refusal.POSSIBLE, code="DENIED"),
    Rule(HTTPStatus.BAD_REQUEST, Refusal.POSSIBLE, to_head=True),
    Rule(HTTPStatus.FORBIDDEN, Refusal.POSSIBLE, to_head=True),
)
"""The first rule that fits counts; an answer that none fits says nothing of credentials.

401 is HTTP's own word for it (RFC 9110, 15.5.2). ECR and ECR Public answer 403 "Your authorization token has expired.
Reauthenticate and try again." to a login that has expired, and ECR Public 400 DENIED "Your Authorization Token is
invalid." to a bearer token that has, and to any Basic header. It answers 400 without DENIED, or DENIED with other words
(a quota), to what is wrong with the request.
"""


def refusal_of(status: int, body: bytes, method: str = "GET") -> Refusal:
    """What an answer says of the credentials that came with its request, by its status, its error body and the method.

    Args:
        status: the answer's.
        body: the answer's, as far as it was read.
        method: the request's.
    """
    said = read_errors(body) or (("", body.decode("utf-8", "replace")),)
    return next(
        (rule.refusal for rule in RULES if any(rule.fits(status, code, message, method) for code, message in said)),
        Refusal.NONE,
    )
