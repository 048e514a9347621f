"""Many services released to one ECR Public that has its quotas: by one process, or each by a process of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from testbed.ecr_public.harness import ecr_public
from testbed.job_inputs import checkout_folder, clone_as_prow, prow_environment
from testbed.monorepo import MONOREPO_CONFIG, make_monorepo, monorepo_services, write_artifacts
from testbed.paths import ROOT
from testbed.process_table import Process
from testbed.programs import find_program
from testbed.release_harness import PROGRAM, go_environment, start_program
from testbed.sample_controller import SampleRepository, make_repository
from testbed.soak.contents import Reader
from testbed.soak.figures import Load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic
    from testbed.ecr_public.recording import Call
    from testbed.release_harness import Ended, Running

VERSION = "1.2.3"
TAG = f"v{VERSION}"
SCHEME = "repo-per-service-v"
PARAMETER = "/publish-role"
AWS = f"""\
aws:
  kind: ecr-public
  publish_role: {{parameter: {PARAMETER}}}
  region: us-west-2
  catalog: {ROOT / "config" / "catalog.yaml"}
"""
COMPLETE = "ecr-public:CompleteLayerUpload"
LIMIT_SECONDS = 1500.0
BETWEEN_SAMPLES = 0.02


@dataclass(frozen=True)
class Peak:
    """The most that a process had at any moment, its children apart.

    Attributes:
        memory: resident, in bytes.
        threads: how many.
        files: how many file descriptors.
    """

    memory: int = 0
    threads: int = 0
    files: int = 0

    @classmethod
    def now(cls, process: Process) -> Peak:
        """What a process has now, and the most memory that it ever had; OSError, KeyError when it has ended."""
        status = process.status
        files = sum(1 for _ in (process.folder / "fd").iterdir())
        return cls(int(status["VmHWM"].removesuffix(" kB")) * 1024, int(status["Threads"]), files)

    def __or__(self, other: Peak) -> Peak:
        """The greater of each."""
        return Peak(max(self.memory, other.memory), max(self.threads, other.threads), max(self.files, other.files))


@dataclass(frozen=True)
class Job:
    """What one process releases: a clone, and how the program is configured.

    Attributes:
        repository: what was cloned.
        workspace: where clonerefs has put it.
        sha: what was pushed.
        config: jobs.yaml.
        services: those that are released.
    """

    repository: SampleRepository
    workspace: Path
    sha: str
    config: Path
    services: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """A run that came to its end, how many seconds it took, and the most that it had at any moment."""

    ended: Ended
    seconds: float
    peak: Peak


def service_names(count: int) -> tuple[str, ...]:
    """Return names of services, in order."""
    return tuple(f"service{number:03}" for number in range(1, count + 1))


@contextlib.contextmanager
def open_account(folder: Path, *, aws: str = "start") -> Iterator[EcrPublic]:
    """Start an ECR Public with an empty account and a role that publishes; as ``ecr_public``."""
    with ecr_public(folder, aws=aws) as ecr:
        ecr.put_parameter(PARAMETER, f"arn:aws:iam::{ecr.state.account.number}:role/publisher")
        yield ecr


def one_job(folder: Path, ecr: EcrPublic, services: Sequence[str], platforms: str) -> Job:
    """Make a repository that holds these services, all with one tag, and the job that releases all of them.

    Args:
        folder: an empty or missing folder.
        ecr: where they are released to.
        services: their names.
        platforms: what they are built for, as jobs.yaml lists it.
    """
    repository = make_monorepo(folder / "repository", services[0], ecr.namespace)
    write_artifacts(repository, dict.fromkeys(services, VERSION))
    repository.git("tag", "--annotate", "--message", TAG, TAG)
    return _job(folder, repository, _config(ecr, platforms) + monorepo_services(services), services)


def a_job_for_each(folder: Path, ecr: EcrPublic, services: Sequence[str], platforms: str) -> tuple[Job, ...]:
    """Make for each service a repository of its own, and the job that releases it; arguments as for ``one_job``."""
    rows = "".join(f"  {service}: {{}}\n" for service in services)
    return tuple(
        _job(
            folder / service,
            make_repository(
                folder / service / "repository", service=service, registry=ecr.namespace, scheme=SCHEME, version=VERSION
            ),
            _config(ecr, platforms) + rows,
            (service,),
        )
        for service in services
    )


def _config(ecr: EcrPublic, platforms: str) -> str:
    """The lines of jobs.yaml before those of the services; two services are built and published at the same time."""
    config = MONOREPO_CONFIG.format(registry=ecr.namespace, helm=find_program("helm4"), parallel=2)
    return AWS + config.replace("[linux/amd64, linux/arm64]", f"[{platforms}]")


def _job(folder: Path, repository: SampleRepository, config: str, services: Sequence[str]) -> Job:
    file = folder / "jobs.yaml"
    file.write_text(config, encoding="utf-8")
    workspace = folder / "workspace"
    sha = clone_as_prow(repository, TAG, checkout_folder(workspace, repository))
    return Job(repository, workspace, sha, file, tuple(services))


def run_together(ecr: EcrPublic, jobs: Sequence[Job], folder: Path) -> tuple[Measured, ...]:
    """Start all jobs at once as Prow does, each a process, and return how they ended, in their order.

    Args:
        ecr: what they publish to.
        jobs: what they release.
        folder: an empty or missing folder, for what they write.
    """
    with ThreadPoolExecutor(len(jobs)) as pool:
        return tuple(pool.map(lambda pair: _run(ecr, pair[1], folder / str(pair[0])), enumerate(jobs)))


def _run(ecr: EcrPublic, job: Job, folder: Path) -> Measured:
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    environment = {
        **go_environment(),
        "TMPDIR": str(temporary),
        "DOCKER_CONFIG": str(folder / "no-login"),
        **prow_environment(job.repository, TAG, job.sha, artifacts=folder / "artifacts"),
        **ecr.environment,
    }
    began = time.monotonic()
    place = checkout_folder(job.workspace, job.repository)
    with start_program(PROGRAM, "run", "--config", job.config, env=environment, cwd=place) as running:
        with _peak(running) as peaks:
            ended = running.wait(LIMIT_SECONDS)
        return Measured(ended, time.monotonic() - began, peaks[0])


@contextlib.contextmanager
def _peak(running: Running) -> Iterator[list[Peak]]:
    """Sample what a process has until the block ends; the one element of the list is the most."""
    found, over = [Peak()], threading.Event()

    def sample() -> None:
        process = Process(running.process.pid)
        while not over.wait(BETWEEN_SAMPLES):
            with contextlib.suppress(OSError, KeyError):
                found[0] |= Peak.now(process)

    thread = threading.Thread(target=sample, name="samples")
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def incomplete(ecr: EcrPublic, services: Iterable[str]) -> list[str]:
    """What is missing of the releases of these services: names, and what these consist of, all the way down."""
    with Reader(ecr.state.upstream) as reader:
        return [
            problem
            for service in services
            for repository in (f"{service}-controller", f"{service}-chart")
            for problem in _incomplete(ecr, reader, repository)
        ]


def _incomplete(ecr: EcrPublic, reader: Reader, name: str) -> list[str]:
    repositories = ecr.state.repositories
    repository = repositories.find(name)
    shown = None if repository is None else repositories.shows(repository, TAG)
    if repository is None or shown is None:
        return [f"{name}:{TAG} is not there"]
    path, problems, digests = f"{ecr.alias}/{name}", [], [shown]
    for digest in digests:
        stored = reader.manifest(path, digest)
        if stored is None or not repositories.has(repository, digest):
            problems.append(f"{name}@{digest} is not there")
            continue
        digests += stored.children
        problems += [f"{name}@{blob} is not there" for blob in stored.blobs if not reader.has_blob(path, blob)]
    return problems


def refused_for_good(calls: Iterable[Call]) -> list[str]:
    """Say which requests to the registry were answered 429, and never otherwise than with an error later. Pure.

    Uploads have an address that is used once, so that one that is repeated is known by repository and digest. 404 is no
    error here: it answers who asks whether something is there.
    """
    refused: dict[tuple[str, str, str], None] = {}
    for call in calls:
        key = what_is_asked(call)
        if call.status == HTTPStatus.TOO_MANY_REQUESTS:
            refused[key] = None
        elif call.status < HTTPStatus.BAD_REQUEST or call.status == HTTPStatus.NOT_FOUND:
            refused.pop(key, None)
    return [" ".join(filter(None, key)) for key in refused]


def what_is_asked(call: Call) -> tuple[str, str, str]:
    """What a request is about, whichever upload it belongs to: method, path, and the digest of what is sent. Pure."""
    parts = urlsplit(call.path)
    before, uploads, _ = parts.path.partition("/blobs/uploads/")
    return call.method, before + uploads, parse_qs(parts.query).get("digest", [""])[0]


def refused_requests(calls: Iterable[Call]) -> int:
    """How many requests were answered 429. Pure."""
    return sum(call.status == HTTPStatus.TOO_MANY_REQUESTS for call in calls)


def load_of(ecr: EcrPublic, jobs: Sequence[Job], runs: Sequence[Measured]) -> Load:
    """What jobs took that an ECR Public has just had from the beginning."""
    calls = ecr.recorded
    most = Peak()
    for run in runs:
        most |= run.peak
    return Load(
        services=sum(len(job.services) for job in jobs),
        processes=len(jobs),
        requests=len(calls),
        refused=refused_requests(calls),
        completions=ecr.state.most_in_a_second(COMPLETE),
        seconds=max(run.seconds for run in runs),
        memory=most.memory,
        threads=most.threads,
        files=most.files,
    )
