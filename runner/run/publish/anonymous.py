"""What was published is read once more as its users read it: without credentials."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runner.errors import CredentialsRefused, NotPublic, NotPublicYet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.oci.name import Name
    from runner.oci.registry import Registry
    from runner.runtime.lifetime import Lifetime

VISIBLE_SECONDS = 60.0
"""How long names may take to show once each was read: what is read without credentials may come from a cache."""


BETWEEN_WORDS = 10.0
"""Seconds after which it is told again how far the reading is: a registry may allow one read a second."""


class AnonymousReader:
    """Reads names without credentials, where users are expected to.

    Args:
        registry: a client without credentials.
        lifetime: ends every wait.
        is_public: whether anybody is to be able to read from a host.
        report: called with how far the reading is, where it takes long: an event in words, and its values.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        registry: Registry,
        lifetime: Lifetime,
        is_public: Callable[[str], bool],
        *,
        report: Callable[..., object] = lambda *_, **__: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._lifetime = lifetime
        self._is_public = is_public
        self._report = report
        self._clock = clock

    def check(self, written: Sequence[tuple[Name, str]]) -> tuple[Name, ...]:
        """Read each name, and of an index its first manifest, until all show what was written.

        Args:
            written: names, each with the digest that it should show.

        Returns:
            What was read.

        Raises:
            NotPublic: a host refuses to give a name to somebody without credentials.
            NotPublicYet: a name does not show what was written within VISIBLE_SECONDS.
            RegistryFailed, RegistryAnswerWrong, RunEnded: a name could not be read.
        """
        wanted = {name: digest for name, digest in written if self._is_public(name.repository.host)}
        left = self._differing(wanted)
        pause, deadline = 0.1, self._clock() + VISIBLE_SECONDS
        while left:
            if self._clock() >= deadline:
                (name, shown), *_ = left.items()
                raise NotPublicYet(
                    f"{name} was published as {wanted[name]}, but without credentials it shows {shown}"
                    f" after {VISIBLE_SECONDS:.0f} s",
                    detail=[f"{name}: {shown}" for name, shown in left.items()],
                )
            self._lifetime.wait(pause)
            pause = min(pause * 2, 5.0)
            left = self._differing({name: wanted[name] for name in left})
        return tuple(wanted)

    def _differing(self, wanted: dict[Name, str]) -> dict[Name, str]:
        """The names that do not show what they should, each with what they show instead."""
        shown: dict[Name, str | None] = {}
        refused: dict[Name, str] = {}
        told = self._clock()
        for number, (name, digest) in enumerate(wanted.items()):
            if self._clock() - told >= BETWEEN_WORDS:
                told = self._clock()
                self._report("reading without credentials", names=len(wanted), read=number)
            try:
                shown[name] = self._shows_instead(name, digest)
            except CredentialsRefused as error:
                refused[name] = error.cause
        if refused:
            (name, cause), *_ = refused.items()
            raise NotPublic(
                f"{name} is published, but cannot be pulled without credentials: {cause}",
                detail=[f"{name}: {cause}" for name, cause in refused.items()],
            )
        return {name: instead for name, instead in shown.items() if instead is not None}

    def _shows_instead(self, name: Name, digest: str) -> str | None:
        manifest = self._registry.manifest(name.repository, name.tag)
        if manifest is None or manifest.digest != digest:
            return "nothing" if manifest is None else manifest.digest
        for child in manifest.children[:1]:
            if self._registry.manifest(name.repository, child.digest) is None:
                return f"an index without {child.digest}"
        return None
