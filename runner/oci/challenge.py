"""WWW-Authenticate headers: which authentication schemes a host offers, and with which parameters.

Grammar: RFC 9110, 11.6.1 and 5.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
"""What stands between commas; a comma inside quotes separates nothing."""
SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9._~-]*)(?=\s+[^=\s]|\s*$)")
PARAMETER = re.compile(rf"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:{_QUOTED}|([^\s"=][^\s"]*))\s*""", re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Challenge:
    """One challenge: the name of its scheme and of each of its parameters in lower case, the values as they are."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all WWW-Authenticate headers, in their order; what is malformed is passed over.

    Of a parameter that is given twice in one challenge, which the grammar forbids, the first value counts.
    """
    return tuple(challenge for header in headers for challenge in _read(header))


def _read(header: str) -> Iterator[Challenge]:
    scheme: str | None = None
    parameters: dict[str, str] = {}
    for element in ELEMENT.findall(header):
        start = SCHEME.match(element)
        if start:
            if scheme is not None:
                yield Challenge(scheme, parameters)
            scheme, parameters = start[1].lower(), {}
        parameter = PARAMETER.fullmatch(element, start.end() if start else 0)
        if parameter:
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), plain if quoted is None else ESCAPED.sub(r"\1", quoted))
    if scheme is not None:
        yield Challenge(scheme, parameters)
