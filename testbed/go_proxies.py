"""What Go's net/http takes for the proxy of a URL, asked of Go itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.processes import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SOURCE = Path(__file__).parent / "proxy_rules" / "main.go"


def build_proxy_rules(folder: Path) -> Path:
    """Build the program that prints what Go decides, which needs Go's own packages only.

    Raises:
        ProgramFailed: go failed.
    """
    program = folder / "proxy-rules"
    read(["go", "build", "-o", program, SOURCE], env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""})
    return program


def go_proxies(program: Path, environment: Mapping[str, str], urls: Iterable[str]) -> tuple[str | None, ...]:
    """The proxy that Go takes for each URL with these variables; None for no proxy, or a text with ``error:``."""
    said = read([program, *urls], env=environment)
    return tuple(None if line == "-" else line for line in said.split("\n"))
