from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.paths import ROOT
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    "sh",
    "basename",
    "cat",
    "dirname",
    "git",
    "tr",
    "ls",
    "xargs",
    "mkdir",
    "date",
    "mv",
    "rm",
    "echo",
    "chmod",
    "ln",
)
ANY_GO = '[ "$*" = "env GOVERSION" ] && echo {version}'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the scripts and of what they read, with nothing set up."""
    folder = tmp_path / "project"
    (folder / "hack" / "tools").mkdir(parents=True)
    for name in ("setup", "require", "pinned-uv", "build-tool", "build-environment", "build-deck-pages"):
        shutil.copy(ROOT / "hack" / name, folder / "hack" / name)
    for name in ("uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for PATH with the common commands and neither Python nor Go."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in COMMANDS:
        (folder / name).symlink_to(require_tool(name))
    return folder


def add(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (programs / name).chmod(0o755)


def add_uv(project: Path, script: str) -> None:
    """Put a uv where the pinned one is looked for; it writes down how it is called, then runs the script."""
    pinned = (project / "hack" / "pinned-uv").read_text(encoding="utf-8")
    folder = project / f".tools/uv-{re.findall(r'^UV=([0-9.]+)', pinned, re.MULTILINE)[0]}" / "bin"
    folder.mkdir(parents=True)
    add(folder, "uv", f"echo $* >>calls; {script}")


def call(project: Path, programs: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(programs), "HOME": str(project)}
    return subprocess.run(
        [project / argv[0], *argv[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_missing_go_is_named(project: Path, programs: Path) -> None:
    """Without go on PATH, set-up ends with 2 and says what is needed and where it is found."""
    finished = call(project, programs, "hack/setup")
    assert finished.returncode == 2
    assert "Go 1.26 or newer is needed; there is no go on PATH. Install it from https://go.dev/dl." in finished.stderr


def test_all_that_is_missing_is_named(project: Path, programs: Path) -> None:
    """Set-up names every program that it needs and does not find, in one message, with what installs it."""
    (programs / "git").unlink()
    finished = call(project, programs, "hack/setup")
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        "This machine lacks:",
        "  git is needed; there is none on PATH.",
        "  Go 1.26 or newer is needed; there is no go on PATH. Install it from https://go.dev/dl.",
        "  Python 3.11 or newer is needed; found: no python3. Install one and put it on PATH.",
        "On Debian, as root: apt-get install git",
    ]


def test_a_python_without_environments(project: Path, programs: Path) -> None:
    """Debian's Python without its package for virtual environments is told with that package."""
    add(programs, "go", ANY_GO.format(version="go1.26.8"))
    add(programs, "python3", 'case "$2" in "import ensurepip"*) exit 1;; esac')
    finished = call(project, programs, "hack/setup")
    assert finished.returncode == 2
    assert "python3 cannot make virtual environments." in finished.stderr
    assert finished.stderr.endswith("apt-get install python3-venv\n")


@pytest.mark.parametrize(
    ("there", "packages"),
    [((), " nodejs npm"), (("node",), " npm"), (("node", "npm"), "")],
    ids=["nothing", "node alone", "both, as of nodesource.com"],
)
def test_npm_is_asked_for_where_it_is_missing(
    project: Path, programs: Path, there: tuple[str, ...], packages: str
) -> None:
    """A nodejs that brings npm needs nothing else; only what is missing is named, in one line for apt-get."""
    for name in there:
        add(programs, name, "")
    finished = call(project, programs, "hack/require", "no-such-program", "npm")
    assert finished.returncode == 2
    assert f"apt-get install no-such-program{packages}\n" in finished.stderr
    assert ("nodesource.com" in finished.stderr) == (there == ())


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        ("prow", ("dockerd", "etcd", "debootstrap", "npm")),
        ("pages", ("chromium", "chromedriver", "docker-registry")),
        ("deck-pictures", ("chromium", "chromedriver", "npm")),
        ("image", ("docker",)),
        ("image-figures", ("dockerd", "debootstrap")),
    ],
)
def test_what_a_command_needs_is_asked_for_first(target: str, needed: tuple[str, ...]) -> None:
    """A command of the Makefile that needs more than git, Go and Python asks for all of it before it does anything."""
    argv = ["make", "--no-print-directory", "-n", target]
    planned = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    asked = planned.stdout.splitlines()[0].split()
    assert asked[0] == "hack/require"
    assert {"git", "go", "python", *needed} <= set(asked[1:])


def test_nothing_is_said_where_nothing_is_missing(project: Path, programs: Path) -> None:
    """Where everything is there, nothing is printed."""
    finished = call(project, programs, "hack/require", "git", "sh")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


@pytest.mark.parametrize("version", ["go1.25.9", "go1.4", "devel", "go1.9rc1"])
def test_an_old_go_is_named(project: Path, programs: Path, version: str) -> None:
    """A Go below 1.26 is refused by its version and place."""
    add(programs, "go", ANY_GO.format(version=version))
    finished = call(project, programs, "hack/setup")
    assert finished.returncode == 2
    assert f"found: {version} at {programs}/go" in finished.stderr


@pytest.mark.parametrize("version", ["go1.26", "go1.26.8", "go1.27rc1", "go1.100.0", "go2.0"])
def test_an_old_python_is_named(project: Path, programs: Path, version: str) -> None:
    """With a Go that is new enough, a Python below 3.11 is refused by its version."""
    add(programs, "go", ANY_GO.format(version=version))
    add(programs, "python3", '[ "$1" = --version ] && echo Python 3.9.2 && exit; exit 1')
    finished = call(project, programs, "hack/setup")
    assert finished.returncode == 2
    assert "Python 3.11 or newer is needed; found: Python 3.9.2." in finished.stderr


def test_set_up_again_does_nothing(project: Path, programs: Path) -> None:
    """Set-up runs uv with the lock file as it is, and again only when the lock file or the interpreter changed."""
    add(programs, "go", ANY_GO.format(version="go1.26.8"))
    add(programs, "python3", '[ "$1" = --version ] && echo Python 3.11.7; exit 0')
    interpreter = ".venv/bin/python"
    add_uv(project, f"mkdir -p .venv/bin; echo 'echo 3.11.7' >{interpreter}; chmod +x {interpreter}")

    def syncs() -> int:
        finished = call(project, programs, "hack/setup")
        assert finished.returncode == 0, finished.stderr
        return (project / "calls").read_text(encoding="utf-8").count(f"sync --project {project} --frozen")

    assert (syncs(), syncs()) == (1, 1)
    with (project / "uv.lock").open("a", encoding="utf-8") as lock:
        lock.write("\n")
    assert (syncs(), syncs()) == (2, 2)
    (project / interpreter).unlink()
    assert (syncs(), syncs()) == (3, 3)


def test_everything_is_compiled_before_the_first_run(project: Path) -> None:
    """After set-up, the program and what it imports are there as bytecode, whatever the shell says of writing it."""
    require_tool("go")
    (project / "runner").mkdir()
    (project / "runner" / "__init__.py").write_text("", encoding="utf-8")
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, project / name)
    (project / ".tools").mkdir()
    for installed in (ROOT / ".tools").glob("uv-*"):
        (project / ".tools" / installed.name).symlink_to(installed)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(
        [project / "hack" / "setup"], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert list((project / "runner" / "__pycache__").glob("__init__.*.pyc"))
    [packages] = (project / ".venv" / "lib").glob("python3.*/site-packages")
    for package in ("pydantic", "structlog", "urllib3"):
        sources = {path.stem for path in (packages / package).glob("*.py")}
        compiled = {path.name.partition(".")[0] for path in (packages / package / "__pycache__").glob("*.pyc")}
        assert sources <= compiled


def test_a_tool_is_built_once(project: Path) -> None:
    """A tool is compiled by Go, is left alone while nothing changes, and is built anew when its files do."""
    tool = project / "hack" / "tools" / "hello"
    (tool / "hello").mkdir(parents=True)
    (tool / "go.mod").write_text("module example.invalid/hello\n\ngo 1.26\n\ntool example.invalid/hello/hello\n")
    (tool / "go.sum").write_text("")
    (tool / "hello" / "main.go").write_text('package main\n\nfunc main() { println("hello") }\n')

    def build() -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "GOPROXY": "off"}
        return subprocess.run(
            [project / "hack" / "build-tool", "hello"], env=environment, capture_output=True, text=True, check=False
        )

    first = build()
    assert first.returncode == 0, first.stderr
    assert "hello built in" in first.stderr
    assert subprocess.run([project / ".tools/bin/hello"], capture_output=True, check=True).stderr == b"hello\n"
    assert build().stderr == ""
    for file in (tool / "go.mod", tool / "hello" / "main.go"):
        file.write_text(file.read_text() + "\n")
        assert "hello built in" in build().stderr


def test_a_folder_of_several_programs(project: Path) -> None:
    """Several tools of one go.mod are built under their own names, and anew when one of them is gone."""
    module = project / "hack" / "tools" / "pair"
    for name in ("left", "right"):
        (module / "cmd" / name).mkdir(parents=True)
        (module / "cmd" / name / "main.go").write_text(f'package main\n\nfunc main() {{ println("{name}") }}\n')
    tools = "".join(f"tool example.invalid/pair/cmd/{name}\n" for name in ("left", "right"))
    (module / "go.mod").write_text(f"module example.invalid/pair\n\ngo 1.26\n\n{tools}")
    (module / "go.sum").write_text("")

    def build() -> str:
        environment = {**os.environ, "GOPROXY": "off"}
        return subprocess.run(
            [project / "hack" / "build-tool", "pair"], env=environment, capture_output=True, text=True, check=True
        ).stderr

    assert "pair built in" in build()
    for name in ("left", "right"):
        said = subprocess.run([project / ".tools/bin" / name], capture_output=True, text=True, check=True).stderr
        assert said == f"{name}\n"
    assert build() == ""
    (project / ".tools/bin/left").unlink()
    assert "pair built in" in build()
    assert sorted(file.name for file in (project / ".tools/bin").iterdir()) == ["left", "right"]
    assert not list((project / ".tools").glob("new-*"))


def test_an_environment_is_made_once(project: Path, programs: Path) -> None:
    """An environment is made by uv with its own lock file, and again only when that, the program or Python changed."""
    add(programs, "python3", "exit 0")
    made = ".tools/server/bin"
    add_uv(
        project,
        f"mkdir -p {made}; for name in python server; do echo 'echo hello' >{made}/$name; chmod +x {made}/$name; done",
    )
    folder = project / "hack" / "tools" / "server"
    folder.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        (folder / name).write_text("")

    def syncs() -> int:
        finished = call(project, programs, "hack/build-environment", "server")
        assert finished.returncode == 0, finished.stderr
        calls = (project / "calls").read_text(encoding="utf-8")
        return calls.count(f"sync --project {folder} --frozen")

    assert (syncs(), syncs()) == (1, 1)
    assert subprocess.run(["sh", project / ".tools/bin/server"], capture_output=True, check=True).stdout == b"hello\n"
    (folder / "uv.lock").write_text("\n")
    assert (syncs(), syncs()) == (2, 2)
    (project / ".tools/bin/server").unlink()
    assert (syncs(), syncs()) == (3, 3)
    (project / made / "python").unlink()
    assert (syncs(), syncs()) == (4, 4)


def test_without_npm_decks_pages_are_left_out(project: Path, programs: Path) -> None:
    """A machine without npm goes without Deck's pages, and the message says which packages to install for them."""
    finished = call(project, programs, "hack/build-deck-pages")
    assert finished.returncode == 0
    assert finished.stderr == (
        "build-deck-pages: left out: there is no npm on PATH; hack/require npm says how to install it.\n"
    )
    assert not (project / ".tools").exists()


def test_an_unknown_environment_is_refused(project: Path, programs: Path) -> None:
    """A program without a lock file of uv is refused with the names of those that have one."""
    for name in ("moto_server", "crane"):
        (project / "hack" / "tools" / name).mkdir()
    (project / "hack" / "tools" / "moto_server" / "uv.lock").write_text("")
    finished = call(project, programs, "hack/build-environment", "crane")
    assert finished.returncode == 2
    assert finished.stderr == "build-environment: no such program: crane (there are: moto_server)\n"


def test_an_unknown_tool_is_refused(project: Path, programs: Path) -> None:
    """A tool that has no folder is refused with the names of those that have one."""
    add(programs, "go", ANY_GO.format(version="go1.26.8"))
    (project / "hack" / "tools" / "crane").mkdir()
    finished = call(project, programs, "hack/build-tool", "crain")
    assert finished.returncode == 2
    assert finished.stderr == "build-tool: no such tool: crain (there are: crane)\n"
