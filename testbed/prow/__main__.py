"""``make prow``: a whole Prow on this machine, with a release in it, until it is interrupted.

Everything is real but for the node, which runs pods in a Docker daemon of its own: etcd, kube-apiserver, Prow's hook,
plank, crier and Deck, an S3 server, a registry, git. What was started ends with it, however it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from kubernetes.client.exceptions import ApiException

from testbed import registries
from testbed.docker_daemon import DaemonUnusable, check_usable, docker_daemon
from testbed.paths import DECK_PAGES, ROOT
from testbed.processes import ProgramFailed, end_on_signals
from testbed.programs import ProgramMissing, find_program, find_prow_programs
from testbed.prow import storage
from testbed.prow.deck import check_ports
from testbed.prow.kept_images import kept_images
from testbed.prow.servers import PortTaken, ServerFailed
from testbed.prow.stack import LocalProw, Parts, PushRefused, local_prow
from testbed.prow.storage import StorageFailed
from testbed.runner_image import ImageFailed
from testbed.sample_controller import make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.sample_controller import SampleRepository

SERVICE = "widget"
VERSION = "1.2.3"
NEXT = "1.3.0"
LOOK_SECONDS = 1.0

FAILURES = (
    *(ApiException, DaemonUnusable, ImageFailed, OSError, PortTaken, ProgramFailed, ProgramMissing, PushRefused),
    *(RuntimeError, ServerFailed, StorageFailed),
)


def main(arguments: list[str]) -> int:
    """Run a Prow until a signal ends it; 1 when it cannot be started, or when one of its programs ends before."""
    end_on_signals()
    parser = argparse.ArgumentParser(prog="make prow", description=str(__doc__).partition("\n\n")[2])
    parser.add_argument(
        "--data", type=Path, default=ROOT / ".prow", help="folder for images, caches and the last run's logs"
    )
    given = parser.parse_args(arguments)
    try:
        _run(given.data.absolute())
    except FAILURES as error:
        print(f"prow: {error}", file=sys.stderr)
        return 1
    print("Ended, with all that was started.", flush=True)
    return 0


def _run(data: Path) -> None:
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {line}", flush=True)

    check_usable()
    check_ports()
    programs = find_prow_programs()
    crane, moto = find_program("crane"), find_program("moto_server")
    if not DECK_PAGES.exists():
        raise ProgramMissing("the scripts of Deck's pages are not here: hack/require npm, then make tools")
    run = data / "run"
    shutil.rmtree(run, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        tell("Docker daemon")
        daemon = stack.enter_context(docker_daemon(data / "docker"))
        images = kept_images(daemon, tell=tell)
        tell("registry, bucket")
        registry = stack.enter_context(registries.serve(crane, run / "registry"))
        bucket = stack.enter_context(storage.serve(moto, run / "storage"))
        parts = Parts(
            programs=programs,
            pages=DECK_PAGES,
            daemon=daemon,
            runner_image=images.runner,
            utility_images=images.utilities,
            storage=bucket,
            registry=f"{registry.host}/demo",
            cache=data / "go-cache",
        )
        prow = stack.enter_context(local_prow(run / "prow", parts, [SERVICE], tell=tell))
        repository = make_repository(
            run / f"{SERVICE}-controller", service=SERVICE, registry=prow.place.registry, version=VERSION
        )
        prow.repositories.push(repository, "refs/heads/main")
        tell("ready")
        prow.push(repository, f"refs/tags/v{VERSION}")
        repository.stable(VERSION)
        repository.release(NEXT)
        prow.take_pushes(repository)
        _introduce(prow, repository)
        # From here on a signal is how it is meant to end.
        with contextlib.suppress(SystemExit):
            _watch(prow)


def _introduce(prow: LocalProw, repository: SampleRepository) -> None:
    folder = _from_here(repository.folder)
    print(
        f"""
v{VERSION} of the sample controller was pushed, and its event was sent to hook as GitHub sends it.

  Deck        {prow.place.deck}
  registry    {prow.place.registry}
  repository  {folder}
  kubeconfig  {_from_here(prow.kubeconfig)}
  logs        {_from_here(prow.servers.logs)}

What a push does to it:

  git -C {folder} push origin stable     moves the stable chart
  git -C {folder} push origin v{NEXT}     releases another version

Ctrl-C ends all of it.
""",
        flush=True,
    )


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _watch(prow: LocalProw) -> NoReturn:
    said: Mapping[str, str] = {}
    while True:
        prow.servers.check()
        lines = {job["metadata"]["name"]: _line(job) for job in prow.cluster.jobs()}
        for name, line in lines.items():
            if said.get(name) != line:
                print(line, flush=True)
        said = lines
        time.sleep(LOOK_SECONDS)


def _line(job: Mapping[str, Mapping[str, object]]) -> str:
    spec, status = job["spec"], job["status"]
    refs = spec["refs"]
    assert isinstance(refs, dict)  # noqa: S101 - a postsubmit has refs
    return f"{spec['job']} {refs['base_ref']}: {status['state']}  {status.get('url', '')}".rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
