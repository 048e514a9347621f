"""All that is generated for Prow, as the text of each file. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runner.config.prow import AUDIT_JOB, PLACEHOLDER_IMAGE, merged
from runner.prow.generate.document import to_yaml
from runner.prow.generate.folder import MARK
from runner.prow.generate.jobs import audit_config, job_config
from runner.prow.generate.lenses import deck_config
from runner.prow.generate.roles import JOBS, PODS, access

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from runner.config.load import Config


def prow_files(config: Config, folder: Path) -> dict[str, str]:
    """Return the text of every file, by its path relative to the folder that it will lie in.

    Raises:
        ConfigurationInvalid: the configuration has no section prow.
    """
    jobs = job_config(config)
    assert config.prow is not None  # noqa: S101 - job_config has refused it
    origin = _origin(config.path, folder)
    prow = config.prow
    audit = audit_config(prow)
    periodics = {} if audit is None else {AUDIT_JOB: audit}
    return {
        "deck.yaml": _file(
            origin,
            deck_config(),
            about=(
                "For Prow's own configuration: how Deck shows a release job. If deck.spyglass.lenses already has a",
                "lens of the same name for other jobs, add what is missing to it, above all the highlight_regexes.",
            ),
        ),
        "rbac.yaml": _file(
            origin,
            *access(prow),
            about=(
                "What operators need for ack-release jobs list, show, logs, rerun and abort.",
                f"{JOBS} belongs in the cluster that Prow runs in, {PODS} in each cluster that release jobs run in.",
            ),
        ),
        **{
            f"jobs/{repository}.yaml": _file(
                origin, document, about=("For the folder that Prow's --job-config-path names.",)
            )
            for repository, document in {**jobs, **periodics}.items()
        },
    }


def placeholder_note(config: Config) -> str | None:
    """Say that jobs would run an image that nobody has published, if they would."""
    if config.prow is None:
        return None
    images = {merged(config.prow, service.prow).image for service in config.services.values()} or {config.prow.image}
    if PLACEHOLDER_IMAGE not in images:
        return None
    return (
        f"prow.image is still {PLACEHOLDER_IMAGE}, a placeholder that nobody has published: build and push an image"
        " (docs/image.md), and name it"
    )


def _file(origin: str, *documents: BaseModel, about: tuple[str, ...]) -> str:
    head = (
        f"{MARK} from {origin}: do not edit.",
        f"# To change it, change {origin}, then run: ack-release prowjobs generate",
        *(f"# {line}" for line in about),
    )
    return "".join(f"{line}\n" for line in head) + to_yaml(*documents)


def _origin(path: Path, folder: Path) -> str:
    """How a reader of the folder finds jobs.yaml: the same on every machine."""
    relative = os.path.relpath(path, folder.absolute().parent)
    return path.name if relative.startswith("..") else relative
