"""Secrets that are marked, and where a request carries one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHORTEST = 12
"""Bytes of the shortest secret that can be marked."""


@dataclass(frozen=True)
class Found:
    """A marked secret in a request: which one, and where (``url``, ``body``, or ``header NAME`` in lower case)."""

    secret: str
    where: str


class Marks:
    """Finds marked secrets as they are, in base64 at any offset (RFC 4648, both alphabets), and quoted for a URL.

    Args:
        secrets: each by a name of its own.

    Raises:
        ValueError: one is shorter than SHORTEST: what base64 leaves of it would be found where it is not.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        short = sorted(name for name, secret in secrets.items() if len(secret.encode()) < SHORTEST)
        if short:
            raise ValueError(f"these secrets have fewer than {SHORTEST} bytes: {', '.join(short)}")
        self._forms = tuple((name, form) for name, secret in secrets.items() for form in _forms(secret))
        self._longest = max((len(form) for _, form in self._forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def find(self, content: bytes) -> frozenset[str]:
        """The names of the secrets in it."""
        return frozenset(name for name, form in self._forms if form in content)

    def find_in_request(self, path: str, headers: Mapping[str, str]) -> tuple[Found, ...]:
        """The secrets in the URL and in the headers of a request."""
        places = {"url": path, **{f"header {name}": value for name, value in headers.items()}}
        return tuple(
            Found(name, where)
            for where, content in places.items()
            for name in sorted(self.find(content.encode("latin-1", "replace")))
        )

    def body(self) -> BodyMarks:
        """Look through a body whose pieces come one after the other."""
        return BodyMarks(self, self._longest)


class BodyMarks:
    """Finds secrets in a body as it passes, across the borders of its pieces."""

    def __init__(self, marks: Marks, longest: int) -> None:
        self._marks = marks
        self._longest = longest
        self._end = b""
        self._names: set[str] = set()

    def pass_on(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """The same pieces, looked at."""
        for chunk in chunks:
            seen = self._end + chunk
            self._names |= self._marks.find(seen)
            self._end = seen[-self._longest :] if self._longest else b""
            yield chunk

    @property
    def found(self) -> tuple[Found, ...]:
        """What was in the pieces so far."""
        return tuple(Found(name, "body") for name in sorted(self._names))


def _forms(secret: str) -> frozenset[bytes]:
    plain = secret.encode()
    return frozenset({plain, quote(secret, safe="").encode(), quote_plus(secret).encode(), *_in_base64(plain)})


def _in_base64(plain: bytes) -> Iterable[bytes]:
    """What base64 makes of it whatever stands before and after: the characters that depend on nothing else."""
    for offset in range(3):
        before = bytes(offset)
        whole = len(before + plain) // 3 * 3
        first = -(-offset // 3) * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode((before + plain)[:whole])[first:]
            if form:
                yield form
