"""Deck, Prow's page, with the scripts and style sheets of ``hack/build-deck-pages``.

It listens on two ports that cannot be chosen, and on the first of them at all addresses of the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from testbed.prow.servers import answers, check_free, free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.prow.servers import Server, Servers
    from testbed.prow.storage import Storage

PORT: Final = 8080
LENSES_PORT: Final = 1234
ADDRESS: Final = f"http://127.0.0.1:{PORT}"


def of_cluster(kubeconfig: Path) -> tuple[str, ...]:
    """Let Deck show the ProwJobs of a cluster, and rerun and abort them there."""
    return (f"--kubeconfig={kubeconfig}", "--rerun-creates-job", "--dry-run=false")


def of_folder(folder: Path) -> tuple[str, ...]:
    """Let Deck show the ProwJobs of a folder's prowjobs.json, a ProwJobList; it can rerun and abort none of them."""
    return (f"--pregenerated-data={folder}",)


def check_ports() -> None:
    """Check that Deck can listen.

    Raises:
        PortTaken: one of its ports is taken.
    """
    check_free(PORT, "Deck", host="")
    check_free(LENSES_PORT, "Deck")


def start_deck(
    servers: Servers,
    program: Path,
    pages: Path,
    storage: Storage,
    prowjobs: tuple[str, ...],
    *,
    config: Path,
    jobs: Path,
) -> Server:
    """Start Deck, as ``deck``; it can be read at ADDRESS once it answers.

    Args:
        servers: where it is started.
        program: deck.
        pages: what ``hack/build-deck-pages`` made.
        storage: where logs and artifacts are.
        prowjobs: what ``of_cluster`` or ``of_folder`` gave.
        config: Prow's config.yaml; with ``of_cluster`` it has to let anyone rerun, since nobody logs in here.
        jobs: the folder of jobs.

    Raises:
        PortTaken: one of its ports is taken.
    """
    check_ports()
    health, metrics, profiles = free_ports(3)
    return servers.start(
        "deck",
        [
            program,
            *(f"--config-path={config}", f"--job-config-path={jobs}", *prowjobs),
            *("--spyglass", f"--s3-credentials-file={storage.credentials}"),
            *(f"--health-port={health}", f"--metrics-port={metrics}", f"--pprof-port={profiles}"),
        ],
        ready=answers(PORT, "/config"),
        environment={"KO_DATA_PATH": str(pages), "HOME": str(servers.logs)},
    )


def view(storage: Storage, run: str) -> str:
    """The address of the page that shows a run, whose files are below this prefix in the bucket."""
    return f"{ADDRESS}/view/s3/{storage.bucket}/{run}"
