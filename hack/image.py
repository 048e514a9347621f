"""``make image``: build the runner's own image with the Docker daemon that the environment names.

All that the image holds beside its base is made here, pinned by uv.lock and hack/tools: the locked packages as wheels,
the program's own wheel, helm, and the Go toolchain of this machine. ``images/runner/Dockerfile`` puts it together.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from testbed.paths import ROOT
from testbed.processes import ProgramFailed, end_on_signals
from testbed.runner_image import DEFAULT_TAG, ImageFailed, build_image, default_base


def main(arguments: list[str]) -> int:
    """Build the image and say what came of it."""
    end_on_signals()
    parser = argparse.ArgumentParser(prog="make image", description=str(__doc__).partition("\n\n")[2])
    parser.add_argument("--tag", default=DEFAULT_TAG, help="the image's name [default: %(default)s]")
    parser.add_argument("--base", default=None, help=f"what it is built on [default: {default_base()}]")
    parser.add_argument("--jobs", type=Path, default=ROOT / "config/jobs.yaml", help="the jobs.yaml that goes into it")
    given = parser.parse_args(arguments)
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"image: {line}", file=sys.stderr, flush=True)

    try:
        built = build_image(given.tag, base=given.base, jobs=given.jobs, tell=tell)
    except (ImageFailed, ProgramFailed, subprocess.SubprocessError, OSError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    tell(f"built in {time.monotonic() - began:.0f} s")
    print(f"{built.tag} {built.id} {built.size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
