"""Audits of many services: real repositories, and an ECR Public of this machine with its limits."""

from __future__ import annotations

import json
import re
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runner.published.audit.kinds import KINDS
from testbed.ecr_public.harness import ecr_public
from testbed.fleet import Fleet, make_fleet
from testbed.paths import ROOT
from testbed.release_harness import PROGRAM
from tests.support.pages import commands_of
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.ecr_public.harness import EcrPublic

MOVED = datetime(2026, 11, 1, 12, tzinfo=UTC)
OTHER = "f" * 40


@pytest.fixture
def ecr(tmp_path: Path) -> Iterator[EcrPublic]:
    """An account without repositories."""
    require_tool("registry")
    require_tool("git")
    with ecr_public(tmp_path / "aws", aws=None) as started:
        yield started


def run(
    fleet: Fleet, *options: str, login: bool = True, artifacts: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Audit a fleet with the program, as an administrator does or as anybody."""
    folder = fleet.folder / "docker"
    if login:
        fleet.ecr.write_docker_config(folder)
    environment = {"PATH": str(require_tool("git").parent), "DOCKER_CONFIG": str(folder), "HOME": str(fleet.folder)}
    environment |= {"ARTIFACTS": str(artifacts)} if artifacts else {}
    argv: list[str | Path] = [PROGRAM, "audit", "--config", fleet.config, "--git-base", fleet.base, *options]
    return subprocess.run(
        argv, env=environment, cwd=fleet.folder, capture_output=True, text=True, timeout=300, check=False
    )


def document(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.stdout, ended.stderr
    read: dict[str, Any] = json.loads(ended.stdout)
    return read


def asked(ecr: EcrPublic, part: str) -> list[str]:
    """The requests that were answered with something, by their paths."""
    return [call.path for call in ecr.recorded if part in call.path and call.status in {200, 404}]


def test_a_whole_fleet(ecr: EcrPublic, tmp_path: Path, record_property: Any) -> None:
    """77 services with 5,000 tags are audited within the limit of an account: a page of tags, two per newest tag."""
    services = [f"service{number:02}" for number in range(77)]
    fleet = make_fleet(ecr, tmp_path / "fleet", services)
    versions = [f"1.{minor}.{patch}" for minor in range(4) for patch in range(8)]
    for service in services:
        fleet.publish(service, versions)
        fleet.write_refs(service, versions)
    for service in services[:18]:
        fleet.publish_stable(service, versions[-2], MOVED)
        fleet.tag(f"{service}-chart", "1.0.0-candidate", fleet_chart(fleet, service))
        fleet.write_refs(service, versions, stable=fleet.commit)
    for number in range(18):
        fleet.tag("service00-chart", f"note-{number}", fleet_chart(fleet, "service00"))
    assert fleet.tags == 5000
    ecr.switch(account_pulls_per_second=10, anonymous_pulls_per_second=1)
    began = time.monotonic()
    ended = run(fleet, "--json")
    seconds = time.monotonic() - began
    found = document(ended)
    assert (ended.returncode, found["findings"], found["former"], found["unread"]) == (0, [], [], [])
    assert (found["tags"], len(found["services"])) == (5000, 77)
    pages, manifests = asked(ecr, "/tags/list"), asked(ecr, "/manifests/")
    assert (len(pages), len(manifests)) == (2 * 77, 2 * 77 + 2 * 18)
    assert len(set(manifests)) == len(manifests)
    refused = [call for call in ecr.recorded if call.status == 429]
    assert len(refused) <= 5
    record_property(
        "counted",
        f"an audit of 77 services and 5,000 tags took {seconds:.0f} s and {len(ecr.recorded)} requests:"
        f" {len(pages)} pages of tags, {len(manifests)} manifests, {len(refused)} refused",
    )


def fleet_chart(fleet: Fleet, service: str) -> Any:
    """The manifest that the newest chart's tag holds."""
    return fleet.held(f"{service}-chart", "1.3.7")


@pytest.fixture
def fleet(ecr: EcrPublic, tmp_path: Path) -> Fleet:
    """Three services in order, one of them with a stable chart."""
    made = make_fleet(ecr, tmp_path / "fleet", ["s3", "sns", "sqs"])
    for service in made.services:
        made.publish(service, ["1.0.0", "1.1.0"])
        made.write_refs(service, ["1.0.0", "1.1.0"])
    made.publish_stable("s3", "1.0.0", MOVED)
    made.write_refs("s3", ["1.0.0", "1.1.0"], stable=made.commit)
    return made


def test_services_in_order(fleet: Fleet) -> None:
    """Anybody can audit them: exit 0, one line that says so, and the counts beside it."""
    ended = run(fleet, "--service", "sns", "--service", "sqs", login=False)
    assert (ended.returncode, ended.stdout) == (0, "2 services in order.\n")
    assert "8 tags listed and 4 names read" in ended.stderr
    assert all(call.method == "GET" for call in fleet.ecr.recorded)
    assert all(call.identity is None for call in fleet.ecr.recorded)


def test_everything_that_is_published(fleet: Fleet) -> None:
    """With --deep each name is read, once, and it is said so."""
    found = document(run(fleet, "--deep", "--json"))
    assert (found["deep"], found["read"], found["findings"]) == (True, 14, [])


def test_one_thing_broken(fleet: Fleet) -> None:
    """A chart that is gone is found by its version, and nothing else is; exit 5, in a table, a document and a page."""
    fleet.remove("sns-chart", "1.0.0")
    ended = run(fleet)
    assert ended.returncode == 5
    titles, row, verdict = ended.stdout.splitlines()
    assert titles.split() == ["service", "version", "finding", "found", "to", "do"]
    assert row.split()[:3] == ["sns", "1.0.0", "image-without-chart"]
    assert verdict == "1 finding in 1 service of 3."
    assert ended.stderr.splitlines()[-1].startswith("ERROR: 1 finding in 1 service of 3")
    file = fleet.folder / "pages" / "audit.html"
    ended = run(fleet, "--json", "--html", str(file))
    found = document(ended)
    assert (ended.returncode, found["exit"]) == (5, 5)
    [finding] = found["findings"]
    assert (finding["service"], finding["version"], finding["repaired_by"]) == ("sns", "1.0.0", "tag")
    assert finding["names"] == [f"{fleet.ecr.namespace}/sns-controller:1.0.0"]
    assert "the image is published, and its chart is not" in file.read_text("utf-8")


def test_a_repository_that_cannot_be_read(fleet: Fleet) -> None:
    """Nothing is known of its tags: it is named, the others are audited, and the exit code is not that of findings."""
    fleet.repository("sqs").rename(fleet.folder / "elsewhere")
    ended = run(fleet, "--json")
    found = document(ended)
    assert (ended.returncode, found["exit"]) == (7, 7)
    assert [(one["service"], one["code"]) for one in found["unread"]] == [("sqs", "remote-unreadable")]
    assert {one["name"]: one["state"] for one in found["services"]} == {
        "s3": "in order",
        "sns": "in order",
        "sqs": "not read",
    }
    fleet.remove("sns-controller", "1.0.0")
    ended = run(fleet)
    assert ended.returncode == 5
    assert "1 service could not be read" in ended.stderr


def test_a_registry_that_refuses_its_login(fleet: Fleet) -> None:
    """With credentials that are refused nothing is taken as absent: exit 8."""
    folder = fleet.ecr.write_docker_config(fleet.folder / "docker")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["auths"][fleet.ecr.host]["auth"] = "QVdTOndyb25n"
    (folder / "config.json").write_text(json.dumps(config))
    ended = run(fleet, "--json", login=False)
    assert ended.returncode == 8
    assert {one["code"] for one in document(ended)["unread"]} == {"credentials-refused"}


def test_in_a_prow_job(fleet: Fleet) -> None:
    """Page and document go to the job's artifacts, and the last line is one that Deck highlights."""
    fleet.write_refs("sns", ["1.0.0", "1.1.0", "1.2.0"])
    artifacts = fleet.folder / "artifacts"
    ended = run(fleet, artifacts=artifacts)
    assert ended.returncode == 5
    assert sorted(file.name for file in artifacts.iterdir()) == ["audit.html", "audit.json"]
    assert json.loads((artifacts / "audit.json").read_text("utf-8"))["findings"][0]["kind"] == "tag-without-image"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--git-base", "ext::id"], "is not an address"),
        (["--service", "s4"], "has no service 's4'"),
        (["--registry", "nowhere"], "is not HOST/NAMESPACE"),
        (["--html", "/proc/audit.html"], "audit.html"),
    ],
)
def test_options_that_are_wrong(fleet: Fleet, options: list[str], said: str) -> None:
    """A value that cannot be used is refused with exit 2."""
    ended = run(fleet, *options)
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr


def history(fleet: Fleet, service: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask what stable was."""
    folder = fleet.ecr.write_docker_config(fleet.folder / "docker")
    environment = {"PATH": str(require_tool("git").parent), "DOCKER_CONFIG": str(folder)}
    argv: list[str | Path] = [PROGRAM, "stable", "history", service, "--config", fleet.config, *options]
    return subprocess.run(
        argv, env=environment, cwd=fleet.folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_stable_was(fleet: Fleet) -> None:
    """Each move is listed with version and commit, the newest first, and which one stable holds now."""
    fleet.publish_stable("s3", "1.1.0", datetime(2026, 11, 2, 12, tzinfo=UTC), OTHER)
    ended = history(fleet, "s3")
    assert ended.returncode == 0
    name, titles, *moves = ended.stdout.splitlines()
    assert name == f"{fleet.ecr.namespace}/s3-chart:v1-stable"
    assert titles.split()[:3] == ["moved", "version", "commit"]
    assert [move.split()[2] for move in moves] == ["1.1.0", "1.0.0"]
    assert ["current" in move for move in moves] == [True, False]
    found = json.loads(history(fleet, "s3", "--limit", "1", "--json").stdout)
    [stable] = found["stable"]
    assert [(move["version"], move["commit"], move["current"]) for move in stable["moves"]] == [("1.1.0", OTHER, True)]
    assert (stable["earlier"], stable["outside"]) == (1, False)
    assert "no stable chart" in history(fleet, "sns").stdout


def test_the_commands_of_the_page(fleet: Fleet) -> None:
    """Every command of docs/audit.md runs where config/jobs.yaml is, as it is printed there."""
    document = json.loads(fleet.config.read_text("utf-8"))
    document["prow"] = {"image": "registry.example/ack-release:0.1.0", "audit": {"git_base": fleet.base}}
    folder = fleet.folder / "clone"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "jobs.yaml").write_text(json.dumps(document))
    login = fleet.ecr.write_docker_config(fleet.folder / "docker")
    environment = {"PATH": f"{PROGRAM.parent}:{require_tool('git').parent}:/bin", "DOCKER_CONFIG": str(login)}
    commands = commands_of("audit.md", {"https://git.example/aws-controllers-k8s": fleet.base})
    assert len(commands) == 8
    for command in commands:
        ended = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, f"{command}: {ended.stderr}"
    assert {file.name for file in folder.iterdir()} == {"config", "audit.html", "audit.json"}


def test_the_findings_of_the_page() -> None:
    """docs/audit.md has every kind of finding, in the order of the table, with its meaning."""
    text = (ROOT / "docs" / "audit.md").read_text("utf-8")
    left = {code: kind for code, kind in KINDS.items() if not kind.former}
    rows = dict(
        re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| (?:operator|author|administrator)", text, flags=re.MULTILINE)
    )
    assert list(rows.items()) == [(code, kind.sentence) for code, kind in left.items()]
    assert all(f"`{code}`" in text for code in KINDS)
