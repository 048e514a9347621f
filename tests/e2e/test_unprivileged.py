"""A release by nobody: another user than the clone's, no HOME, nothing writable but artifacts, /tmp and the clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.job_inputs import checkout_folder
from testbed.paths import BUILT, ROOT
from testbed.registry_clients import crane
from testbed.release_harness import PROGRAM, ReleaseHarness, go_environment, open_harness, run_program
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

USER = 12345
TMP = Path("/tmp")  # noqa: S108 - where the runner works without TMPDIR

CONFINE = """\
set -eu
mount --make-rprivate /

# An empty folder in the place of $1, with only the paths of $SEEN left that are below it.
cover() {
    mount -t tmpfs -o mode="$2" tmpfs "$STAGE"
    for seen in $SEEN; do
        case $seen in "$1"/*)
            mkdir -p "$STAGE/${seen#"$1"/}"
            mount --bind "$seen" "$STAGE/${seen#"$1"/}"
        esac
    done
    mount --move "$STAGE" "$1"
}

for folder in $WRITABLE; do mount --bind "$folder" "$folder"; done
for folder in $PRIVATE; do cover "$folder" 755; done
cover /tmp 1777

while read -r _ target _; do
    case " /tmp $WRITABLE " in *" $target "*) continue; esac
    case $target in /proc* | /sys* | /dev*) continue; esac
    [ ! -e "$target" ] || mount -o remount,bind,ro "$target"
done < /proc/self/mounts

cd "$FOLDER"
unset SEEN WRITABLE PRIVATE STAGE FOLDER
"$@"
"""
"""Run as root in a mount namespace of its own: what it changes is gone with it."""


@dataclass(frozen=True)
class Confinement:
    """A file system in which only some folders may be written.

    Args:
        seen: folders of /tmp, or below folders that only their owner may enter, that are needed.
        writable: those of them that may be written.
        stage: an empty folder.
    """

    seen: tuple[Path, ...]
    writable: tuple[Path, ...]
    stage: Path

    def environment(self, folder: Path) -> Mapping[str, str]:
        """What the confining script is given; ``folder`` is where the program starts."""
        private = {above for path in self.seen for above in path.parents if not above.stat().st_mode & 0o001}
        outermost = {folder for folder in private if not any(above in private for above in folder.parents)}
        return {
            "SEEN": " ".join(map(str, self.seen)),
            "WRITABLE": " ".join(map(str, self.writable)),
            "PRIVATE": " ".join(str(folder) for folder in sorted(outermost) if TMP not in folder.parents),
            "STAGE": str(self.stage),
            "FOLDER": str(folder),
        }


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ReleaseHarness]:
    if os.geteuid() != 0:
        pytest.skip("only root can make a mount namespace and start a program as another user")
    for program in ("unshare", "setpriv"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not here (apt-get install util-linux)")
    refused = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmpfs /tmp"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if refused.returncode != 0:
        pytest.skip(f"this machine refuses a mount namespace: {refused.stderr.strip()}")
    with open_harness(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Job:
    """A clone of root's and a folder for artifacts, as a pod has them."""

    clone: Path
    artifacts: Path
    config: Path
    environment: Mapping[str, str]
    confinement: Confinement

    def argv(self, *command: str | Path) -> list[str | Path]:
        """The command confined, and as a user who owns nothing and may do nothing."""
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
        return [*self.argv_as_root(), *user, "--inh-caps=-all", "--bounding-set=-all", *command]

    def argv_as_root(self, *command: str | Path) -> list[str | Path]:
        """The command confined, but still root's."""
        return ["unshare", "--mount", "sh", "-c", CONFINE, "sh", *command]


@pytest.fixture
def job(harness: ReleaseHarness, tmp_path: Path) -> Job:
    workspace, sha = harness.clone("v1.2.3")
    artifacts, config, stage = tmp_path / "artifacts", tmp_path / "config", tmp_path / "stage"
    for folder in (artifacts, config, stage):
        folder.mkdir()
    shutil.copy(harness.config, config / "jobs.yaml")
    subprocess.run(["chmod", "-R", "a+rwX", workspace, artifacts], check=True, timeout=60)
    clone = checkout_folder(workspace, harness.repository)
    tools = (ROOT, BUILT.resolve(), Path(sys.base_prefix).resolve(), require_tool("go").resolve().parents[1])
    confinement = Confinement((*tools, config, clone, artifacts), (clone, artifacts), stage)
    environment = {
        **harness.environment("v1.2.3", sha, dict.fromkeys(("GOCACHE", "GOMODCACHE", "HOME", "TMPDIR"), "")),
        "ARTIFACTS": str(artifacts),
        "PATH": f"{go_environment()['PATH']}:/usr/sbin:/sbin",
        **confinement.environment(clone),
    }
    return Job(clone, artifacts, config / "jobs.yaml", environment, confinement)


def found_below(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Everything below a folder, with owner, mode, size and time."""
    return {
        str(path.relative_to(folder)): (stat.st_uid, stat.st_mode, stat.st_size, stat.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        for stat in (path.lstat(),)
    }


def test_the_confinement_holds(job: Job, tmp_path: Path) -> None:
    """Even root can write nothing but artifacts, /tmp and the clone there; and of /tmp nothing is seen outside."""
    refused = ("/", str(ROOT), str(tmp_path / "config"), "/etc", "/var/tmp")  # noqa: S108 - a place not to be written
    allowed = (str(job.artifacts), str(job.clone), "/tmp")  # noqa: S108 - as above
    probe = 'for folder in "$@"; do if touch "$folder/probe" 2>/dev/null; then echo "$folder"; fi; done'
    ended = run_program(
        *job.argv_as_root("sh", "-c", probe, "sh", *refused, *allowed), env=job.environment, cwd=tmp_path
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines == list(allowed)
    assert not (TMP / "probe").exists()
    ended = run_program(*job.argv("sh", "-c", "id -u; id -G; echo ${HOME-unset}"), env=job.environment, cwd=tmp_path)
    assert ended.lines == [str(USER), str(USER), "unset"]


def test_a_release_passes_with_nothing_but_artifacts_tmp_and_the_clone(
    harness: ReleaseHarness, job: Job, tmp_path: Path
) -> None:
    """Uid 12345 without HOME, on a read-only root, releases a clone of root's; it leaves only its artifacts behind."""
    before = found_below(job.clone)
    release = 'code=0; "$@" || code=$?; ls -A /tmp >&2; exit $code'
    argv = job.argv("sh", "-c", release, "sh", PROGRAM, "run", "--config", job.config)
    ended = run_program(*argv, env=job.environment, cwd=tmp_path)
    assert (ended.code, ended.errors) == (0, []), ended.out + ended.err
    assert ended.lines[-1].startswith("RELEASED: widget 1.2.3 (release, 3 tags written)")
    crane("validate", "--insecure", "--remote", f"{harness.host}/ack/controller:widget-v1.2.3")
    assert ended.err.split() == sorted({path.parts[2] for path in job.confinement.seen if TMP in path.parents})
    assert found_below(job.clone) == before
    written = found_below(job.artifacts)
    assert {"record.json", "metadata.json", "junit_release.xml", "release.html", "release-log.jsonl"} <= set(written)
    assert {owner for owner, *_ in written.values()} == {USER}
