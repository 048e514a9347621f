"""Images of the programs that Prow puts into every decorated pod, made of the pinned programs here; nothing is pulled.

They are laid out as Prow's own are, which ko builds: the program is ``/ko-app/NAME`` and the image's entrypoint.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.settings import BAKED_CONFIG
from testbed.paths import BUILT
from testbed.processes import read

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMS = ("clonerefs", "entrypoint", "initupload", "sidecar")

RECIPE = """\
FROM {base}
USER 0:0
WORKDIR /
COPY {program} /ko-app/{program}
ENTRYPOINT ["/ko-app/{program}"]
CMD []
"""


def build_utility_images(
    *, base: str, environment: Mapping[str, str], tag: str = "local", tools: Path = BUILT
) -> Mapping[str, str]:
    """Make an image of each program and return the images' names by program.

    Args:
        base: an image that the daemon has, with git and CA certificates.
        environment: that of docker's client.
        tag: of all four.
        tools: the folder with the programs.

    Raises:
        ProgramFailed: docker failed.
        FileNotFoundError: a program is not built.
    """
    names = {program: f"prow-{program}:{tag}" for program in PROGRAMS}
    for program, name in names.items():
        with tempfile.TemporaryDirectory(prefix="prow-image-") as folder:
            copied = Path(folder, program)
            shutil.copyfile(tools / program, copied)
            copied.chmod(0o755)
            Path(folder, "Dockerfile").write_text(RECIPE.format(base=base, program=program), encoding="utf-8")
            read(["docker", "build", "--quiet", "--network", "host", "--tag", name, folder], env=environment)
    return names


def bake_jobs(image: str, tag: str, jobs: str, *, environment: Mapping[str, str]) -> None:
    """Make an image that differs from a runner's image only in the jobs.yaml that is baked in.

    Args:
        image: the runner's image.
        tag: the new image's name.
        jobs: the text of the jobs.yaml.
        environment: that of docker's client.

    Raises:
        ProgramFailed: docker failed.
    """
    with tempfile.TemporaryDirectory(prefix="prow-image-") as folder:
        file = Path(folder, "jobs.yaml")
        file.write_text(jobs, encoding="utf-8")
        file.chmod(0o644)
        recipe = f"FROM {image}\nCOPY {file.name} {BAKED_CONFIG}\n"
        Path(folder, "Dockerfile").write_text(recipe, encoding="utf-8")
        read(["docker", "build", "--quiet", "--network", "host", "--tag", tag, folder], env=environment)
