"""Measures the runner's image: ``python -m hack.image_figures`` prints the section that stands in docs/image.md.

It needs root, since it starts a Docker daemon of its own, and a base that is made by debootstrap.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from hack.bench import Machine
from testbed.debian_base import kept_base
from testbed.docker_daemon import DaemonUnusable, DockerDaemon, docker_daemon
from testbed.paths import TOOLS
from testbed.processes import ProgramFailed, end_on_signals
from testbed.runner_image import Built, ImageFailed, build_image

ROUNDS = 9
PARTS = {
    "base: Debian, Python, git, CA certificates": (),
    "Go toolchain": ("/usr/local/go",),
    "helm": ("/usr/local/bin/helm",),
    "program and its packages": ("/opt/ack-release",),
}
COMMANDS = {
    "`true`": ("true",),
    "`python3 -c pass`": ("python3", "-c", "pass"),
    "`ack-release --version`": ("ack-release", "--version"),
}


def main() -> int:
    """Build the image, measure it, and print the figures in Markdown."""
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="image-figures-") as folder:
            _say("debootstrap, if no base is kept")
            archive = kept_base(TOOLS)
            with docker_daemon(Path(folder, "docker")) as daemon:
                daemon.import_image(archive, "base:figures")
                built = build_image(
                    "ack-release:figures", base="base:figures", environment=daemon.environment, tell=_say
                )
                print(section(daemon, built))
    except (DaemonUnusable, ImageFailed, ProgramFailed) as error:
        print(f"image-figures: {error}", file=sys.stderr)
        return 1
    return 0


def section(daemon: DockerDaemon, built: Built) -> str:
    """Return the figures of an image, as they stand in the docs."""
    sizes = {what: _bytes(daemon, built, paths) for what, paths in PARTS.items() if paths}
    rest = built.size - sum(sizes.values())
    rows = [f"| {what} | {sizes.get(what, rest) / 1e6:.0f} |" for what in PARTS]
    times = {what: _milliseconds(daemon, built, command) for what, command in COMMANDS.items()}
    bare = times["`true`"]
    return "\n".join(
        [
            f"{Machine.this()}; medians of {ROUNDS} runs.",
            "",
            "| part | MB, unpacked |",
            "|---|---:|",
            *rows,
            f"| all | {built.size / 1e6:.0f} |",
            "",
            "| a container that runs | ms | relative to `true` |",
            "|---|---:|---:|",
            *(f"| {what} | {value:.0f} | {value / bare:.2f} |" for what, value in times.items()),
        ]
    )


def _bytes(daemon: DockerDaemon, built: Built, paths: tuple[str, ...]) -> int:
    said = daemon.docker("run", "--rm", "--network", "none", built.tag, "du", "--summarize", "--bytes", *paths)
    return sum(int(line.split()[0]) for line in said.splitlines())


def _milliseconds(daemon: DockerDaemon, built: Built, command: tuple[str, ...]) -> float:
    measured = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        daemon.docker("run", "--rm", "--network", "none", "--read-only", built.tag, *command)
        measured.append((time.perf_counter() - began) * 1000)
    return statistics.median(measured)


def _say(line: str) -> None:
    print(f"image-figures: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
