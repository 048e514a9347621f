"""Secrets that are marked, in every place that a job has them in: where each of them is seen while a run goes on."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from testbed import moto
from testbed.ecr_public.harness import SECRET_KEY, ecr_public
from testbed.faults.marks import Marks
from testbed.faults.proxy import FaultProxy
from testbed.process_table import process_tree
from testbed.release_harness import ReleaseHarness, go_environment
from testbed.sample_controller import CONFIGURATION, make_repository
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic
    from testbed.release_harness import Ended

VERSION = "1.2.3"
PARAMETER = "/ack/publish_role"
SAMPLED_EVERY = 0.02
GO_ONLY = frozenset({"GOPROXY password"})
"""Secrets in variables that go needs, and no other child."""
WRAPPER = """\
#!/bin/sh
{{ printf 'argv {name}\\0'; printf '%s\\0' "$@"; cat /proc/$$/environ; }} > {folder}/{name}-$$
exec {program} "$@"
"""


def mark(name: str) -> str:
    """A secret that is like no other text."""
    return f"marked-{name.replace(' ', '-')}-4d0f7c1b9e6a"


PLACES = (
    *("auths password", "other password", "identity token", "registry token", "helper secret", "netrc password"),
    *("web identity", "web identity path", "session name", "GITHUB_TOKEN", "HELM_PASSWORD", "GOPROXY password"),
    *("remote password", "AWS container token", "GOFLAGS", "GIT_ASKPASS"),
)
SECRETS = {place: mark(place) for place in PLACES} | {"AWS key": SECRET_KEY}


@dataclass
class Sampler:
    """Looks at all processes of a run again and again; ``seen`` is what each told, by the name of its program."""

    root: int
    seen: set[tuple[str, bytes]] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Read argv of all, and the environment of those that the run has started."""
        own = b""
        while not self._ended.wait(SAMPLED_EVERY):
            for process in process_tree(self.root):
                with contextlib.suppress(OSError):
                    argv = (process.folder / "cmdline").read_bytes()
                    name = os.path.basename(argv.split(b"\0")[0].decode(errors="replace"))  # noqa: PTH119 - of a name
                    own = argv if process.id == self.root else own
                    # Between fork and exec a child is the run itself, environment and all.
                    is_the_run = process.id == self.root or argv == own
                    told = b"" if is_the_run else (process.folder / "environ").read_bytes()
                    self.seen.add((name, argv + b"\0" + told))

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look until the end of the block."""
        thread = threading.Thread(target=self.look)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()


@dataclass
class Marked:
    """A job on ECR Public whose surroundings are full of secrets; ``told`` is a folder in which programs write."""

    ecr: EcrPublic
    harness: ReleaseHarness
    told: Path
    environment: Mapping[str, str]

    def run(self, ref: str) -> tuple[Ended, Sampler]:
        """Run to the end, and look at its processes."""
        workspace, sha = self.harness.clone(ref)
        for config in workspace.rglob(".git/config"):
            with config.open("a") as file:
                file.write(f'[remote "origin"]\n\turl = https://user:{SECRETS["remote password"]}@git.invalid/x\n')
        with self.harness.start(ref, extra=self.environment, clone=(workspace, sha)) as running:
            sampler = Sampler(running.process.pid)
            with sampler.looking():
                return running.wait(), sampler


def wrap(folder: Path, programs: Mapping[str, Path]) -> Path:
    """Programs of the same names that write down their arguments and environment, and then become the others."""
    wrappers, told = folder / "wrappers", folder / "told"
    for made in (wrappers, told):
        made.mkdir()
    for name, program in programs.items():
        (wrappers / name).write_text(WRAPPER.format(name=name, folder=told, program=program))
        (wrappers / name).chmod(0o755)
    return wrappers


def write_secrets(folder: Path, wrappers: Path) -> dict[str, str]:
    """Put a secret into every place that has them, and return the variables that lead there."""
    home = folder / "home"
    docker = home / ".docker"
    docker.mkdir(parents=True)
    helper = wrappers / "docker-credential-marked"
    helper.write_text(f'#!/bin/sh\necho \'{{"Username": "user", "Secret": "{SECRETS["helper secret"]}"}}\'\n')
    helper.chmod(0o755)

    def encoded(place: str) -> str:
        return base64.b64encode(f"user:{SECRETS[place]}".encode()).decode()

    document = {
        "auths": {
            "one.invalid": {"auth": encoded("auths password")},
            "two.invalid": {"username": "user", "password": SECRETS["other password"]},
            "three.invalid": {"identitytoken": SECRETS["identity token"]},
            "four.invalid": {"registrytoken": SECRETS["registry token"]},
        },
        "credHelpers": {"five.invalid": "marked"},
    }
    (docker / "config.json").write_text(json.dumps(document))
    (home / ".netrc").write_text(f"machine one.invalid login user password {SECRETS['netrc password']}\n")
    web_identity = folder / SECRETS["web identity path"]
    web_identity.write_text(SECRETS["web identity"])
    return {
        "HOME": str(home),
        "DOCKER_CONFIG": str(docker),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(web_identity),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/other",
        "AWS_ROLE_SESSION_NAME": SECRETS["session name"],
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": SECRETS["AWS container token"],
        "GITHUB_TOKEN": SECRETS["GITHUB_TOKEN"],
        "HELM_REPO_PASSWORD": SECRETS["HELM_PASSWORD"],
        "GOPROXY": f"https://user:{SECRETS['GOPROXY password']}@proxy.invalid,off",
        "GOFLAGS": f"-ldflags=-X=a.b={SECRETS['GOFLAGS']}",
        "GIT_ASKPASS": SECRETS["GIT_ASKPASS"],
    }


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Marked]:
    programs = {name: require_tool(name) for name in ("go", "helm4")} | {"git": shutil.which("git") or ""}
    wrappers = wrap(tmp_path, programs)  # type: ignore[arg-type]  # texts and paths are written the same
    with (
        moto.serve(require_tool("moto_server"), tmp_path / "moto") as aws,
        ecr_public(tmp_path / "ecr", aws=aws) as servers,
        FaultProxy(servers.host) as proxy,
    ):
        ecr = servers.behind(host=proxy.host)
        role = f"arn:aws:iam::{ecr.state.account.number}:role/publish"
        section = f"aws:\n  kind: ecr-public\n  publish_role: {{parameter: {PARAMETER}}}\n  region: us-west-2\n"
        config = tmp_path / "jobs.yaml"
        config.write_text(CONFIGURATION.format(registry=ecr.namespace, helm=wrappers / "helm4") + section)
        repository = make_repository(tmp_path / "repository", registry=ecr.namespace, version=VERSION)
        ecr.put_parameter(PARAMETER, role)
        environment = {
            **ecr.environment,
            **write_secrets(tmp_path, wrappers),
            "PATH": f"{wrappers}:{go_environment()['PATH']}",
        }
        yield Marked(ecr, ReleaseHarness(tmp_path, repository, proxy, config), tmp_path / "told", environment)


def given_by_aws(ecr: EcrPublic) -> dict[str, str]:
    """The secrets that AWS gave out in this run, as requests carried them."""
    found = {
        part for call in ecr.recorded for value in call.secrets.values() for part in value.split() if len(part) > 20
    }
    return {f"given {number}": secret for number, secret in enumerate(sorted(found))}


def test_no_secret_is_seen(marked: Marked) -> None:
    """Over a release and a move of stable: no log, report, argument or child's environment has any secret."""
    marked.harness.repository.stable(VERSION)
    runs = [marked.run(ref) for ref in (f"v{VERSION}", "stable")]
    for ended, _ in runs:
        assert ended.code == 0, ended.out + ended.err
    marks = Marks(SECRETS | given_by_aws(marked.ecr))
    seen = {pair for _, sampler in runs for pair in sampler.seen}
    told = {(path.name.partition("-")[0], path.read_bytes()) for path in marked.told.iterdir()}
    assert {name for name, _ in told} == {"git", "go", "helm4"}
    assert {"git", "go"} & {name for name, _ in seen}, "the sampler saw nobody"
    for name, content in seen | told:
        allowed = GO_ONLY if name not in {"git", "helm4"} else frozenset()
        assert marks.find(content) <= allowed, (name, content)
    assert any(marks.find(content) == GO_ONLY for name, content in told if name == "go"), "the marks are found"
    for ended, _ in runs:
        files = [path for path in ended.artifacts.rglob("*") if path.is_file()]
        assert files
        for content in (ended.out.encode(), ended.err.encode(), *(path.read_bytes() for path in files)):
            assert not marks.find(content)
