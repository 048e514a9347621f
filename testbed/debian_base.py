"""A base for the runner's image where none can be pulled: Debian with Python, git and CA certificates, by debootstrap.

``python -m testbed.debian_base FILE`` writes the archive of its file system; only root can.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from testbed.processes import ProgramFailed, end_on_signals, read

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "git", "python3")
LEFT_OVERS = (
    *("var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/cache/ldconfig", "var/log", "tmp", "root/.cache"),
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"),
)
DEVICES = "dev"


def kept_base(folder: Path) -> Path:
    """Return the archive of a base's file system, made where the folder has none of these packages and this script.

    Raises:
        ProgramFailed: debootstrap or tar failed.
    """
    what = "\n".join((SUITE, *PACKAGES, Path(__file__).read_text(encoding="utf-8")))
    archive = folder / f"debian-base-{hashlib.sha256(what.encode()).hexdigest()[:12]}.tar"
    if not archive.exists():
        make_base(archive)
    return archive


def make_base(archive: Path) -> None:
    """Write the archive of a base's file system, whole or not at all.

    Raises:
        ProgramFailed: debootstrap or tar failed.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with tempfile.TemporaryDirectory(prefix="debian-base-", dir=archive.parent) as folder:
        root, partial = Path(folder, "root"), Path(folder, "base.tar")
        read(
            ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root],
            env=environment,
        )
        for name in (*LEFT_OVERS, DEVICES):
            _empty(root / name)
        read(["tar", "--create", "--file", partial, "--directory", root, "--numeric-owner", "."], env=environment)
        partial.replace(archive)


def _empty(folder: Path) -> None:
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def main(arguments: list[str]) -> int:
    """Write the archive that the only argument names."""
    end_on_signals()
    try:
        [archive] = arguments
        make_base(Path(archive))
    except ValueError:
        print("usage: python -m testbed.debian_base FILE", file=sys.stderr)
        return 2
    except (ProgramFailed, OSError) as error:
        print(f"debian-base: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
