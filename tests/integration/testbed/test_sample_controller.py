from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.git import git
from testbed.job_inputs import clone_as_prow
from testbed.paths import ROOT
from testbed.process_table import alive
from testbed.processes import Argv, ProgramFailed, read, started
from testbed.registries import serve
from testbed.sample_controller import PRODUCTION, SCHEMES, SampleRepository, make_repository
from tests.support.tools import require_tool
from tests.support.waiting import until

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def repository(tmp_path: Path) -> SampleRepository:
    require_tool("git")
    return make_repository(tmp_path / "repository")


def home(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder)}


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_the_chart_lints_and_deploys_its_image(tmp_path: Path, helm: Path, scheme: str) -> None:
    """In each scheme the real helm lints the chart and renders a workload with the image of the release."""
    repository = make_repository(tmp_path / "repository", scheme=scheme)
    chart = repository.folder / "helm"
    read([helm, "lint", chart], env=home(tmp_path))
    rendered = read([helm, "template", "test", chart], env=home(tmp_path))
    assert f"image: {':'.join(repository.image('1.2.3'))}\n" in rendered


def test_the_controller_says_its_release(repository: SampleRepository, tmp_path: Path) -> None:
    """The compiled controller prints the version, commit and date that the linker was given."""
    package = f"github.com/aws-controllers-k8s/{repository.name}/pkg/version"
    values = {"GitVersion": "v1.2.3", "GitCommit": COMMIT, "BuildDate": "2026-01-05T11:00:00Z"}
    flags = " ".join(f"-X {package}.{name}={value}" for name, value in values.items())
    environment = {**os.environ, "CGO_ENABLED": "0", "GOPROXY": "off"}
    output = tmp_path / "controller"
    argv: Argv = [require_tool("go"), "build", "-trimpath", "-ldflags", flags, "-o", output, "./cmd/controller"]
    read(argv, env=environment, cwd=repository.folder)
    assert read([output, "--version"], env={}) == f"widget-controller {' '.join(values.values())}"


def test_the_same_calls_give_the_same_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the folder, the clock nor the user's git configuration is in the history."""
    ids = []
    for name in ("first", "second"):
        made = make_repository(tmp_path / name)
        ids.append((made.resolve("refs/tags/v1.2.3"), made.stable("1.2.3")))
        (tmp_path / ".gitconfig").write_text("[user]\n\tname = Somebody\n[tag]\n\tgpgSign = true\n", encoding="utf-8")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    assert ids[0] == ids[1]


@pytest.mark.parametrize(("annotated", "kind"), [(True, "tag"), (False, "commit")], ids=["annotated", "lightweight"])
def test_a_release_is_tagged(repository: SampleRepository, *, annotated: bool, kind: str) -> None:
    """A release is one commit on main, with an annotated or a lightweight tag on it."""
    commit = repository.release("1.3.0", annotated=annotated)
    assert repository.git("cat-file", "-t", "refs/tags/v1.3.0") == kind
    assert repository.resolve("refs/tags/v1.3.0^{commit}") == repository.resolve("refs/heads/main") == commit


def test_stable_changes_one_line_of_the_release(repository: SampleRepository) -> None:
    """The branch stable is one commit on top of the tag, and only the chart's version differs."""
    repository.release("1.3.0")
    commit = repository.stable("1.2.3")
    assert repository.resolve("refs/heads/stable^") == repository.resolve("refs/tags/v1.2.3^{commit}")
    changed = repository.git("diff", "--unified=0", "refs/tags/v1.2.3", commit).splitlines()
    lines = [line for line in changed if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]
    assert lines == ["-version: v1.2.3", "+version: v1-stable"]
    assert repository.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_edits_are_part_of_the_release(repository: SampleRepository) -> None:
    """A release can carry a defect: it is in the tagged commit, and the next release is sound again."""
    repository.release("1.3.0", edits={"helm/values.yaml": lambda text: text.replace("v1.3.0", "v9.9.9")})
    repository.release("1.3.1")
    assert "tag: widget-v9.9.9" in repository.git("show", "refs/tags/v1.3.0:helm/values.yaml")
    assert "tag: widget-v1.3.1" in repository.git("show", "refs/tags/v1.3.1:helm/values.yaml")


@pytest.mark.parametrize("ref", ["v1.2.3", "stable"])
def test_a_clone_is_as_clonerefs_leaves_it(repository: SampleRepository, tmp_path: Path, ref: str) -> None:
    """There is no remote, all tags are there, and HEAD is on a local branch named like the ref."""
    repository.stable("1.2.3")
    sha = clone_as_prow(repository, ref, tmp_path / "clone")
    clone = tmp_path / "clone"
    assert git(clone, "remote") == ""
    assert git(clone, "tag", "--list") == "v1.2.3"
    assert git(clone, "symbolic-ref", "HEAD") == f"refs/heads/{ref}"
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "rev-parse", "HEAD") == git(clone, "rev-parse", f"{sha}^{{commit}}")


def test_the_push_of_an_annotated_tag_names_the_tag_object(repository: SampleRepository, tmp_path: Path) -> None:
    """PULL_BASE_SHA of an annotated tag is the tag object's id, which is not HEAD's."""
    sha = clone_as_prow(repository, "v1.2.3", tmp_path / "clone")
    assert sha == repository.resolve("refs/tags/v1.2.3")
    assert git(tmp_path / "clone", "rev-parse", "HEAD") != sha


def test_the_registry_counts_writes_by_its_log(tmp_path: Path, crane: Path) -> None:
    """Writes are counted and reads are not, and the registry has ended when the block has."""
    chart = tmp_path / "artifact"
    chart.write_text("content", encoding="utf-8")
    with serve(crane, tmp_path / "registry") as registry:
        assert registry.writes() == 0
        name = f"{registry.host}/test/artifact:1"
        read([crane, "append", "--insecure", "--new_layer", chart, "--new_tag", name], env=home(tmp_path))
        sent = registry.writes()
        assert sent > 0
        assert read([crane, "digest", "--insecure", name], env=home(tmp_path)).startswith("sha256:")
        assert registry.writes() == sent
        address = registry.host
    with pytest.raises(ProgramFailed, match="connection refused"):
        read([crane, "digest", "--insecure", f"{address}/test/artifact:1"], env=home(tmp_path))


def test_a_registry_that_cannot_start_is_reported(tmp_path: Path) -> None:
    """A program that is no registry is reported with what it printed, instead of being waited for."""
    imposter = tmp_path / "imposter"
    imposter.write_text("#!/bin/sh\necho no registry here\n", encoding="utf-8")
    imposter.chmod(0o755)
    with pytest.raises(RuntimeError, match="no registry here"), serve(imposter, tmp_path / "registry"):
        pass


def test_a_program_ends_with_what_it_started(tmp_path: Path) -> None:
    """At the end of the block the program's whole group has ended."""
    script = "sleep 600 & echo $!; wait"
    with started(["sh", "-c", script], env=home(tmp_path), output=subprocess.PIPE) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        os.kill(grandchild, 0)
    until(lambda: not alive(grandchild), seconds=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_a_script_and_its_programs(tmp_path: Path, number: signal.Signals) -> None:
    """A script that is signalled ends its programs and leaves its blocks before it exits with the signal's code."""
    script = (
        "import subprocess\nfrom testbed.processes import end_on_signals, started\nend_on_signals()\n"
        "try:\n"
        "    with started(['sleep', '600'], env={'PATH': '/usr/bin:/bin'}, output=subprocess.DEVNULL) as child:\n"
        "        print(child.pid, flush=True)\n"
        "        child.wait()\n"
        "finally:\n"
        "    print('left', flush=True)\n"
    )
    argv: Argv = [Path(sys.executable), "-c", script]
    with started(argv, env={"PYTHONPATH": str(ROOT)}, output=subprocess.PIPE, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(number)
        assert parent.stdout.read() == b"left\n"
        assert parent.wait(10) == 128 + number
    until(lambda: not alive(child), seconds=5)


def test_the_production_registry_is_the_default(repository: SampleRepository) -> None:
    """The chart names the production registry unless the caller asks for another."""
    assert f"repository: {PRODUCTION}/controller" in repository.git("show", "refs/tags/v1.2.3:helm/values.yaml")
