"""A repository of several services: which of them a run releases, side by side, each judged alone."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from testbed.job_inputs import checkout_folder, clone_as_prow
from testbed.monorepo import open_monorepo, rows, write
from testbed.registry_clients import crane, crane_bytes
from testbed.release_harness import PROGRAM, Ended, ReleaseHarness, run_program
from testbed.sample_controller import HOST, OWNER, make_repository
from tests.support.refusals import check_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

WRITES = "POST|PUT|PATCH"
TAG = "v1.2.3"
VERSION = "1.2.3"

FAULTS: Mapping[str, tuple[int, str]] = {
    "badchart": (4, "chart-unusable"),
    "badcode": (6, "build-failed"),
    "denied": (8, "credentials-refused"),
    "taken": (5, "already-published"),
    "refused": (7, "registry-failed"),
}
"""Services that each fail in their own way, with the exit code and the error that it gives."""


def release(
    harness: ReleaseHarness, versions: Mapping[str, str], edits: Mapping[str, Callable[[str], str]] | None = None
) -> None:
    """Commit the release artifacts of these services and tag them."""
    write(harness, versions, edits)
    harness.repository.git("tag", "--force", "--annotate", "--message", TAG, TAG)


def image(service: str) -> str:
    return f"ack/{service}-controller:{TAG}"


def chart(service: str) -> str:
    return f"ack/{service}-chart:{TAG}"


def of(service: str) -> str:
    """What the paths of a service's requests match."""
    return rf"/ack/{service}-(controller|chart)/"


def services_of(ended: Ended) -> set[str]:
    """The services that have names in the plan."""
    return {entry["service"] for entry in ended.record["entries"]}


def test_a_tag_releases_the_services_whose_charts_have_its_version(tmp_path: Path) -> None:
    """Charts of the tag's version are released, licences of the root included; the others are listed with theirs."""
    with open_monorepo(tmp_path, "anvil", "bellows", "chisel", "drill") as harness:
        release(harness, {"anvil": VERSION, "bellows": "1.1.0", "chisel": VERSION})
        ended = harness.run(TAG)
        assert (ended.code, ended.errors) == (0, []), ended.out
        assert rows(ended.record) == {
            "anvil": (True, "its chart has the tag's version"),
            "bellows": (False, "its chart has v1.1.0"),
            "chisel": (True, "its chart has the tag's version"),
            "drill": (False, "no services/drill/helm/Chart.yaml in this commit"),
        }
        assert ended.lines[-1].startswith("RELEASED: anvil,chisel 1.2.3 (release, 4 tags written)")
        assert services_of(ended) == {"anvil", "chisel"}
        assert harness.proxy.count(path=of("(bellows|drill)")) == 0
        for service in ("anvil", "chisel"):
            crane("validate", "--insecure", "--remote", f"{harness.host}/{image(service)}")
            listed = subprocess.run(
                ["tar", "-t"],
                input=crane_bytes(
                    "export", "--insecure", "--platform", "linux/arm64", f"{harness.host}/{image(service)}"
                ),
                check=True,
                capture_output=True,
                timeout=60,
            ).stdout.decode()
            assert {"bin/controller", "bin/LICENSE", "bin/ATTRIBUTION.md"} <= set(listed.split())
        harness.proxy.clear()
        again = harness.run(TAG)
        assert (again.code, harness.proxy.writes) == (0, ())
        assert again.digests == ended.digests


def test_a_tag_that_no_chart_has_is_refused_with_the_list(tmp_path: Path) -> None:
    """When no chart has the tag's version the run is exit 4, and says of each service what it has instead."""
    with open_monorepo(tmp_path, "anvil", "bellows", "chisel") as harness:
        release(harness, {"anvil": "1.2.2", "bellows": "1.1.0"})
        ended = harness.run(TAG)
        check_refusal(ended, 4, "nothing-in-tag", TAG)
        assert ended.lines[-4:-1] == [
            "  | anvil: its chart has v1.2.2",
            "  | bellows: its chart has v1.1.0",
            "  | chisel: no services/chisel/helm/Chart.yaml in this commit",
        ]
        assert rows(ended.record) == {
            "anvil": (False, "its chart has v1.2.2"),
            "bellows": (False, "its chart has v1.1.0"),
            "chisel": (False, "no services/chisel/helm/Chart.yaml in this commit"),
        }
        assert harness.proxy.requests == ()


def test_stable_moves_every_service_with_a_chart_each_judged_alone(tmp_path: Path) -> None:
    """On stable the services with a chart at HEAD move; one whose image was never released is exit 4, and alone."""
    with open_monorepo(tmp_path, "anvil", "bellows", "chisel", "drill") as harness:
        release(harness, {"anvil": VERSION, "bellows": "1.1.0", "chisel": VERSION})
        assert harness.run(TAG).code == 0
        harness.proxy.clear()
        harness.repository.git("branch", "stable")
        ended = harness.run("stable")
        check_refusal(ended, 4, "stable-image-absent", "bellows-controller:v1.1.0")
        assert "service=bellows" in ended.errors[0]
        assert {name: selected for name, (selected, _) in rows(ended.record).items()} == {
            "anvil": True,
            "bellows": True,
            "chisel": True,
            "drill": False,
        }
        assert services_of(ended) == {"anvil", "chisel"}
        for service in ("anvil", "chisel"):
            moved = crane("digest", "--insecure", f"{harness.host}/ack/{service}-chart:v1-stable").strip()
            assert ended.digests[f"ack/{service}-chart:v1-stable"] == moved
        assert harness.proxy.count(WRITES, of("(bellows|drill)")) == 0


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        (("refused",), 7),
        (("badcode", "refused"), 6),
        (("badchart", "badcode"), 4),
        (("taken", "badchart", "badcode"), 5),
        (("denied", "taken", "badchart", "badcode", "refused"), 8),
    ],
    ids=["7", "6 before 7", "4 before 6", "5 before 4 and 6", "8 before all"],
)
def test_what_fails_stops_only_its_own_service(tmp_path: Path, failing: tuple[str, ...], code: int) -> None:
    """The good service is published, each bad one has its ERROR line and no write, and the gravest gives the code."""
    with open_monorepo(tmp_path, "anvil", *FAULTS) as harness:
        if "taken" in failing:
            release(harness, {"taken": VERSION})
            assert harness.run(TAG).code == 0
        release(
            harness,
            dict.fromkeys(("anvil", *FAULTS), VERSION),
            {
                "services/badcode/cmd/controller/main.go": lambda text: f"{text}\nvar _ = nothing_\n",
                "services/badchart/helm/templates/deployment.yaml": lambda text: f"{text}\n{{{{ fail `no` }}}}\n",
            },
        )
        harness.proxy.clear()
        harness.proxy.fail(403, code="DENIED", path=of("denied"))
        harness.proxy.fail(400, path=of("refused"))
        ended = harness.run(TAG, *(word for service in ("anvil", *failing) for word in ("--service", service)))
        assert ended.code == code, ended.out
        assert ended.record["exit"] == ended.record["error"]["exit"] == code
        assert {(error["service"], error["exit"], error["code"]) for error in ended.record["errors"]} == {
            (service, *FAULTS[service]) for service in failing
        }
        assert len(ended.errors) == len(failing)
        for service in failing:
            [line] = [line for line in ended.errors if line.endswith(f"service={service}")]
            assert f"exit={FAULTS[service][0]} code={FAULTS[service][1]}" in line
            assert harness.proxy.count(WRITES, of(service)) == 0
        assert len(list(ended.junit.iter("failure"))) == len(failing)
        assert not any(line.startswith("RELEASED:") for line in ended.lines)
        for name in (image("anvil"), chart("anvil")):
            assert crane("digest", "--insecure", f"{harness.host}/{name}").strip() == ended.digests[name]


def test_nothing_of_a_service_is_sent_before_it_is_compiled(tmp_path: Path) -> None:
    """At every write the record says that chart and build of that very service have passed."""
    services = ("anvil", "bellows")
    with open_monorepo(tmp_path, *services) as harness:
        release(harness, dict.fromkeys(services, VERSION))
        clone = harness.clone(TAG)
        record = harness.folder / f"artifacts-{harness.runs}" / "record.json"
        passed: dict[str, list[set[str]]] = {service: [] for service in services}

        def look(service: str) -> None:
            steps = json.loads(record.read_text("utf-8"))["steps"]
            done = {step["name"] for step in steps if (step["service"], step["outcome"]) == (service, "passed")}
            passed[service].append(done)

        for service in services:
            harness.proxy.intervene(partial(look, service), method=WRITES, path=of(service), times=None)
        ended = harness.run(TAG, clone=clone)
        assert ended.code == 0, ended.out
        for service in services:
            assert len(passed[service]) == harness.proxy.count(WRITES, of(service)) > 0
            assert all({"describe", "observe", "chart", "build"} <= done for done in passed[service])


def test_services_are_published_side_by_side(tmp_path: Path) -> None:
    """With build.parallel 2 the first write of each of two services waits for the other's, and both go on."""
    services = ("anvil", "bellows")
    with open_monorepo(tmp_path, *services, parallel=2) as harness:
        release(harness, dict.fromkeys(services, VERSION))
        both = threading.Barrier(len(services))

        def meet() -> None:
            with suppress(threading.BrokenBarrierError):
                both.wait(60)

        for service in services:
            harness.proxy.intervene(meet, method=WRITES, path=of(service))
        ended = harness.run(TAG)
        assert ended.code == 0, ended.out
        assert not both.broken


@pytest.mark.parametrize("parallel", [1, 2])
def test_no_more_services_at_once_than_configured(tmp_path: Path, parallel: int) -> None:
    """Of three services no more than build.parallel are between the begin of their build and their last write."""
    services = ("anvil", "bellows", "chisel")
    with open_monorepo(tmp_path, *services, parallel=parallel) as harness:
        release(harness, dict.fromkeys(services, VERSION))
        ended = harness.run(TAG)
        assert ended.code == 0, ended.out
        work: dict[str, list[tuple[float, float]]] = {service: [] for service in services}
        for step in ended.record["steps"]:
            if step["name"] in {"build", "publish image", "publish chart"}:
                began = datetime.fromisoformat(step["started"]).timestamp()
                work[step["service"]].append((began, began + step["seconds"]))
        spans = [(min(began for began, _ in own), max(end for _, end in own)) for own in work.values()]
        rounding = 0.01
        at_once = [sum(began <= moment < end - rounding for began, end in spans) for moment, _ in spans]
        assert max(at_once) == parallel


def test_a_service_that_is_asked_for_is_released_alone(tmp_path: Path) -> None:
    """With --service the others of the tag are left for another run, which sends only what is missing."""
    services = ("anvil", "bellows")
    with open_monorepo(tmp_path, *services) as harness:
        release(harness, dict.fromkeys(services, VERSION))
        ended = harness.run(TAG, "--service", "bellows")
        assert ended.code == 0, ended.out
        assert rows(ended.record)["anvil"] == (False, "not named by --service")
        assert services_of(ended) == {"bellows"}
        assert harness.proxy.count(path=of("anvil")) == 0
        assert ended.record["settings"]["services"] == {"value": "bellows", "from": "option --service"}
        harness.proxy.clear()
        both = harness.run(TAG)
        assert both.code == 0, both.out
        assert {entry["action"] for entry in both.record["entries"] if entry["service"] == "bellows"} == {"skip"}
        assert harness.proxy.count(WRITES, of("bellows")) == 0
        assert harness.proxy.count(WRITES, of("anvil")) > 0


def test_a_service_that_is_not_in_the_tag_is_no_failure(tmp_path: Path) -> None:
    """With --service for what the tag does not release the run ends well, with the reason, and asks nothing."""
    with open_monorepo(tmp_path, "anvil", "bellows", "chisel") as harness:
        release(harness, {"anvil": VERSION, "bellows": "1.1.0"})
        ended = harness.run(TAG, "--service", "bellows", "--service", "chisel")
        assert (ended.code, ended.errors) == (0, []), ended.out
        assert rows(ended.record) == {
            "anvil": (False, "not named by --service"),
            "bellows": (False, "its chart has v1.1.0"),
            "chisel": (False, "no services/chisel/helm/Chart.yaml in this commit"),
        }
        assert ended.lines[-1].startswith("RELEASED: nothing 1.2.3")
        told = [line for line in ended.lines if 'event="not released"' in line]
        assert ["service=bellows" in told[0], "service=chisel" in told[1], len(told)] == [True, True, 2]
        assert 'reason="its chart has v1.1.0"' in told[0]
        assert harness.proxy.requests == ()


@pytest.mark.parametrize(
    ("asked", "says"),
    [("anvill", "nearest: anvil"), ("widget", "widget-controller")],
    ids=["unknown", "of another repository"],
)
def test_a_service_that_does_not_live_here_is_refused(tmp_path: Path, asked: str, says: str) -> None:
    """With --service for a service that is configured nowhere, or elsewhere, the run is exit 2 before anything else."""
    with open_monorepo(tmp_path, "anvil") as harness:
        harness.config.write_text(f"{harness.config.read_text('utf-8')}  widget: {{}}\n", encoding="utf-8")
        release(harness, {"anvil": VERSION})
        check_refusal(harness.run(TAG, "--service", asked), 2, "service-unknown", says)
        assert harness.proxy.requests == ()


@pytest.mark.parametrize("place", ["in the release's clone", "in the other clone", "elsewhere with --workspace"])
def test_two_checkouts_side_by_side(tmp_path: Path, place: str) -> None:
    """With extra_refs the event's own clone is released, the config is read from the other, wherever it starts."""
    with open_monorepo(tmp_path, "anvil", "bellows") as harness:
        release(harness, {"anvil": VERSION, "bellows": "1.1.0"})
        workspace, sha = harness.clone(TAG)
        jobs = make_repository(tmp_path / "jobs", service="jobs", version=None)
        jobs.commit("Configure the runner", {"config/jobs.yaml": harness.config.read_text("utf-8")})
        beside = workspace / "src" / HOST / OWNER / "test-infra"
        clone_as_prow(jobs, "main", beside)
        environment = harness.environment(TAG, sha)
        specification = json.loads(environment["JOB_SPEC"])
        extra = {"org": OWNER, "repo": "test-infra", "base_ref": "main", "workdir": "other" in place}
        environment["JOB_SPEC"] = json.dumps({**specification, "extra_refs": [extra]})
        here = checkout_folder(workspace, harness.repository)
        options: tuple[str | Path, ...]
        folder, options = {
            "in the release's clone": (here, ("--config", beside / "config" / "jobs.yaml")),
            "in the other clone": (beside, ()),
            "elsewhere with --workspace": (
                tmp_path,
                ("--config", beside / "config" / "jobs.yaml", "--workspace", workspace),
            ),
        }[place]
        ended = run_program(PROGRAM, "plan", *options, env=environment, cwd=folder)
        assert (ended.code, ended.errors) == (0, []), ended.out
        assert ended.record["commit"] == harness.repository.resolve(f"refs/tags/{TAG}^{{commit}}")
        assert ended.record["source"] == f"https://{HOST}/{OWNER}/community"
        assert services_of(ended) == {"anvil"}
        assert ended.record["settings"]["config"] == {
            "value": "config/jobs.yaml" if "other" in place else str(beside / "config" / "jobs.yaml"),
            "from": "default" if "other" in place else "option --config",
        }
