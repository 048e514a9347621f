"""Writes into the files that name base images which digest each tag has now: ``make pin-bases``.

A digest is what a registry answers and nothing else: where one tag has none, no file is changed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ReleaseError
from runner.oci.credentials import DockerConfig
from runner.oci.helper import CredentialHelpers
from runner.oci.name import Name
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from testbed.paths import ROOT
from testbed.processes import end_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

NAMED = re.compile(
    r"""^(?P<before>ARG\ BASE=|\s+base_image:\ +)
        (?P<name>[^\s@\#"']+:[^\s@\#"'/:]+)
        (?:@(?P<digest>sha256:[0-9a-f]{64}))?(?=\s|$)""",
    re.MULTILINE | re.VERBOSE,
)
"""A base with a tag: in a Dockerfile the default of BASE, in jobs.yaml build.base_image. A folder has none."""

DOCKER_HUB = "registry-1.docker.io"
DOCKER_HUB_NAMES = frozenset({"docker.io", "index.docker.io"})
ASKED_AT_ONCE = 4


class NotPinned(Exception):
    """A digest cannot be read; the message says of which base, and why. Nothing was written."""


@dataclass(frozen=True)
class Pinned:
    """A base in a file: its name with the tag, its digest now, and the one that stood there; None where none did."""

    file: Path
    name: str
    digest: str
    before: str | None

    def __str__(self) -> str:
        changed = "unchanged" if self.before == self.digest else f"was {self.before or 'not pinned'}"
        return f"{self.file}: {self.name}@{self.digest} ({changed})"


def default_files() -> tuple[Path, ...]:
    """The files of this project that name bases."""
    return (ROOT / "config" / "jobs.yaml", *sorted((ROOT / "images").glob("*/Dockerfile")))


def pin(files: Iterable[Path], digest_of: Callable[[str], str]) -> tuple[Pinned, ...]:
    """Write the digests of all bases that these files name by a tag; all of them, or nothing.

    Args:
        files: Dockerfiles and jobs.yaml.
        digest_of: returns the digest of ``HOST/REPOSITORY:TAG``.

    Raises:
        NotPinned: a file names no base by a tag, or a digest cannot be read.
    """
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    found = [(file, match["name"], match["digest"]) for file, text in texts.items() for match in _named(text)]
    without = [str(file) for file in texts if not any(file == named for named, _, _ in found)]
    if without:
        raise NotPinned(f"no base with a tag is named in {', '.join(without)}")
    names = tuple(dict.fromkeys(name for _, name, _ in found))
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        digests = dict(zip(names, pool.map(digest_of, names), strict=True))
    for file, text in texts.items():
        pinned = NAMED.sub(lambda match: _with_digest(match, digests), text)
        if pinned != text:
            partial = file.with_name(f".{file.name}.partial")
            partial.write_text(pinned, encoding="utf-8")
            partial.chmod(file.stat().st_mode)
            partial.replace(file)
    return tuple(Pinned(file, name, digests[name], before) for file, name, before in found)


@contextlib.contextmanager
def open_registry(environment: Mapping[str, str]) -> Iterator[Registry]:
    """A client of registries, with the credentials of Docker's config file, as a release has it."""
    lifetime = Lifetime()
    helpers = CredentialHelpers(Children(lifetime).run, environment)
    with Transport(lifetime, environment) as transport:
        yield Registry(transport, DockerConfig.find(environment, helpers))


def registry_digest(name: str, registry: Registry) -> str:
    """Ask a name's registry for its digest.

    Raises:
        NotPinned: it is no name, its registry does not answer or has no such tag.
    """
    try:
        full = full_name(name)
        manifest = registry.manifest(full.repository, full.tag)
    except (ReleaseError, ValueError) as error:
        raise NotPinned(f"no digest could be read for {name}, so nothing was changed: {error}") from error
    if manifest is None:
        raise NotPinned(f"no digest could be read for {name}, so nothing was changed: its registry has no such tag")
    return manifest.digest


def full_name(name: str) -> Name:
    """Read a name as docker does: one without a host is Docker Hub's, and there ``library/`` may be left out.

    Source: distribution/reference ``normalize.go``. ValueError where it is none.
    """
    host, slash, path = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = "docker.io", name
    if host in DOCKER_HUB_NAMES:
        host, path = DOCKER_HUB, path if "/" in path else f"library/{path}"
    return Name.parse(f"{host}/{path}")


def _named(text: str) -> Iterable[re.Match[str]]:
    return (match for match in NAMED.finditer(text) if not match["name"].startswith("oci:"))


def _with_digest(match: re.Match[str], digests: Mapping[str, str]) -> str:
    name = match["name"]
    return f"{match['before']}{name}@{digests[name]}" if name in digests else match[0]


def main(arguments: list[str]) -> int:
    """Pin the bases of the files given, and say what stands there now."""
    end_on_signals()
    parser = argparse.ArgumentParser(prog="make pin-bases", description=str(__doc__))
    parser.add_argument("files", nargs="*", type=Path, help="Dockerfiles and jobs.yaml [default: this project's]")
    given = parser.parse_args(arguments)
    try:
        with open_registry(os.environ) as registry:
            for pinned in pin(tuple(given.files) or default_files(), lambda name: registry_digest(name, registry)):
                print(pinned)
    except (NotPinned, OSError) as error:
        print(f"pin-bases: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
