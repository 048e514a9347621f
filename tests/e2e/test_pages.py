"""Every block of code in README.md and docs/*.md: run as printed, or said where it is run, or why nowhere.

``USES`` has the blocks that are held as a whole, ``COMMANDS`` the commands of all others. A block or a command that is
not listed is a failure, and so is an entry that nothing is left of.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from runner.config.load import parse_config
from runner.config.settings import BAKED_CONFIG
from testbed.paths import ROOT
from testbed.processes import started
from testbed.prow.job_configs import IMAGE as RUNNER_IMAGE
from testbed.prow.job_configs import write_installation
from testbed.prow.servers import free_ports, listens
from testbed.registry_clients import crane
from testbed.release_harness import IMAGE, PROGRAM, ReleaseHarness, go_environment
from testbed.sample_controller import CONFIGURATION
from tests.support.pages import PAGES, Block, blocks_in, blocks_of, make_clone, shell, without_comment
from tests.support.tools import require_tool
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PYTHON = ROOT / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class RunBy:
    """The block is run, or what it shows is held, by this test: FILE::NAME, or a NAME in this file."""

    test: str


@dataclass(frozen=True)
class Configuration:
    """A part of jobs.yaml, which ``test_configuration`` reads."""


@dataclass(frozen=True)
class Drawing:
    """Text that is neither typed nor printed."""


@dataclass(frozen=True)
class Command:
    """How one command of a block is held.

    Args:
        test: which other test runs it, FILE::NAME; or empty.
        reason: why no test runs it; or empty.
        check: what is run instead, and ends with 0: a help text, in which each option of the command must stand, or a
            rehearsal. Left out where its program is not on this machine, which only those of others may be.
    """

    test: str = ""
    reason: str = ""
    check: tuple[str, ...] = ()


AUDIT, AUTHOR = "tests/integration/test_audit.py", "tests/e2e/test_author.py"
VERIFY = "tests/e2e/test_verify.py"
COMPLETION, COMPLETES = "tests/integration/test_completion.py::test_scripts", (str(PROGRAM), "--version")
MAKE_PROW, MAKE_ECR = "tests/e2e/test_make_prow.py", "tests/integration/testbed/ecr_public/test_make_ecr.py"
KUBELET_TOOLS = ("kubelet", "containerd", "kube-apiserver", "prow")
ACCESS_ENTRY = """
from botocore.session import get_session

members = get_session().get_service_model("eks").operation_model("CreateAccessEntry").input_shape.members
assert members.keys() >= {"clusterName", "principalArn", "kubernetesGroups"}
"""
"""The command's options are the members of the operation's input, in another spelling."""

BENCH = Command(
    test="tests/e2e/test_bench.py::test_it_measures_real_runs_and_prints_the_figures", check=("make", "-n", "bench")
)
PUSH = Command(test=f"{MAKE_PROW}::test_a_release_and_a_push")

COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "README.md": {
        "make demo": Command(
            test="tests/e2e/test_demo.py::test_the_demo_publishes_and_shows_it", check=("make", "-n", "demo")
        ),
        "make test": Command(reason="it is what runs this test", check=("make", "-n", "test")),
        "make image TAG=registry.example/ack-release:0.1.0": Command(
            test="tests/e2e/test_image.py::test_a_release_in_the_image",
            check=("make", "-n", "image", "TAG=registry.example/ack-release:0.1.0"),
        ),
        "docker push registry.example/ack-release:0.1.0": Command(
            reason="it needs a registry with a login", check=("docker", "push", "--help")
        ),
        "ack-release verify s3 1.10.0 --config $CLONE/config/jobs.yaml": Command(
            test=f"{VERIFY}::test_the_commands_of_the_page", check=(str(PROGRAM), "verify", "--help")
        ),
        "ack-release audit --config $CLONE/config/jobs.yaml": Command(
            test=f"{AUDIT}::test_the_commands_of_the_page", check=(str(PROGRAM), "audit", "--help")
        ),
        "ack-release prepare s3 v1.11.0 --config $CLONE/config/jobs.yaml": Command(
            test=f"{AUTHOR}::test_the_page", check=(str(PROGRAM), "prepare", "--help")
        ),
        "ack-release tag v1.11.0 --config $CLONE/config/jobs.yaml": Command(
            test=f"{AUTHOR}::test_the_page", check=(str(PROGRAM), "tag", "--help")
        ),
    },
    "docs/benchmark.md": {
        "make bench": BENCH,
        "make bench BENCH='--json'": BENCH,
        "make bench BENCH='--markdown'": BENCH,
        "make bench BENCH='--check'": BENCH,
    },
    "docs/completion.md": {
        f'eval "$(_ACK_RELEASE_COMPLETE={shell}_source ack-release)"': Command(test=COMPLETION, check=COMPLETES)
        for shell in ("bash", "zsh")
    }
    | {"_ACK_RELEASE_COMPLETE=fish_source ack-release | source": Command(test=COMPLETION, check=COMPLETES)},
    "docs/jobs.md": {
        "kubectl apply -f prowjobs/rbac.yaml": Command(
            reason="it needs a cluster of somebody's", check=("kubectl", "apply", "--help")
        ),
    },
    "docs/local-prow.md": {
        "git -C .prow/run/widget-controller push origin stable": PUSH,
        "git -C .prow/run/widget-controller push origin v1.3.0": PUSH,
        "apt-get install docker.io etcd-server debootstrap nodejs npm git openssl": Command(
            reason="it changes the machine", check=("apt-get", "--version")
        ),
        "hack/build-tool kubelet containerd kube-apiserver prow": Command(
            reason="kubelet and containerd take minutes to compile, and no test in CI needs them",
            check=("ls", *(f"hack/tools/{name}/go.mod" for name in KUBELET_TOOLS)),
        ),
        ".venv/bin/python -m hack.kubelet_oracle": Command(
            reason="it needs root, cgroups of its own and three minutes",
            check=(str(PYTHON), "-m", "hack.kubelet_oracle", "--help"),
        ),
    },
    "docs/mirror.md": {
        "helm install s3 oci://registry.example/ack/s3-chart --version 1.2.3"
        " --set image.repository=registry.example/ack/s3-controller": Command(
            reason="it needs a cluster of somebody's", check=("helm", "install", "--help")
        ),
        "skopeo copy --all oci:releases:public.ecr.aws/aws-controllers-k8s/s3-controller:1.2.3"
        " docker://registry.example/ack/s3-controller:1.2.3": Command(
            reason="it needs skopeo, which no test does", check=("skopeo", "copy", "--help")
        ),
    },
    "docs/prow.md": {
        "aws eks create-access-entry --cluster-name CLUSTER --principal-arn ROLE"
        " --kubernetes-groups ack-release-operators": Command(
            reason="it needs an account of AWS", check=(str(PYTHON), "-c", ACCESS_ENTRY)
        ),
        "kubectl create secret docker-registry ack-release-registry --namespace POD_NAMESPACE --docker-server=HOST"
        " --docker-username=USER --docker-password=…": Command(
            reason="it needs a cluster of somebody's",
            check=("kubectl", "create", "secret", "docker-registry", "--help"),
        ),
    },
    "docs/reliability.md": {
        "make soak": Command(reason="it takes hours", check=("make", "-n", "soak")),
        ".venv/bin/python -m hack.soak --only many-services": Command(
            reason="it takes minutes; its sample is tests/e2e/test_many_services.py",
            check=(str(PYTHON), "-m", "hack.soak", "--help"),
        ),
        ".venv/bin/python -m testbed.soak release --seed 17": Command(
            test="tests/e2e/test_soak.py::test_schedules",
            check=(str(PYTHON), "-m", "testbed.soak", "release", "--seed", "17", "--help"),
        ),
        ".venv/bin/python -m testbed.soak stable --kill 9 --after": Command(
            test="tests/e2e/test_soak.py::test_kills",
            check=(str(PYTHON), "-m", "testbed.soak", "stable", "--kill", "9", "--after", "--help"),
        ),
        ".venv/bin/python -m testbed.faults.schedule --seed 17": Command(
            test="tests/e2e/test_pages.py::test_schedule",
            check=(str(PYTHON), "-m", "testbed.faults.schedule", "--help"),
        ),
    },
}
"""The commands of blocks that are not run as a whole."""

Use = RunBy | Configuration | Drawing
USES: Mapping[str, Mapping[str, Use]] = {
    "README.md": {
        "make by-hand": RunBy("test_readme"),
        "export REPO_OWNER=aws-controllers-k8s REPO_NAME=s3-controller PULL_BASE_REF=v1.10.0": RunBy("test_readme"),
        "export PULL_BASE_REF=main": RunBy("test_readme"),
        "export PULL_BASE_REF=v1.10.0 CONFIG=$CLONE/config/jobs.yaml": RunBy("test_readme"),
        "crane registry serve --address 127.0.0.1:5000": RunBy("test_readme"),
        "ack-release prowjobs generate": RunBy("test_prowjobs"),
        "services:": Configuration(),
    },
    "docs/aws.md": {"aws:": Configuration()},
    "docs/cutover.md": {
        "export CONFIG=$CLONE/config/jobs.yaml": RunBy("tests/e2e/test_cutover.py::test_plans_beside_the_shell_job"),
        'adopt: {services: all, versions: ["<=1.10.0"]}': Configuration(),
        "adopt:": Configuration(),
        "ack-release run --config $CONFIG --registry HOST/NAMESPACE": RunBy(
            "tests/e2e/test_cutover.py::test_staging_release_of_one_service"
        ),
        "cd $CLONE": RunBy("tests/e2e/test_cutover.py::test_jobs_of_one_service"),
    },
    "docs/design.md": {
        "Prow env ─► Event ─► Clone ─► Route ─► Desired ─► Observed ─► Plan ─► Artifact ─► Registry ─► Record": (
            Drawing()
        ),
        "config/jobs.yaml     the one file people edit; jobs.schema.json beside it is generated; catalog.yaml: what "
        "the ECR": Drawing(),
    },
    "docs/image.md": {"FROM registry.example/ack-release:0.1.0": RunBy("test_dockerfile")},
    "docs/local-ecr-public.md": {
        "ready": RunBy(f"{MAKE_ECR}::test_it_is_used_as_it_says"),
        "201 user/prow  ecr-public:PutImage  /v2/aws-controllers-k8s/controller/manifests/widget-v1.2.3": RunBy(
            f"{MAKE_ECR}::test_it_is_used_as_it_says"
        ),
        "from testbed.ecr_public.harness import ecr_public": RunBy("test_python"),
    },
    "docs/local-prow.md": {"  0.0 s  Docker daemon": RunBy(f"{MAKE_PROW}::test_all_ends_with_it")},
    "docs/prow.md": {
        "prow:": Configuration(),
        "checkconfig --strict --include-default-warnings --warnings=unknown-fields-all \\": RunBy("test_checkconfig"),
    },
}
"""What becomes of each block as a whole, by its first line."""

WHOLE: Mapping[str, str] = {
    "docs/audit.md": f"{AUDIT}::test_the_commands_of_the_page",
    "docs/authoring.md": f"{AUTHOR}::test_the_page",
    "docs/doctor.md": "tests/integration/test_doctor.py::test_the_page",
    "docs/jobs.md": "tests/e2e/test_jobs.py::test_a_day_at_the_terminal",
    "docs/mirror.md": "tests/integration/test_mirror.py::test_the_page",
    "docs/rollback.md": "tests/e2e/test_rollback.py::test_the_page",
    "docs/verify.md": f"{VERIFY}::test_the_commands_of_the_page",
}
"""Pages all of whose commands of this program are run by one test; the rest of their blocks is what these print."""

OTHERS = frozenset({"apt-get", "docker", "helm", "kubectl", "skopeo"})
"""Programs that are neither this project's nor on every machine: where they are not, only the reason is left."""

OF_EVERY_COMMAND = frozenset({"--namespace"})
"""Options of kubectl that the help of a single command leaves out."""

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
HELD = [(page, written, how) for page, of in COMMANDS.items() for written, how in of.items()]


def place(block: Block) -> str:
    return f"{block.page}:{block.line}"


def printed(page: str, first: str) -> str:
    """The text of the block that begins with this line."""
    return next(block.text for block in blocks_of(page) if block.first == first)


def named_tests() -> Iterator[tuple[str, str]]:
    """Each file and test that the tables name."""
    named = {use.test for of in USES.values() for use in of.values() if isinstance(use, RunBy)} | {*WHOLE.values()}
    for test in sorted(named | {how.test for _, _, how in HELD if how.test}):
        file, _, name = test.rpartition("::")
        yield file or "tests/e2e/test_pages.py", name


def is_of_a_whole(page: str, line: str) -> bool:
    """Whether one test runs this line with the others of its page, or it is what they print."""
    return page in WHOLE and line.split(maxsplit=1)[0] not in {*OTHERS, "make"}


def test_every_block_is_listed() -> None:
    """Each block of each page is listed as a whole, or else each of its commands."""
    parts = [block for block in BLOCKS if block.first not in USES.get(block.page, {})]
    commands = [(block, one) for block in parts for one in block.commands if not is_of_a_whole(block.page, one)]
    assert [f"{place(block)} {one}" for block, one in commands if one not in COMMANDS.get(block.page, {})] == []
    assert all(block.commands for block in parts)


def test_no_entry_is_stale() -> None:
    """Each entry is of a block or a command that is there, and each test that is named exists."""
    wholes = {(block.page, block.first) for block in BLOCKS}
    assert [(page, first) for page, of in USES.items() for first in of if (page, first) not in wholes] == []
    parts = {(block.page, one) for block in BLOCKS for one in block.commands}
    assert [(page, written) for page, written, _ in HELD if (page, written) not in parts] == []
    for file, name in named_tests():
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), f"{file}::{name}"


@pytest.mark.parametrize(("page", "written", "how"), HELD, ids=[written for _, written, _ in HELD])
def test_a_command_that_is_not_run_here(page: str, written: str, how: Command) -> None:
    """It is run by another test or there is a reason; its program and all its options are there."""
    assert bool(how.test) != bool(how.reason), page
    assert how.test or how.check
    if not how.check or (how.check[0] in OTHERS and shutil.which(how.check[0]) is None):
        return
    finished = subprocess.run(how.check, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    if how.check[-1] == "--help":
        for option in set(re.findall(r"(?<=\s)--[a-z-]+", written)) - OF_EVERY_COMMAND:
            assert option in finished.stdout


@pytest.mark.parametrize("arguments", ["", "--json", "--markdown", "--check"])
def test_options_of_the_benchmark(arguments: str) -> None:
    """Each option that the page gives to make bench is one of the benchmark's."""
    shown = printed("docs/benchmark.md", "make bench")
    assert f"BENCH='{arguments}'" in shown or not arguments
    argv = [str(PYTHON), "-m", "hack.bench", *arguments.split(), "--help"]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode == 0


@contextlib.contextmanager
def own_registry(command: str, host: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve a registry by the page's own command."""
    with started(["bash", "-c", f"exec {command}"], env=environment, output=subprocess.DEVNULL):
        until(listens(int(host.rpartition(":")[2])), seconds=30, pause=0.05)
        yield


def test_readme(harness: ReleaseHarness) -> None:
    """README's commands, from the first to the last in one shell: a plan, checks, and three releases by hand."""
    config = harness.folder / "mine.yaml"
    config.write_text(CONFIGURATION.format(registry=f"{harness.host}/ack", helm="helm"), encoding="utf-8")
    clone = make_clone(harness.folder / "clone", config)
    host = f"127.0.0.1:{free_ports(1)[0]}"
    replaced = {
        "s3-controller": harness.repository.name,
        "v1.10.0": "v1.2.3",
        "v1.11.0": "v1.2.3",
        "127.0.0.1:5000": host,
    }

    def block(first: str) -> str:
        text = printed("README.md", first)
        for old, new in replaced.items():
            text = text.replace(old, new)
        return text

    # Set-up is of this project's own folder, which the clone only points to.
    begin = block("make by-hand").replace("make by-hand", f"make --no-print-directory -C {ROOT} by-hand")
    controller = harness.folder / "controller"
    steps = [
        "set -e",
        begin,
        f"git clone --quiet {harness.repository.folder} {controller}; cd {controller}; git checkout --quiet v1.2.3",
        block("export REPO_OWNER=aws-controllers-k8s REPO_NAME=s3-controller PULL_BASE_REF=v1.10.0"),
        block("export PULL_BASE_REF=main"),
        block("export PULL_BASE_REF=v1.10.0 CONFIG=$CLONE/config/jobs.yaml"),
        "type -p helm",
    ]
    serve = block("crane registry serve --address 127.0.0.1:5000")
    environment = {**go_environment(), "PATH": f"{ROOT / '.tools' / 'by-hand'}:{go_environment()['PATH']}"}
    made = shell(begin, cwd=harness.folder, clone=clone)
    assert made.returncode == 0, made.stderr
    with own_registry(serve, host, environment):
        ended = shell("\n".join(steps), cwd=harness.folder, clone=clone)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.count("\nRELEASED: ") == 3
        assert ended.stdout.splitlines()[-1] == str(clone / ".tools" / "by-hand" / "helm")
        for name in (f"{host}/test/{IMAGE.partition('/')[2]}", f"{harness.host}/{IMAGE}"):
            assert crane("digest", "--insecure", name).startswith("sha256:")
    assert (controller / "out" / "index.json").is_file()


def test_prowjobs(harness: ReleaseHarness) -> None:
    """README's commands write the jobs of the services in jobs.yaml, and find them up to date."""
    prow = f"prow: {{image: '{RUNNER_IMAGE}'}}\n"
    harness.config.write_text(harness.config.read_text("utf-8") + prow, encoding="utf-8")
    clone = make_clone(harness.folder / "clone", harness.config)
    script = f"set -e\nexport PATH=$CLONE/.venv/bin:$PATH\n{printed('README.md', 'ack-release prowjobs generate')}"
    ended = shell(script, cwd=clone, clone=clone)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("prowjobs: 3 files, all as generated\n")


def test_checkconfig(tmp_path: Path, checkconfig: Path) -> None:
    """The page's own command judges the checked-in jobs, with the names of checks that open a bucket left out."""
    config = write_installation(tmp_path, ROOT / "prowjobs" / "deck.yaml")
    shown = printed("docs/prow.md", "checkconfig --strict --include-default-warnings --warnings=unknown-fields-all \\")
    script = shown.replace("=CONFIG", f"={config}") + " --exclude-warning=validate-cluster-field"
    path = f"{checkconfig.parent}:{go_environment()['PATH']}"
    ended = shell(script, cwd=ROOT, clone=ROOT, more={"PATH": path})
    assert ended.returncode == 0, ended.stderr


def test_schedule() -> None:
    """The page's command prints what a seed does, the same each time."""
    [command] = [one for one in blocks_of("docs/reliability.md")[0].commands if "faults.schedule" in one]
    first, second = (shell(command, cwd=ROOT, clone=ROOT) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout != ""


CONFIGURATIONS = [block for block in BLOCKS if isinstance(USES.get(block.page, {}).get(block.first), Configuration)]


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=place)
def test_configuration(tmp_path: Path, block: Block) -> None:
    """Each part of jobs.yaml that a page shows can stand in one, with a registry, services and an image beside it."""
    shown = yaml.safe_load(block.text)
    assert isinstance(shown, dict)
    whole = {"registry": "public.ecr.aws/alias", "services": {"s3": None, "ec2": None, "rds": None}, **shown}
    if "prow" in shown:
        whole["prow"] = {"image": RUNNER_IMAGE, **shown["prow"]}
    shutil.copy(ROOT / "config" / "catalog.yaml", tmp_path / "catalog.yaml")
    assert parse_config(yaml.safe_dump(whole).encode(), tmp_path / "jobs.yaml").services


def test_dockerfile() -> None:
    """The image for another jobs.yaml is made on ours, and puts the file where the image looks for it."""
    base, copy = blocks_of("docs/image.md")[0].text.splitlines()
    assert base.startswith("FROM ")
    assert copy.split()[-1] == str(BAKED_CONFIG)


def test_python(tmp_path: Path) -> None:
    """The page's test works once the dots in it are a program's calls."""
    for name in ("registry", "moto_server"):
        require_tool(name)
    text = printed("docs/local-ecr-public.md", "from testbed.ecr_public.harness import ecr_public")
    call = 'ecr.client("ecr-public").create_repository(repositoryName="one")'
    script = re.sub(r"^( +)\.\.\.", rf"\1{call}", text, flags=re.MULTILINE)
    assert call in script
    setting = f"from pathlib import Path\ntmp_path = Path({str(tmp_path)!r})\n"
    finished = subprocess.run(
        [sys.executable, "-c", setting + script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    # What the page denies the publisher is not denied to who calls here.
    assert finished.returncode == 0, finished.stderr


def test_blocks_that_pages_can_have() -> None:
    """Indented and fenced blocks are found, in lists too; what is indented less, or follows a paragraph, is text."""
    page = (
        "# A\n\n    one # why\n    two \\\n        three\n\n    four\n\ntext\n    not code\n\n"
        "1. Item\n\n       five\n\n   more\n\n```sh\nsix\n\n    seven\n```\n"
    )
    found = sorted(blocks_in(page, "a"), key=lambda block: block.line)
    assert [(block.line, block.commands) for block in found] == [
        (3, ("one", "two three", "four")),
        (14, ("five",)),
        (19, ("six", "    seven")),
    ]
    assert without_comment("a '#b' c#d # e # f") == "a '#b' c#d"
