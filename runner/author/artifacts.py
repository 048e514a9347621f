"""Lets the program that jobs.yaml names write the release artifacts of each service, in the copy of the clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.config.naming import fill
from runner.errors import ArtifactsNotBuilt, ToolUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.author.trial import Trial
    from runner.config.load import Config, Service
    from runner.versions import ReleaseVersion

RELEASE_VERSION = "RELEASE_VERSION"
"""The variable that holds the release's tag, as the scripts of ACK's code generator read it."""


def write_artifacts(
    trial: Trial,
    services: Iterable[Service],
    version: ReleaseVersion,
    config: Config,
) -> None:
    """Run the program once for each service; what it writes stays in the copy's work tree.

    Raises:
        ToolUnusable: there is no such program.
        ArtifactsNotBuilt: it fails, takes too long, or changes the clone; the detail holds its last lines.
    """
    for service in services:
        values = {
            "service": service.name,
            "version": str(version),
            "tag": version.tag,
            "path": service.path,
            "chart": service.chart_folder,
            "registry": str(config.registry),
            "clone": str(trial.clone.git.folder),
            "tree": str(trial.folder),
        }
        command = tuple(fill(argument, **values) for argument in config.prepare.command)
        variables = {name: fill(text, **values) for name, text in config.prepare.environment.items()}
        environment = {**trial.clone.environment, RELEASE_VERSION: version.tag, **variables}
        trial.clone.output.tell(f"writing the artifacts of {service.name} with {command[0]}")
        minutes = config.prepare.timeout_minutes
        try:
            finished = trial.clone.session.run(command, env=environment, cwd=trial.folder, seconds=60.0 * minutes)
        except TimeoutError as error:
            raise ArtifactsNotBuilt(
                f"{command[0]} was ended for {service.name}: it took longer than {minutes} minutes",
                remedy="Raise prepare.timeout_minutes in jobs.yaml, or find out what it waits for; the clone is as it"
                " was.",
            ) from error
        except OSError as error:
            raise ToolUnusable(
                f"{command[0]}, which writes the artifacts of {service.name}, cannot be started: {error.strerror}",
                remedy="Point prepare.command in jobs.yaml at the program that writes a service's chart (a path with a"
                " slash counts from the repository's root), and let it be executable.",
            ) from error
        if not finished.ok:
            raise ArtifactsNotBuilt(
                f"{command[0]} failed for {service.name}, with exit code {finished.returncode}", detail=finished.tail()
            )
        if changed := trial.clone.changed():
            raise ArtifactsNotBuilt(
                f"{command[0]} changed {changed[0]} in your clone {trial.clone.git.folder}, and not only in its copy",
                remedy="Undo that in the clone (git restore, git clean), and let prepare.command in jobs.yaml write to"
                " the folder that it is started in, which is {tree}.",
                detail=changed,
            )
