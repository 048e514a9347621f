"""Deck, Prow's page, with the scripts and style sheets of ``hack/build-deck-pages``; a browser needs no other host.

It listens on two ports that cannot be chosen, and on the first of them at all addresses of the machine. A third belongs
to what stands between it and its lenses.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import yaml

from testbed.paths import ROOT
from testbed.prow import lens_pages
from testbed.prow.servers import answers, check_free, free_ports, listens
from testbed.prow.web import write_pages

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
    check_free(lens_pages.PORT, "what answers for Deck's lenses")


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
        config: Prow's config.yaml; with ``of_cluster`` it has to let anyone rerun, since nobody logs in here. What Deck
            reads is made of it, in a new folder ``deck`` beside it.
        jobs: the folder of jobs.

    Raises:
        PortTaken: one of its ports is taken.
    """
    check_ports()
    health, metrics, profiles = free_ports(3)
    folder = config.parent / "deck"
    write_pages(pages, folder)
    own = folder / "config.yaml"
    own.write_text(yaml.safe_dump(lens_pages.through_here(yaml.safe_load(config.read_bytes()))), encoding="utf-8")
    servers.start(
        "lens-pages",
        [sys.executable, "-m", "testbed.prow.lens_pages", str(lens_pages.PORT), str(LENSES_PORT)],
        ready=listens(lens_pages.PORT),
        environment={"PYTHONPATH": str(ROOT)},
    )
    return servers.start(
        "deck",
        [
            program,
            *(f"--config-path={own}", f"--job-config-path={jobs}", *prowjobs),
            *("--spyglass", f"--s3-credentials-file={storage.credentials}"),
            *(f"--health-port={health}", f"--metrics-port={metrics}", f"--pprof-port={profiles}"),
        ],
        ready=answers(PORT, "/config"),
        environment={"KO_DATA_PATH": str(folder), "HOME": str(servers.logs)},
    )


def view(storage: Storage, run: str) -> str:
    """The address of the page that shows a run, whose files are below this prefix in the bucket."""
    return f"{ADDRESS}/view/s3/{storage.bucket}/{run}"
