"""What came of disturbed runs, in figures: counted by tests, added up by a script."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.soak.world import Disturbed


@dataclass
class Figures:
    """What came of disturbed runs of one path: how many ended with which code, and what it took."""

    kind: str
    path: str
    codes: Counter[int] = field(default_factory=Counter)
    requests: int = 0
    looks: int = 0
    seconds: float = 0.0

    @classmethod
    def read(cls, document: str) -> Figures:
        """Read what ``document`` gave."""
        told = json.loads(document)
        codes = Counter({int(code): count for code, count in told.pop("codes").items()})
        return cls(codes=codes, **told)

    def count(self, ended: Disturbed) -> None:
        """Count a run that was all as it must be."""
        self.codes[ended.code] += 1
        self.requests += ended.requests
        self.looks += ended.looks
        self.seconds += ended.seconds

    def add(self, part: Figures) -> None:
        """Count what another part of them came to."""
        self.codes.update(part.codes)
        self.requests += part.requests
        self.looks += part.looks
        self.seconds += part.seconds

    def document(self) -> str:
        """All of it as JSON, for the script that adds up the parts."""
        numbers = {"requests": self.requests, "looks": self.looks, "seconds": round(self.seconds, 1)}
        return json.dumps({"kind": self.kind, "path": self.path, "codes": self.codes, **numbers})

    def __str__(self) -> str:
        codes = ", ".join(f"{count} with {code}" for code, count in sorted(self.codes.items()))
        return f"{self.codes.total()} runs of {self.path}, {self.kind}: ended {codes}; every rerun completed"
