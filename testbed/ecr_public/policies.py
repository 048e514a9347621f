"""IAM's policies, as far as ones for this project need: what a document allows and denies, and AWS's words for it.

Known of a statement: Effect, Action and Resource, each a text or a list, with ``*`` and ``?``. A statement with
anything else that would change what it means is refused when it is read, so that nothing passes because it was ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KNOWN = frozenset({"Sid", "Effect", "Action", "Resource"})
EFFECTS = frozenset({"Allow", "Deny"})


@dataclass(frozen=True)
class Statement:
    """One statement: whether it allows or denies, and patterns of actions and resources."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def is_about(self, action: str, resource: str) -> bool:
        """Whether it decides about this; IAM looks at no case in actions."""
        return any(_matches(pattern.lower(), action.lower()) for pattern in self.actions) and any(
            _matches(pattern, resource) for pattern in self.resources
        )


def read_policy(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Read a policy document.

    Raises:
        ValueError: it has something that is not known here.
    """
    return tuple(_statement(statement) for statement in _listed(document["Statement"]))


def refusal(statements: Iterable[Statement], action: str, resource: str) -> str | None:
    """Why this is not allowed, in the words that end AWS's message; None: it is."""
    decisive = [statement.allows for statement in statements if statement.is_about(action, resource)]
    if not all(decisive):
        return "with an explicit deny in an identity-based policy"
    return None if decisive else f"because no identity-based policy allows the {action} action"


def _statement(given: Mapping[str, Any]) -> Statement:
    if unknown := set(given) - KNOWN:
        raise ValueError(f"a policy's statement has {', '.join(sorted(unknown))}, which is not known here")
    if given["Effect"] not in EFFECTS:
        raise ValueError(f"a policy's statement has the effect {given['Effect']!r}")
    return Statement(given["Effect"] == "Allow", _listed(given["Action"]), _listed(given["Resource"]))


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _matches(pattern: str, text: str) -> bool:
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(one, re.escape(one)) for one in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
