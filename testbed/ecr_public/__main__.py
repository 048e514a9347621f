"""``make ecr``: an ECR Public on this machine, and a controller to release to it, until it is interrupted.

Images and charts go to a real registry behind ECR Public's manners; SSM and STS are moto's. What was started ends with
it, however it ends.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from testbed.ecr_public.harness import EcrPublic, ecr_public
from testbed.moto import MotoFailed
from testbed.paths import BUILT, ROOT
from testbed.processes import ProgramFailed, end_on_signals
from testbed.programs import ProgramMissing, find_program
from testbed.prow.servers import PortTaken, check_free
from testbed.sample_controller import CONFIGURATION, OWNER, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.ecr_public.recording import Call
    from testbed.sample_controller import SampleRepository

PORT, API_PORT = 8484, 8485
VERSION, NEXT = "1.2.3", "1.3.0"
PARAMETER = "/ack/prow/cd/public_ecr/publish_role"
AWS = f"""\
aws:
  kind: ecr-public
  publish_role: {{parameter: {PARAMETER}}}
  catalog: {ROOT / "config" / "catalog.yaml"}
"""
"""What a configuration needs to release to a registry whose host is not AWS's own."""
OTHERS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN")
"""What would let the SDK be somebody else."""
LOOK_SECONDS = 0.2
FAILURES = (MotoFailed, OSError, PortTaken, ProgramFailed, ProgramMissing, RuntimeError)


def main(arguments: list[str]) -> int:
    """Run an ECR Public until a signal ends it; 1 when it cannot be started."""
    end_on_signals()
    parser = argparse.ArgumentParser(prog="make ecr", description=str(__doc__).partition("\n\n")[2])
    parser.add_argument("--data", type=Path, default=ROOT / ".ecr", help="folder of the last run, which is made anew")
    parser.add_argument("--port", type=int, default=PORT, help="where images and charts are pushed to; 0: a free port")
    parser.add_argument("--api-port", type=int, default=API_PORT, help="where the API listens; 0: a free port")
    given = parser.parse_args(arguments)
    try:
        _run(given.data.absolute() / "run", given.port, given.api_port)
    except FAILURES as error:
        print(f"ecr: {error}", file=sys.stderr)
        return 1
    except SystemExit:  # how a signal ends it
        print("Ended, with all that was started.", flush=True)
    return 0


def _run(run: Path, port: int, api_port: int) -> None:
    for number, what in ((port, "the registry"), (api_port, "the API")):
        if number:
            check_free(number, what)
    helm = find_program("helm4")
    shutil.rmtree(run, ignore_errors=True)
    with ecr_public(run / "servers", port=port, api_port=api_port) as ecr:
        ecr.put_parameter(PARAMETER, f"arn:aws:iam::{ecr.state.account.number}:role/publisher")
        repository = make_repository(run / "widget-controller", registry=ecr.namespace, version=VERSION)
        repository.stable(VERSION)
        repository.release(NEXT)
        configuration = run / "jobs.yaml"
        configured = CONFIGURATION.format(registry=ecr.namespace, helm=helm) + AWS
        configuration.write_text(configured, encoding="utf-8")
        environment = {
            **ecr.environment,
            "DOCKER_CONFIG": str(run / "no-login"),
            "REPO_OWNER": OWNER,
            "REPO_NAME": repository.name,
            "ARTIFACTS": str(run / "artifacts"),
            "ACK_RELEASE_JOBS": str(configuration),
        }
        _write_environment(run / "environment", environment)
        _introduce(ecr, run, repository)
        _watch(ecr)


def _write_environment(file: Path, environment: Mapping[str, str]) -> None:
    lines = [f"unset {' '.join(OTHERS)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    programs = (shlex.quote(str(folder)) for folder in (ROOT / ".venv" / "bin", BUILT))
    lines.append(f"export PATH={':'.join(programs)}:$PATH")
    file.write_text("\n".join((*lines, "")), encoding="utf-8")


def _introduce(ecr: EcrPublic, run: Path, repository: SampleRepository) -> None:
    folder = _from_here(repository.folder)
    print(
        f"""ready

  registry    {ecr.namespace}
  API         {ecr.endpoints["ecr-public"]}
  SSM, STS    {ecr.endpoints["sts"]}
  controller  {folder}

In another shell, release v{VERSION} from an empty account, as the role that SSM names:

  . {_from_here(run)}/environment
  cd {folder} && git checkout --quiet v{VERSION}
  PULL_BASE_REF=v{VERSION} ack-release run --config "$ACK_RELEASE_JOBS"

Then v{NEXT}, and the branch stable. What was published, as everybody sees it:

  DOCKER_CONFIG=/nowhere crane ls {ecr.namespace}/controller
  DOCKER_CONFIG=/nowhere helm4 pull oci://{ecr.namespace}/widget-chart --version {VERSION} --plain-http

What the caller needs a permission for stands below as it happens. Ctrl-C ends all of it.
""",
        flush=True,
    )


def _watch(ecr: EcrPublic) -> NoReturn:
    told = 0
    while True:
        calls = ecr.recorded
        for call in calls[told:]:
            if call.actions:
                print(_line(call), flush=True)
        told = len(calls)
        time.sleep(LOOK_SECONDS)


def _line(call: Call) -> str:
    who = (call.identity or "nobody").rpartition(":")[2]
    return f"{call.status} {who}  {', '.join(call.actions)}  {call.plain_path}"


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
