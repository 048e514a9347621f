"""What the registry that a run writes to is to AWS. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.config.aws import kind_of_host
from runner.oci.connections import is_loopback

if TYPE_CHECKING:
    from runner.config.aws import AwsKind
    from runner.config.load import Config


def registry_kind(host: str, config: Config) -> AwsKind:
    """Return what a registry is to AWS: ``ecr-public``, ``ecr`` or ``none``.

    ``kind: none`` in jobs.yaml holds for every registry. AWS's own hosts say themselves what they are. For other hosts,
    jobs.yaml's kind holds where it can have been meant: for the production registry, and for one on this machine, which
    stands for it. A staging release to any other host asks AWS for nothing.

    Args:
        host: the host, with port, of the registry that is written to or read.
        config: what jobs.yaml says.
    """
    configured = config.aws.kind
    if configured == "none":
        return "none"
    own = kind_of_host(host)
    if own != "none" or configured is None:
        return own
    return configured if host == config.registry.host or is_loopback(host) else "none"
