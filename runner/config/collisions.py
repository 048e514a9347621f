"""The proof that names can be told apart: no two things that are released get one name.

A thing is (kind, service, version or major), or an entry in the history of a stable name. What one template gives for
one service is a small regular language; two collide when a walk through both automata at once finds a common text.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from runner.config.naming import FIELDS, TAG_LENGTH, TEMPLATE_KINDS, Scheme, TemplateKind, fill
from runner.versions import DIGITS, HISTORY_SUFFIX, LARGEST_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Use:
    """A template at work: the label of its scheme, the kind of artifact and the service it is filled for."""

    scheme: str
    kind: TemplateKind
    template: str
    service: str


@dataclass(frozen=True)
class Collision:
    """Two uses that can give one name; ``example`` is such a name, ``REPOSITORY:TAG`` below the namespace."""

    first: Use
    second: Use
    example: str


def find_collisions(services: Mapping[str, Sequence[Scheme]]) -> tuple[Collision, ...]:
    """Return the pairs of templates that could give one name to two things; one collision for each pair.

    The schemes of all services are compared, not only those of one scheme: what a name stands for must not depend on
    which scheme a release has. Two templates that give one thing one name are no collision, except within one list.

    The answer is exact for these services, any version and any major, but for one case: two templates of the same kind
    and service that can give one text always count as a collision, whether or not the versions in it differ. Digits in
    the place of a history's time count although they are no time.
    """
    collisions: dict[tuple[str, ...], Collision] = {}

    def add(first: Use, second: Use, example: str) -> None:
        key = (first.kind, first.template, second.kind, second.template)
        collisions.setdefault(key, Collision(first, second, example))

    meet = cache(_common_text)
    for repository, languages in _languages(services).items():
        for (language, use), (other, other_use) in _neighbours(languages):
            if (language, use.kind, use.service) == (other, other_use.kind, other_use.service):
                if use.scheme == other_use.scheme and use.template != other_use.template:
                    add(use, other_use, f"{repository}:{_common_text(language, other)}")
                continue
            between = other.before[len(language.before) :]
            common = meet(language._replace(before=""), other._replace(before=between))
            if common is not None:
                add(use, other_use, f"{repository}:{language.before}{common}")
    return tuple(collisions.values())


def find_overlong(services: Mapping[str, Sequence[Scheme]]) -> Iterator[tuple[Use, int]]:
    """Yield each use whose tag could become longer than a tag may be, with that length; the longest service for each.

    A version counts with the largest numbers; a stable tag must leave room for the suffix of its history.
    """
    longest: dict[Scheme, str] = {}
    for service in sorted(services, key=len):
        longest |= dict.fromkeys(services[service], service)
    for scheme, service in longest.items():
        for use in _uses(scheme, service):
            number = str(LARGEST_NUMBER)
            value = number if use.kind == "stable" else f"{number}.{number}.{number}"
            length = len(fill(use.template.partition(":")[2], service=service, **{FIELDS[use.kind]: value}))
            length += len(HISTORY_SUFFIX) if use.kind == "stable" else 0
            if length > TAG_LENGTH:
                yield use, length


class _Language(NamedTuple):
    """The tags that one template gives for one service: text, numbers joined by dots, text, further characters."""

    before: str
    numbers: int
    after: str
    suffix: tuple[str, ...]


def _uses(scheme: Scheme, service: str) -> Iterator[Use]:
    for kind in TEMPLATE_KINDS:
        for template in scheme.templates(kind):
            yield Use(scheme.label, kind, template, service)


def _languages(services: Mapping[str, Sequence[Scheme]]) -> dict[str, list[tuple[_Language, Use]]]:
    """Group what each use can give by repository."""
    found: dict[str, list[tuple[_Language, Use]]] = {}
    for service, schemes in services.items():
        for use in (use for scheme in schemes for use in _uses(scheme, service)):
            repository, _, tag = use.template.replace("{service}", service).partition(":")
            before, _, after = tag.partition(f"{{{FIELDS[use.kind]}}}")
            languages = found.setdefault(repository, [])
            if use.kind == "stable":
                languages += (
                    (_Language(before, 1, after, ()), use),
                    (_Language(before, 1, after, HISTORY_SUFFIX), use),
                )
            else:
                languages.append((_Language(before, 3, after, ()), use))
    return found


def _neighbours(
    languages: Iterable[tuple[_Language, Use]],
) -> Iterator[tuple[tuple[_Language, Use], tuple[_Language, Use]]]:
    """Yield the pairs that may have a text in common: the text before the numbers is equal, or goes on with a digit.

    Sorted by that text, those that begin with it follow directly, so that most pairs are never compared.
    """
    ordered = sorted(languages, key=lambda item: item[0].before)
    for index, left in enumerate(ordered):
        before = left[0].before
        for right in ordered[index + 1 :]:
            if not right[0].before.startswith(before):
                break
            if right[0].before[len(before) :][:1] in DIGITS:
                yield left, right


def _common_text(left: _Language, right: _Language) -> str | None:
    """Return a shortest text of both languages, None when there is none."""
    # With the same suffix, the text after the numbers ends at the same place in both, so one must be an ending of the
    # other. This excludes most pairs at once.
    if left.suffix == right.suffix and not (left.after.endswith(right.after) or right.after.endswith(left.after)):
        return None
    # A text is in both languages if reading it leads both automata to their accepting states. A pair of states says all
    # about how a text can go on, so each pair is visited once. Breadth-first, a pair is reached by one of its shortest
    # texts, and so the first pair that accepts gives a shortest common text. Of the characters that two transitions
    # share one is enough: all lead to the same pair.
    first, second = _automaton(left), _automaton(right)
    reached = {(0, 0)}
    queue = deque([(0, 0, "")])
    while queue:
        here, there, text = queue.popleft()
        if here == len(first) and there == len(second):
            return text
        if here == len(first) or there == len(second):
            continue
        for characters, further in first[here]:
            for others, beyond in second[there]:
                character = next((c for c in characters if c in others), None)
                if character is not None and (further, beyond) not in reached:
                    reached.add((further, beyond))
                    queue.append((further, beyond, text + character))
    return None


def _automaton(language: _Language) -> list[list[tuple[str, int]]]:
    """Return for each state which characters lead to which state; the state behind the last accepts.

    A state is a place in the text: so much of the template has been read. A transition reads one of its characters.
    """
    states: list[list[tuple[str, int]]] = [[(c, index + 1)] for index, c in enumerate(language.before)]
    for number in range(language.numbers):
        if number:
            states.append([(".", len(states) + 1)])
        # A number has no leading zero. So its first digit is either the whole number, 0 included, or a digit other than
        # 0 with more to come; the state ``further`` reads those, and the last of them leads behind the number. Which
        # digit is the last is not known when it is read, so two transitions may share a character.
        further, behind = len(states) + 1, len(states) + 2
        states.append([(DIGITS, behind), (DIGITS.replace("0", ""), further)])
        states.append([(DIGITS, further), (DIGITS, behind)])
    for characters in (*language.after, *language.suffix):
        states.append([(characters, len(states) + 1)])
    return states
