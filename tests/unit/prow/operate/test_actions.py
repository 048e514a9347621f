from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import (
    ClusterFailed,
    ClusterPermissionMissing,
    JobStillRuns,
    JobUnknown,
    LatestUnusable,
    LogUnavailable,
    NothingToAbort,
    RunEnded,
    UsageInvalid,
)
from runner.prow.operate import actions
from runner.prow.operate.actions import Operator, Rerun
from runner.prow.operate.cluster import EXPIRED
from runner.prow.operate.rerun import original
from runner.prow.operate.select import Wanted
from runner.runtime.lifetime import Lifetime
from runner.terminal.screen import Screen
from testbed.memory.prowjobs import MemoryBucket, MemoryJobs, prowjob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.prow.operate.prowjob import ProwJob

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
RECORD = json.dumps(
    {
        "exit": 6,
        "error": {"code": "build-failed", "cause": "it does not compile", "remedy": "Repair it.", "detail": ["x:3"]},
    }
).encode()
FOLDER = "logs/s3-release/2026112800001"
KEPT = {f"{FOLDER}/artifacts/record.json": RECORD, f"{FOLDER}/build-log.txt": b"one\n\x1b[31mtwo\x1b[0m\n"}
FAILED = prowjob("failed-1")
RUNNING = prowjob("running-1", state="pending", service="sns")
DONE = prowjob(
    "done-1", state="success", ref="stable", started="2026-11-28T08:30:00Z", completed="2026-11-28T08:31:00Z"
)


class Waits(Lifetime):
    """A lifetime in which something happens at each wait."""

    def __init__(self, happens: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._happens = happens

    def wait(self, seconds: float) -> None:
        """Let it happen."""
        assert seconds > 0
        self._happens()
        self.check()


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Given:
    """An operator, and what was printed for them."""

    def __init__(
        self,
        jobs: MemoryJobs,
        kept: MemoryBucket | None = None,
        *,
        lifetime: Lifetime | None = None,
        terminal: bool = False,
        as_json: bool = False,
    ) -> None:
        self.out, self.err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
        self.jobs, self.kept = jobs, kept or MemoryBucket(KEPT)
        names = (f"new-{number}" for number in count(1))
        self.operator = Operator(
            jobs=jobs,
            kept=self.kept,
            screen=Screen(self.out, self.err, {"TERM": "xterm"}, colour="never", as_json=as_json),
            lifetime=lifetime or Waits(),
            now=lambda: NOW,
            new_name=lambda: next(names),
            flags=" --context there",
        )

    @property
    def lines(self) -> list[str]:
        """What was asked for."""
        return self.out.getvalue().splitlines()

    @property
    def document(self) -> Any:
        """The same, for a program."""
        return json.loads(self.out.getvalue())

    @property
    def said(self) -> list[str]:
        """What was said beside."""
        return self.err.getvalue().splitlines()


def test_a_list() -> None:
    """The newest come first, with the cause from the record of what failed; other records are not read."""
    given = Given(MemoryJobs(FAILED, RUNNING, DONE))
    actions.show_list(given.operator, Wanted(), limit=0, output="table")
    assert [line.split()[0] for line in given.lines] == ["JOB", "done-1", "running-1", "failed-1"]
    assert given.lines[3].endswith("it does not compile")
    assert given.kept.asked == [f"{FOLDER}/artifacts/record.json"]
    assert given.said == []


def test_a_limit() -> None:
    """What is left out is told, and how to see it."""
    given = Given(MemoryJobs(FAILED, RUNNING, DONE))
    actions.show_list(given.operator, Wanted(), limit=1, output="wide")
    assert [line.split()[0] for line in given.lines] == ["JOB", "done-1"]
    assert given.said == ["the newest 1 of 3 jobs; --limit 0 shows all"]


def test_names() -> None:
    """Names only are for other commands: whole, and nothing else is asked."""
    given = Given(MemoryJobs(FAILED, DONE), terminal=True)
    actions.show_list(given.operator, Wanted(), limit=0, output="name")
    assert given.lines == ["done-1", "failed-1"]
    assert given.kept.asked == []


def test_a_list_for_programs() -> None:
    """A program gets one document."""
    given = Given(MemoryJobs(FAILED, DONE), as_json=True)
    actions.show_list(given.operator, Wanted(states=frozenset({"failure"})), limit=0, output="json")
    assert given.document["found"] == 1
    assert given.document["jobs"][0]["cause"] == "it does not compile"


@pytest.mark.parametrize(
    ("jobs", "says"),
    [
        (MemoryJobs(), "there are no ProwJobs in the namespace default of memory"),
        (MemoryJobs(FAILED), "no job is like that; there are 1 ProwJobs in the namespace default of memory, 1 of them"),
    ],
)
def test_nothing_to_list(jobs: MemoryJobs, says: str) -> None:
    """An empty list says where was looked, and whether there is anything else."""
    given = Given(jobs)
    actions.show_list(given.operator, Wanted(services=frozenset({"none"})), limit=0, output="table")
    assert given.lines == []
    assert given.said[0].startswith(says)


def test_a_bucket_that_does_not_answer() -> None:
    """Without records there is what Prow says, and it is told once that they are missing."""
    evicted = prowjob("evicted", state="error", description="Job pod was evicted by the cluster.")
    many = [prowjob(f"f{number}") for number in range(20)]
    given = Given(MemoryJobs(evicted, *many), MemoryBucket(problem=LogUnavailable("no credentials")))
    actions.show_list(given.operator, Wanted(), limit=0, output="table")
    assert any(line.endswith("Job pod was evicted by the cluster.") for line in given.lines)
    assert given.said == ["! records are not read: no credentials"]
    assert len(given.kept.asked) <= actions.READERS, "it is not asked for each job"


@pytest.mark.parametrize("kept", [b"{", b"\xff", b"[]"])
def test_a_record_that_is_none(kept: bytes) -> None:
    """A record that cannot be read is as if there were none."""
    given = Given(MemoryJobs(FAILED), MemoryBucket({f"{FOLDER}/artifacts/record.json": kept}))
    actions.show_list(given.operator, Wanted(), limit=0, output="table")
    assert given.lines[1].split()[-1] == "-"


def followed(given: Given, *, limit: int = 0) -> None:
    """Watch until there is nothing more to happen, which memory tells by running out of it."""
    with pytest.raises(IndexError):
        actions.watch_list(given.operator, Wanted(), limit=limit, output="table")


def test_a_watch_in_a_pipe() -> None:
    """Each change is a line below those before it: what comes, what becomes of it, and why it failed."""
    ended = prowjob("running-1", state="failure", service="sns", description="Pod pending timeout.")
    gone = ("DELETED", FAILED)
    jobs = MemoryJobs(
        FAILED, RUNNING, later=[[], [("MODIFIED", RUNNING), ("ADDED", DONE)], [("MODIFIED", ended), gone]]
    )
    given = Given(jobs)
    followed(given)
    rows = [line.split() for line in given.lines]
    assert [row[0] for row in rows] == ["JOB", "failed-1", "running-1", "done-1", "running-1"]
    assert rows[-1][3] == "failure"
    assert given.lines[-1].endswith("Pod pending timeout.")


def test_a_watch_that_is_too_old() -> None:
    """A version that the cluster has forgotten is no end: everything is listed again."""
    jobs = MemoryJobs(RUNNING, later=[[(EXPIRED, None)], []])
    followed(Given(jobs))
    assert [call for call, _ in jobs.calls] == ["list", "watch", "list", "watch", "watch"]


def test_a_watch_at_a_terminal() -> None:
    """At a terminal the table is drawn anew, as it is."""
    given = Given(MemoryJobs(FAILED, later=[[("ADDED", DONE)]]), terminal=True)
    followed(given, limit=1)
    assert "+ success" in given.out.getvalue().rpartition("JOB")[2]


def test_an_explanation() -> None:
    """A job is explained by its record; the compiler's lines and the next command come last."""
    given = Given(MemoryJobs(FAILED))
    actions.show_job(given.operator, "failed")
    assert "Cause:       it does not compile" in given.lines
    assert "Remedy:      Repair it." in given.lines
    assert given.lines[-2:] == ["Next:        ack-release jobs logs failed-1 --context there", "  | x:3"]


def test_a_whole_name() -> None:
    """A job of a whole name is asked for alone; one that is not there is told with where it was looked for."""
    document = prowjob("0b1c5d9e-0000-4000-8000-000000000001")
    given = Given(MemoryJobs(document))
    actions.show_job(given.operator, document["metadata"]["name"])
    assert ("list", "") not in given.jobs.calls
    with pytest.raises(JobUnknown, match="namespace default of memory"):
        actions.show_job(given.operator, "ffffffff-0000-4000-8000-000000000001")


def test_an_explanation_for_programs() -> None:
    """A program gets the same as one document."""
    given = Given(MemoryJobs(FAILED), as_json=True)
    actions.show_job(given.operator, "failed-1")
    assert given.document["detail"] == ["x:3"]
    assert given.document["next"] == "ack-release jobs logs failed-1 --context there"


POD = {
    "status": {
        "phase": "Pending",
        "containerStatuses": [{"name": "test", "state": {"waiting": {"reason": "ErrImagePull"}}}],
    }
}


def test_a_pod_that_does_not_start() -> None:
    """A job that waits is explained by its pod, and no record is looked for."""
    given = Given(MemoryJobs(RUNNING, pods={"running-1": POD}))
    actions.show_job(given.operator, "running-1")
    assert "Cause:       the container test waits: ErrImagePull" in given.lines
    assert given.kept.asked == []


def test_a_job_without_a_record() -> None:
    """A job that left no record is explained by its log's last error line."""
    kept = {f"{FOLDER}/build-log.txt": b"a\nERROR: git failed. Do. exit=2 code=checkout-missing\nb\n"}
    given = Given(MemoryJobs(FAILED), MemoryBucket(kept))
    actions.show_job(given.operator, "failed-1")
    assert "Cause:       git failed. Do." in given.lines
    assert "Exit:        2 (checkout-missing)" in given.lines


def test_a_job_that_left_nothing() -> None:
    """A job of which nothing is left is still shown."""
    given = Given(MemoryJobs(FAILED), MemoryBucket())
    actions.show_job(given.operator, "failed-1")
    assert not [line for line in given.lines if line.startswith("Cause")]


def test_a_pod_that_may_not_be_read() -> None:
    """What the cluster does not give is told, and the rest is shown."""
    given = Given(MemoryJobs(FAILED, problem=ClusterPermissionMissing("the rule is missing")))
    actions.show_job(given.operator, "failed-1")
    assert "Cause:       it does not compile" in given.lines
    assert given.said == ["! the pod is not shown: the rule is missing"]
    with pytest.raises(RunEnded):
        actions.show_job(Given(MemoryJobs(FAILED, problem=RunEnded("it was ended"))).operator, "failed-1")


def test_a_success() -> None:
    """A job that went well needs no explanation."""
    given = Given(MemoryJobs(DONE))
    actions.show_job(given.operator, "done-1")
    assert given.kept.asked == []
    assert "State:       success" in given.lines


def test_a_log_from_the_pod() -> None:
    """A log comes from the pod while that is there, without what a terminal would obey."""
    given = Given(MemoryJobs(FAILED, logs={"failed-1": ["a", "\x1b[2Jb"]}))
    actions.show_log(given.operator, "failed-1", follow=False)
    assert given.lines == ["a", "b"]
    assert given.kept.asked == []


@pytest.mark.parametrize("problem", [None, ClusterPermissionMissing("no"), ClusterFailed("no")])
def test_a_log_from_the_bucket(problem: Any) -> None:
    """A log whose pod is gone, or cannot be had, comes from the bucket."""
    given = Given(MemoryJobs(FAILED, problem=problem))
    actions.show_log(given.operator, "failed-1", follow=False)
    assert given.lines == ["one", "two"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (RUNNING, "has no log yet: it is pending"),
        (prowjob("x", url="https://prow.example/view/s3/other/place"), "nor is there s3://other/place/build-log.txt"),
        (prowjob("x", url="", build=""), "does not say where it keeps the log"),
    ],
)
def test_no_log(document: dict[str, Any], says: str) -> None:
    """Where there is no log, that is an error which says where it was looked for."""
    given = Given(MemoryJobs(document))
    with pytest.raises(LogUnavailable, match=says):
        actions.show_log(given.operator, document["metadata"]["name"], follow=False)


def test_a_running_job_whose_log_is_refused() -> None:
    """Of a job that runs there is no other log, so that the refusal is the error."""
    given = Given(MemoryJobs(RUNNING, problem=ClusterPermissionMissing("no")))
    with pytest.raises(ClusterPermissionMissing):
        actions.show_log(given.operator, "running-1", follow=False)


def test_following() -> None:
    """Following waits for the job's container, says once what for, prints the log to its end, and how it ended."""
    jobs = MemoryJobs(prowjob("f", state="triggered"), logs={"f": ["a", "b"]})
    happened: Iterator[Callable[[], None]] = iter(
        [
            lambda: jobs.documents["f"]["status"].update(state="pending"),
            lambda: jobs.pods.update(f=POD),
            lambda: None,
            lambda: jobs.pods.update(f={"status": {"containerStatuses": [{"name": "test", "state": {"running": {}}}]}}),
        ]
    )

    def happens() -> None:
        next(happened)()

    given = Given(jobs, lifetime=Waits(happens))
    ends = jobs.pod_log

    def pod_log(job: ProwJob, *, follow: bool) -> Iterator[str] | None:
        jobs.documents["f"]["status"]["state"] = "success"
        return ends(job, follow=follow)

    jobs.pod_log = pod_log  # type: ignore[method-assign]
    actions.show_log(given.operator, "f", follow=True)
    assert given.lines == ["a", "b"]
    assert given.said == [
        "! s3 v1.2.3 is triggered: waiting for it to start",
        "! s3 v1.2.3 is pending: waiting for it to start",
        "! the container test waits: ErrImagePull",
        "+ s3 v1.2.3: success",
    ]
    assert ("follow", "f") in jobs.calls


def test_following_what_has_ended() -> None:
    """Following a job that has ended prints its log."""
    given = Given(MemoryJobs(FAILED))
    actions.show_log(given.operator, "failed-1", follow=True)
    assert given.lines == ["one", "two"]


def test_a_rerun() -> None:
    """A job is run again as it was; how to follow it is told with the same cluster."""
    given = Given(MemoryJobs(FAILED))
    actions.rerun_named(given.operator, ["failed-1"], Rerun())
    made = given.jobs.documents["new-1"]
    expected = original(given.jobs.job("failed-1"), "new-1", NOW)
    assert {key: made[key] for key in ("spec", "status")} == {key: expected[key] for key in ("spec", "status")}
    assert given.lines == ["reran failed-1 (s3 v1.2.3) as new-1"]
    assert given.said == ["follow it: ack-release jobs logs -f new-1 --context there"]


def test_a_rerun_as_configured_today() -> None:
    """What Prow's page proposes is created under a name of our own."""
    given = Given(MemoryJobs(FAILED))

    def propose(job: ProwJob) -> object:
        proposed = original(job, "theirs", NOW)
        proposed["spec"]["pod_spec"]["containers"][0]["image"] = "new"
        return proposed

    actions.rerun_named(given.operator, ["failed-1"], Rerun(propose))
    assert given.jobs.documents["new-1"]["spec"]["pod_spec"]["containers"][0]["image"] == "new"
    with pytest.raises(LatestUnusable):
        actions.rerun_named(given.operator, ["failed-1"], Rerun(lambda _: None))


def test_a_rerun_of_what_runs() -> None:
    """What has not ended is refused unless told, and then nothing else is rerun either."""
    given = Given(MemoryJobs(FAILED, RUNNING))
    with pytest.raises(JobStillRuns):
        actions.rerun_named(given.operator, ["failed-1", "running-1"], Rerun())
    with pytest.raises(JobUnknown):
        actions.rerun_named(given.operator, ["failed-1", "nobody"], Rerun())
    assert not [call for call, _ in given.jobs.calls if call == "create"]
    actions.rerun_named(given.operator, ["running-1"], Rerun(force=True))
    assert "new-1" in given.jobs.documents


def test_a_rerun_for_programs() -> None:
    """A program is told which job was made of which; on a dry run none."""
    given = Given(MemoryJobs(FAILED), as_json=True)
    actions.rerun_named(given.operator, ["failed-1"], Rerun())
    assert given.document == {
        "reran": [{"old": "failed-1", "new": "new-1", "service": "s3", "ref": "v1.2.3"}],
        "dry_run": False,
    }
    given = Given(MemoryJobs(FAILED), as_json=True)
    actions.rerun_named(given.operator, ["failed-1"], Rerun(dry_run=True))
    assert (given.document["reran"][0]["new"], given.document["dry_run"]) == (None, True)
    assert "new-1" not in given.jobs.documents


MANY = [prowjob(f"f{number}", ref=f"v1.0.{number}", started=f"2026-11-28T0{number}:00:00Z") for number in range(4)]


def test_what_has_failed() -> None:
    """The oldest come first, up to the limit, and the same call goes on with the next."""
    given = Given(MemoryJobs(*MANY), MemoryBucket())
    for _ in range(2):
        actions.rerun_failed(given.operator, Wanted(), Rerun(), limit=2, agreed=True)
        for document in given.jobs.documents.values():
            if document["metadata"]["name"].startswith("new"):
                document["status"]["state"] = "success"
    reran = [line.split()[1] for line in given.lines if line.startswith("reran")]
    assert reran == ["f0", "f1", "f2", "f3"]
    assert given.said == ["the oldest 2 of 4 failed jobs; call it again for the others"]
    actions.rerun_failed(given.operator, Wanted(), Rerun(), limit=2, agreed=True)
    assert given.said[-1] == "nothing has failed that was not run again since"


def test_what_would_be_rerun() -> None:
    """A dry run says what would be rerun, creates nothing, and asks nobody."""
    given = Given(MemoryJobs(*MANY), MemoryBucket())
    actions.rerun_failed(given.operator, Wanted(refs=("v1.0.1",)), Rerun(dry_run=True), limit=0, agreed=False)
    assert given.lines == ["would rerun f1 (s3 v1.0.1)"]
    assert not [call for call, _ in given.jobs.calls if call == "create"]


def test_nobody_can_be_asked() -> None:
    """Without a terminal to ask at, many jobs are rerun or aborted only with --yes."""
    given = Given(MemoryJobs(FAILED, RUNNING))
    with pytest.raises(UsageInvalid, match="nobody can be asked"):
        actions.rerun_failed(given.operator, Wanted(), Rerun(), limit=0, agreed=False)
    with pytest.raises(UsageInvalid, match="nobody can be asked"):
        actions.abort_named(given.operator, ["running-1"], agreed=False)
    assert {call for call, _ in given.jobs.calls} == {"list"}


@pytest.mark.parametrize("answer", ["y\n", "n\n"])
def test_a_question(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """At a terminal it is asked, after a table of what is meant; a no changes nothing."""
    typed = Terminal(answer * 2)
    monkeypatch.setattr("sys.stdin", typed)
    given = Given(MemoryJobs(FAILED, RUNNING), terminal=True)
    actions.rerun_failed(given.operator, Wanted(), Rerun(), limit=0, agreed=False)
    actions.abort_named(given.operator, ["running-1"], agreed=False)
    assert "Rerun 1 job? [y/N]" in given.err.getvalue()
    assert "Abort 1 job? [y/N]" in given.err.getvalue()
    changed = {call for call, _ in given.jobs.calls} - {"list"}
    assert changed == ({"create", "patch"} if answer == "y\n" else set())
    assert ("nothing was changed" in given.err.getvalue()) == (answer == "n\n")


def test_an_abort() -> None:
    """A job that runs is aborted in Prow's words; one that has ended is refused before anything is."""
    given = Given(MemoryJobs(RUNNING, FAILED))
    with pytest.raises(NothingToAbort):
        actions.abort_named(given.operator, ["running-1", "failed-1"], agreed=True)
    assert not [call for call, _ in given.jobs.calls if call == "patch"]
    actions.abort_named(given.operator, ["running-1"], agreed=True)
    status = given.jobs.documents["running-1"]["status"]
    assert (status["state"], status["description"]) == ("aborted", "Successfully aborted running-1.")
    assert given.lines == ["aborted running-1 (sns v1.2.3)"]


def test_an_abort_for_programs() -> None:
    """A program is told what was aborted."""
    given = Given(MemoryJobs(RUNNING), as_json=True)
    actions.abort_named(given.operator, ["running-1"], agreed=True)
    assert given.document == {"aborted": [{"name": "running-1", "service": "sns", "ref": "v1.2.3"}]}


class Busy(MemoryJobs):
    """ProwJobs that Prow changes just before each of the first patches, and then ends, if it does."""

    def __init__(self, document: dict[str, Any], times: int, ends: str | None = None) -> None:
        super().__init__(document)
        self._times, self._ends = times, ends

    def patch(self, name: str, change: Any) -> ProwJob | None:
        """Change it first."""
        if self._times > 0:
            self._times -= 1
            metadata = self.documents[name]["metadata"]
            metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
            if self._ends:
                self.documents[name]["status"]["state"] = self._ends
        return super().patch(name, change)


def test_an_abort_while_prow_changes_the_job() -> None:
    """A job that changes meanwhile is looked at again: it is aborted, or it has ended and stays so."""
    given = Given(Busy(RUNNING, 2))
    actions.abort_named(given.operator, ["running-1"], agreed=True)
    assert given.jobs.documents["running-1"]["status"]["state"] == "aborted"
    given = Given(Busy(RUNNING, 1, "success"))
    with pytest.raises(NothingToAbort):
        actions.abort_named(given.operator, ["running-1"], agreed=True)
    assert given.jobs.documents["running-1"]["status"]["state"] == "success"
    with pytest.raises(UsageInvalid, match="changed all the time"):
        actions.abort_named(Given(Busy(RUNNING, 99)).operator, ["running-1"], agreed=True)


class Refusing(MemoryJobs):
    """ProwJobs of which only one can be made."""

    def create(self, document: Any) -> ProwJob:
        """Refuse a second."""
        if "new-1" in self.documents:
            raise ClusterFailed("the cluster is gone")
        return super().create(document)


def test_many_of_which_some_fail() -> None:
    """A program is told what was done before an error, and that error ends the command."""
    given = Given(Refusing(*MANY), MemoryBucket(), as_json=True)
    with pytest.raises(ClusterFailed):
        actions.rerun_failed(given.operator, Wanted(), Rerun(), limit=0, agreed=True)
    assert [one["new"] for one in given.document["reran"]] == ["new-1"]
    assert given.document["error"] == "the cluster is gone"
