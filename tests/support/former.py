"""What the former job left in a harness's registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.oci.credentials import Anonymous
from runner.oci.name import Name
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from testbed.base_images import push
from testbed.release_harness import IMAGE

if TYPE_CHECKING:
    from runner.oci.artifact import Artifact
    from testbed.release_harness import ReleaseHarness


def publish_former(harness: ReleaseHarness, image: Artifact) -> None:
    """Let the name of the release's image hold this; the proxy forgets how it came there."""
    name = Name.parse(f"{harness.host}/{IMAGE}")
    with Transport(Lifetime(), {}) as transport:
        push(Registry(transport, Anonymous()), name.repository, name.tag, image)
    harness.proxy.clear()
