from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

from testbed.paths import ROOT
from tests.support.registry import crane_registry, docker_registry

if TYPE_CHECKING:
    from pathlib import Path


MEBIBYTE = 1024 * 1024
SENDER = """
import re, sys
from pathlib import Path
from runner.runtime.lifetime import Lifetime
from runner.oci.credentials import Anonymous
from runner.oci.artifact import Blob, FileSource, RemoteSource
from runner.oci.manifest import OCI_LAYER, Descriptor
from runner.oci.name import Repository
from runner.oci.registry import Registry
from runner.oci.transport import Transport

def peak():
    # Of this program alone: getrusage would count what its parent held when it was forked.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

path, digest, size, one, two = sys.argv[1:]
descriptor = Descriptor(OCI_LAYER, digest, int(size))
with Transport(Lifetime(), {}) as transport:
    registry = Registry(transport, Anonymous())
    before = peak()
    assert registry.send_blob(Repository(one, "a"), Blob(descriptor, FileSource(Path(path)))) == "uploaded"
    assert registry.send_blob(Repository(two, "a"), Blob(descriptor, RemoteSource(Repository(one, "a")))) == "uploaded"
    registry.download_blob(Repository(two, "a"), descriptor, Path(path).with_name("back"))
    assert registry.scan_blob(Repository(two, "a"), descriptor, lambda pieces: sum(map(len, pieces))) == int(size)
    print(peak() - before)
"""


def test_memory_does_not_grow_with_blobs(tmp_path: Path) -> None:
    """200 MiB are sent, passed from registry to registry, fetched and scanned in less than 16 MiB of memory."""
    size = 200 * MEBIBYTE
    path = tmp_path / "large"
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(200):
            block = bytes([number]) * MEBIBYTE
            hashed.update(block)
            file.write(block)
    with crane_registry(tmp_path / "one") as one, docker_registry(tmp_path / "two") as two:
        arguments = [str(path), f"sha256:{hashed.hexdigest()}", str(size), one.host, two.host]
        sender = subprocess.run(
            [sys.executable, "-c", SENDER, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert sender.returncode == 0, sender.stderr
    assert int(sender.stdout) < 16 * 1024, "KiB more than before the first blob"
    assert (tmp_path / "back").stat().st_size == size
