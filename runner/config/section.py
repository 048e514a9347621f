"""What every section of ``jobs.yaml`` is made of: strict models, lists without repetition, the nearest valid word."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

Item = TypeVar("Item")


class Section(BaseModel):
    """Base of all sections: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("at least one entry is needed")
    for index, item in enumerate(items):
        if item in items[:index]:
            raise ValueError(f"{item!r} is in this list twice")
    return items


Listed = Annotated[
    tuple[Item, ...], AfterValidator(_distinct), Field(json_schema_extra={"minItems": 1, "uniqueItems": True})
]
"""A list with at least one entry, none of them twice."""


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return what an error about this word adds: the valid word that is nearest, else all of them."""
    listed = list(valid)
    near = get_close_matches(word, listed, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(listed)}"
