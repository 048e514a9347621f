"""What other clients make of what was published: crane and helm."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from testbed.programs import find_program

if TYPE_CHECKING:
    from pathlib import Path


def crane(*arguments: str) -> str:
    """Run crane and return what it printed."""
    return crane_bytes(*arguments).decode()


def crane_bytes(*arguments: str) -> bytes:
    """Run crane and return the bytes that it wrote."""
    return subprocess.run([find_program("crane"), *arguments], check=True, capture_output=True, timeout=60).stdout


def rendered_images(chart: str, version: str, helm: Path, folder: Path) -> set[str]:
    """Pull a chart (HOST/REPOSITORY) with a helm, render it, and return the images that it runs."""
    pulled = folder / f"pulled-{helm.name}"
    pull: list[str | Path] = [
        *(helm, "pull", f"oci://{chart}", "--version", version, "--plain-http"),
        *("--untar", "--untardir", pulled),
    ]
    subprocess.run(pull, check=True, capture_output=True, timeout=60)
    [unpacked] = pulled.iterdir()
    rendered = subprocess.run(
        [helm, "template", "x", unpacked], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    return {line.partition(":")[2].strip().strip('"') for line in rendered.splitlines() if " image:" in line}
