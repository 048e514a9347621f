"""What came of runs, in figures: counted by tests, added up by a script."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True)
class Load:
    """What it took to release many services to one ECR Public.

    Attributes:
        services: how many were released.
        processes: by how many processes at once.
        requests: how many reached the registry and AWS's API.
        refused: how many of them were answered 429.
        completions: how many uploads were completed in the busiest second.
        seconds: until the last process had ended.
        memory: the most bytes that one process had in memory, its children apart.
        threads: the most that one had.
        files: the most file descriptors that one had.
    """

    services: int
    processes: int
    requests: int
    refused: int
    completions: int
    seconds: float
    memory: int
    threads: int
    files: int

    @classmethod
    def read(cls, document: str) -> Load:
        """Read what ``document`` gave."""
        return cls(**json.loads(document))

    def document(self) -> str:
        """All of it as JSON, for the script that writes it down."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        return (
            f"{self.what} in {self.seconds:.0f} s:"
            f" {self.requests} requests, {self.refused} of them answered 429,"
            f" at most {self.completions} uploads completed in a second;"
            f" a process had at most {self.memory / 2**20:.0f} MiB, {self.threads} threads, {self.files} files"
        )

    @property
    def what(self) -> str:
        """What was released, and by how many processes."""
        return f"{self.services} services, {_processes(self.processes)}"


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
