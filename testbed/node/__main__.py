"""Runs a node until it is ended: ``python -m testbed.node --help``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes.client.exceptions import ApiException

from testbed.node.agent import Agent
from testbed.node.api import Cluster
from testbed.node.engine import Engine
from testbed.processes import ENDING_SIGNALS, ProgramFailed

if TYPE_CHECKING:
    from types import FrameType


def main(arguments: list[str]) -> int:
    """Be a node."""
    parser = argparse.ArgumentParser(prog="python -m testbed.node", description="A small kubelet over dockerd.")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="how the apiserver is reached")
    parser.add_argument("--docker-host", required=True, help="the Docker daemon, as unix:///…")
    parser.add_argument("--node-name", default="local", help="the Node's name [default: %(default)s]")
    parser.add_argument("--log-address", default="127.0.0.1:0", help="where logs are served [default: %(default)s]")
    parser.add_argument("--data", type=Path, required=True, help="folder for the pods' volumes")
    given = parser.parse_args(arguments)
    host, _, port = given.log_address.rpartition(":")

    def tell(line: str) -> None:
        print(f"node: {line}", file=sys.stderr, flush=True)

    cluster = Cluster(given.kubeconfig)
    try:
        with contextlib.closing(Engine(given.docker_host, given.node_name)) as engine:
            agent = Agent(cluster, engine, name=given.node_name, data=given.data, tell=tell)

            def stop(_: int, __: FrameType | None) -> None:
                agent.stop()

            for number in ENDING_SIGNALS:
                signal.signal(number, stop)
            agent.run((host, int(port)), ready=lambda port: tell(f"ready, logs at {host}:{port}"))
    except (ApiException, ProgramFailed, OSError) as error:
        tell(str(error))
        return 1
    finally:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
