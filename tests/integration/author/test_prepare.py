"""A release prepared in real clones of real remotes."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from testbed.author import FIRST, SCRIPT
from testbed.git import git
from testbed.release_harness import PROGRAM, start_program
from tests.support.repositories import everything, make_hook, refusal, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.author import Author
    from testbed.release_harness import Ended

BRANCH = "release-v0.2.0"
REF = f"refs/heads/{BRANCH}"


def prepare(author: Author, *arguments: str, services: tuple[str, ...] = ("s3",), version: str = "v0.2.0") -> Ended:
    """Prepare without asking a registry."""
    return author.call("prepare", *services, version, "--offline", *arguments)


def test_a_release(author: Author) -> None:
    """Each service's artifacts are committed on top of the remote's main, pushed as one branch, and checked out."""
    before = author.refs()
    ended = prepare(author, services=("s3", "sns"))
    assert ended.code == 0, ended.err
    after = author.refs()
    assert {ref for ref in after if before.get(ref) != after[ref]} == {REF}
    log = git(author.remote, "log", "--format=%P %an <%ae>%n%B", "-1", BRANCH).splitlines()
    assert log == [
        f"{before['refs/heads/main']} An Author <author@example.invalid>",
        "release artifacts for release v0.2.0",
    ]
    changed = git(author.remote, "diff", "--name-only", "main", BRANCH).splitlines()
    assert changed == [
        f"services/{service}/{file}"
        for service in ("s3", "sns")
        for file in (
            "config/controller/kustomization.yaml",
            "helm/Chart.yaml",
            "helm/templates/NOTES.txt",
            "helm/values.yaml",
        )
        if file in _with_version(author, service)
    ]
    assert author.git("symbolic-ref", "HEAD") == REF
    assert author.git("status", "--porcelain") == ""
    assert len(author.git("worktree", "list").splitlines()) == 1
    assert "└── values.yaml" in ended.lines
    assert [line for line in ended.lines if re.search(r"services/sns/helm/Chart\.yaml +\| +\d", line)]
    assert f"Done: pushed: {BRANCH} to origin, with the artifacts of s3, sns." in ended.out
    assert ended.out.rstrip().endswith("ack-release tag v0.2.0")


def _with_version(author: Author, service: str) -> set[str]:
    """The files of a service that the script changes."""
    found = author.git(
        "grep", "-l", "-F", FIRST, "origin/main", "--", f"services/{service}/helm", f"services/{service}/config"
    )
    return {line.partition(f"services/{service}/")[2] for line in found.splitlines()}


def test_again(author: Author) -> None:
    """The same command once more does nothing, also from another branch, and after main has moved on beside it."""
    assert prepare(author).code == 0
    before = state(author)
    again = prepare(author)
    assert again.code == 0, again.err
    assert "Nothing to do: pushed already, with these artifacts" in again.out
    assert state(author) == before
    author.commit_elsewhere({"README.md": "# More\n"})
    author.git("switch", "--quiet", "main")
    refs = author.refs()
    moved = prepare(author)
    assert moved.code == 0, moved.err
    assert "Nothing to do" in moved.out
    assert author.refs() == refs


def test_artifacts_that_are_merged(author: Author) -> None:
    """Where main holds the artifacts there is nothing to do but to tag, and no branch is made."""
    assert prepare(author).code == 0
    author.merge(BRANCH)
    git(author.remote, "branch", "--delete", "--force", BRANCH)
    before = author.refs()
    ended = prepare(author)
    assert ended.code == 0, ended.err
    assert "Nothing to do: main of origin holds the artifacts of v0.2.0 already." in ended.out
    assert author.refs() == before


def test_dry_run(author: Author) -> None:
    """A dry run shows all, and leaves clone and remote byte for byte, although the remote has what the clone lacks."""
    author.commit_elsewhere({"services/s3/helm/templates/extra.yaml": "# extra\n"})
    git(author.remote, "tag", "--annotate", "--message", "other", "other", "main")
    before = everything(author.clone, author.remote)
    ended = prepare(author, "--dry-run", "--verbose")
    assert ended.code == 0, ended.err
    assert everything(author.clone, author.remote) == before
    assert "│   ├── extra.yaml" in ended.lines
    assert {f"-version: v{FIRST}", "+version: v0.2.0"} <= set(ended.lines)
    assert f"Dry run: would commit the artifacts, then push the branch: {BRANCH} to origin" in ended.out
    assert f"    ack-release prepare s3 v0.2.0 --offline --verbose --config {author.config}" in ended.lines
    assert list((author.folder / "tmp").iterdir()) == []


def test_json(author: Author) -> None:
    """A program reads one document: what was done, and the next command."""
    ended = prepare(author, "--json")
    document = json.loads(ended.out)
    assert (document["did"], document["version"], document["services"]) == ("done", "0.2.0", ["s3"])
    assert (document["ref"], document["commit"]) == (REF, author.refs()[REF])
    assert document["next"]["command"] == ["ack-release", "tag", "v0.2.0"]
    refused = json.loads(prepare(author, "--json", version="v0.9.0").out)
    assert refused["error"]["code"] == "version-not-next"


def test_without_push(author: Author) -> None:
    """A branch that is only committed is pushed by the next call, as it is."""
    ended = prepare(author, "--no-push")
    assert ended.code == 0, ended.err
    assert REF not in author.refs()
    made = author.git("rev-parse", REF)
    assert f"    git push origin {REF}:{REF}" in ended.lines
    again = prepare(author)
    assert again.code == 0, again.err
    assert author.refs()[REF] == made == author.git("rev-parse", "HEAD")


def test_what_the_clone_is_behind_by(author: Author) -> None:
    """The release is made of the remote's main, however old the clone's is, or whatever it has that is not pushed."""
    newest = author.commit_elsewhere({"README.md": "# Newer\n"})
    (author.clone / "notes").write_text("not pushed\n", encoding="utf-8")
    author.git("add", "notes")
    author.git("commit", "--quiet", "--message", "Not pushed")
    mine = author.git("rev-parse", "main")
    assert prepare(author).code == 0
    assert git(author.remote, "rev-parse", f"{BRANCH}^") == newest
    assert author.git("rev-parse", "main") == mine


def test_a_fork(author: Author) -> None:
    """With a remote upstream, the release is made of it, and the branch goes to the author's fork."""
    fork = author.folder / "fork" / "somebody" / "community.git"
    fork.parent.mkdir(parents=True)
    git(author.folder, "clone", "--quiet", "--bare", str(author.remote), str(fork))
    author.git("remote", "rename", "origin", "upstream")
    author.git("remote", "add", "origin", str(fork))
    newest = author.commit_elsewhere({"README.md": "# Newer\n"})
    before = author.refs()
    ended = prepare(author)
    assert ended.code == 0, ended.err
    assert author.refs() == before
    assert git(fork, "rev-parse", f"{BRANCH}^") == newest
    assert "Nothing to do" in prepare(author).out


def test_reports_of_a_plan(author: Author) -> None:
    """The folder that a plan leaves in the clone does not make it unclean; a dry run of what is pushed does nothing."""
    (author.clone / "artifacts").mkdir()
    (author.clone / "artifacts" / "record.json").write_text("{}", encoding="utf-8")
    assert prepare(author).code == 0
    before = everything(author.clone, author.remote)
    again = prepare(author, "--dry-run")
    assert (again.code, "Nothing to do: pushed already" in again.out) == (0, True), again.err
    assert everything(author.clone, author.remote) == before


def test_a_linked_work_tree(author: Author) -> None:
    """A clone's further work tree is as good as its first, whatever its path; both are still there afterwards."""
    linked = author.folder / "a tree: linked" / "community"
    author.git("worktree", "add", "--quiet", "--detach", str(linked), "main")
    ended = author.call("prepare", "s3", "v0.2.0", "--offline", cwd=linked)
    assert ended.code == 0, ended.err
    assert git(linked, "symbolic-ref", "HEAD") == REF
    assert author.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert len(author.git("worktree", "list").splitlines()) == 2
    said = ended.err.splitlines()
    warning = next(place for place, line in enumerate(said) if line.startswith("! helm lint"))
    assert warning < said.index(f"committing on {BRANCH}")


def unclean(author: Author) -> None:
    (author.clone / "new").write_text("new\n", encoding="utf-8")


def at(version: str) -> Callable[[Author], None]:
    """The remote has a tag of this version."""

    def tag(author: Author) -> None:
        git(author.remote, "tag", f"v{version}", "main")

    return tag


def script(*lines: str) -> Callable[[Author], None]:
    """The script does this, too."""
    return lambda author: author.script(*lines)


def configured(text: str) -> Callable[[Author], None]:
    """jobs.yaml has this, too."""
    return lambda author: author.configure(text)


def other_branch(author: Author) -> None:
    author.commit_elsewhere({"services/s3/helm/values.yaml": "other: true\n"}, BRANCH)


def other_local_branch(author: Author) -> None:
    author.git("branch", BRANCH, "main")


def hook(name: str, *lines: str) -> Callable[[Author], None]:
    """The clone has a hook."""

    def write(author: Author) -> None:
        make_hook(author.clone / ".git" / "hooks" / name, *lines)

    return write


def remote_hook(author: Author) -> None:
    make_hook(author.remote / "hooks" / "pre-receive", "echo branches are made by the robot >&2", "exit 1")


def gone(author: Author) -> None:
    author.git("remote", "set-url", "origin", str(author.folder / "gone" / "aws-controllers-k8s" / "community.git"))


def nobody(author: Author) -> None:
    (author.folder / "home" / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n", encoding="utf-8")


REFUSED = {
    "a file that is not committed": (unclean, 2, "clone-unclean", "is not clean: new"),
    "a remote that is gone": (gone, 7, "remote-failed", "does not appear to be a git repository"),
    "no author": (nobody, 2, "commit-refused", "git did not commit"),
    "a tag at another commit": (at("0.2.0"), 5, "version-taken", "v0.2.0 is already tagged at"),
    "a newer release": (
        at("0.3.0"),
        4,
        "version-not-next",
        "v0.2.0 cannot come next: the newest release tag is v0.3.0",
    ),
    "a file that is no release file": (
        script("echo x >>Makefile", "echo x >main.go"),
        4,
        "other-files-changed",
        "services/s3/Makefile and 1 more changed, which is no release file",
    ),
    "a script that fails": (
        script("echo generator too old >&2", "exit 3"),
        6,
        "artifacts-not-built",
        f"{SCRIPT} failed for s3, with exit code 3",
    ),
    "a script that writes elsewhere": (
        configured('prepare: {command: [sh, -c, "touch {clone}/elsewhere"]}\n'),
        6,
        "artifacts-not-built",
        "sh changed elsewhere in your clone",
    ),
    "no such program": (configured("prepare: {command: [no-such-program]}\n"), 2, "tool-unusable", "no-such-program"),
    "another version in the chart": (
        script("sed -i 's/0.2.0/0.2.1/' helm/Chart.yaml"),
        4,
        "nothing-in-tag",
        "no chart of community is released by v0.2.0",
    ),
    "an image of another version": (
        script("sed -i 's/0.2.0/0.2.1/' helm/values.yaml"),
        4,
        "chart-disagrees",
        "services/s3/helm/values.yaml",
    ),
    "a chart that does not render": (
        script("echo '{{ .Nothing.here }}' >helm/templates/broken.yaml"),
        4,
        "chart-unusable",
        "helm",
    ),
    "another branch at the remote": (other_branch, 5, "branch-taken", f"{BRANCH} is already on origin, at"),
    "another branch in the clone": (other_local_branch, 5, "branch-taken", "is already in this clone, at"),
    "a hook of the clone": (hook("commit-msg", "echo sign it off >&2", "exit 1"), 2, "commit-refused", "sign it off"),
    "a hook that changes files": (
        hook("pre-commit", "echo x >>services/s3/helm/values.yaml", "git add --all"),
        2,
        "commit-refused",
        "a hook of the clone changed what is committed: services/s3/helm/values.yaml",
    ),
    "a hook before the push": (hook("pre-push", "echo no >&2", "exit 1"), 2, "push-refused", "pre-push"),
    "a rule of the remote": (
        remote_hook,
        2,
        "push-refused",
        "(pre-receive hook declined): branches are made by the robot",
    ),
    "the branch meanwhile": (
        script(
            'cd "$HOME/../host/aws-controllers-k8s/community.git"',
            "git branch release-v0.2.0 $(git commit-tree -m other 'main^{tree}')",
        ),
        5,
        "tag-changed",
        f"{REF} of origin was changed meanwhile: it holds",
    ),
}


@pytest.mark.parametrize(("setup", "code", "name", "says"), REFUSED.values(), ids=REFUSED)
def test_refusals(author: Author, setup: Callable[[Author], None], code: int, name: str, says: str) -> None:
    """What is refused says why, and leaves the clone as it was and nothing of its own at the remote."""
    setup(author)
    before, before_refs = state(author), author.refs()
    line = refusal(prepare(author), code, name)
    assert says in line
    after = state(author)
    # Only what somebody else did meanwhile is new.
    assert "in your clone" in says or after[1:] == before[1:]
    assert author.refs().items() - dict(before_refs).items() <= {(REF, author.refs().get(REF))}
    assert (REF in author.refs()) == (REF in before_refs or name == "tag-changed")
    assert list((author.folder / "tmp").iterdir()) == []


NAMED = (
    (("s4",), "v0.2.0", 2, "service-unknown"),
    (("ecr",), "v0.2.0", 2, "service-unknown"),
    (("s3",), "v0.2", 2, "usage-invalid"),
    (("s3",), "v0.4.0", 4, "version-not-next"),
    (("s3",), f"v{FIRST}", 5, "version-taken"),
)


def test_what_is_named(author: Author) -> None:
    """A service that is not here, and a version that cannot come next, are refused before anything is written."""
    before = state(author)
    for services, version, code, name in NAMED:
        refusal(prepare(author, services=services, version=version), code, name)
    assert state(author) == before


def test_places_without_a_clone(author: Author) -> None:
    """Outside a clone, in a shallow one, and without a remote, it says so."""
    outside = author.call("prepare", "s3", "v0.2.0", cwd=author.folder)
    assert "is in no git work tree" in refusal(outside, 2, "checkout-missing")
    shallow = author.folder / "shallow"
    git(author.folder, "clone", "--quiet", "--depth=1", author.remote.as_uri(), str(shallow))
    assert "is shallow" in refusal(author.call("prepare", "s3", "v0.2.0", cwd=shallow), 3, "history-missing")
    partial = author.folder / "partial"
    git(author.remote, "config", "uploadpack.allowFilter", "true")
    git(author.folder, "clone", "--quiet", "--filter=blob:none", author.remote.as_uri(), str(partial))
    assert "is a partial one" in refusal(author.call("prepare", "s3", "v0.2.0", cwd=partial), 2, "checkout-missing")
    assert "no remote fork; it has origin" in refusal(prepare(author, "--push-remote", "fork"), 2, "usage-invalid")
    author.git("remote", "remove", "origin")
    assert "has no remote" in refusal(prepare(author), 2, "usage-invalid")


def test_the_command_of_the_configuration(author: Author) -> None:
    """The program of jobs.yaml is given its fields, its variables and the author's environment."""
    author.configure(
        "prepare:\n"
        "  command:\n"
        "  - sh\n"
        "  - -c\n"
        "  - env >{clone}/../env; echo {service} {version} {tag} {path} {chart} {registry} >$OUT/{service}.txt\n"
        '  environment: {OUT: "{tree}", GREETING: hello}\n'
        '  files: ["*.txt"]\n'
    )
    author.environment["FROM_THE_AUTHOR"] = "yes"
    ended = prepare(author, "--dry-run", "--verbose")
    # What it wrote is no chart of this version.
    assert "no chart of community is released by v0.2.0" in refusal(ended, 4, "nothing-in-tag")
    registry = "public.ecr.aws/aws-controllers-k8s"
    assert f"+s3 0.2.0 v0.2.0 services/s3 services/s3/helm {registry}" in ended.lines
    seen = dict(line.split("=", 1) for line in (author.folder / "env").read_text("utf-8").splitlines() if "=" in line)
    assert (seen["GREETING"], seen["RELEASE_VERSION"], seen["FROM_THE_AUTHOR"]) == ("hello", "v0.2.0", "yes")


GH = """\
#!/bin/sh
echo "$@" >>{folder}/gh.log
case "$1 $2" in
  "auth status") exit {login} ;;
  "pr list") {listed} ;;
  "pr create") {created} ;;
esac
"""
OPENED = "https://github.com/aws-controllers-k8s/community/pull/7"


@pytest.mark.parametrize(
    ("login", "listed", "created", "says"),
    [
        (0, "true", f"echo {OPENED}", f"have {OPENED} reviewed and merged"),
        (0, f"echo {OPENED}", "exit 1", f"have {OPENED} reviewed and merged"),
        (0, "true", "echo not allowed >&2; exit 1", "open a pull request into main at https://github.com/"),
        (1, "exit 1", "exit 1", "open a pull request into main at https://github.com/"),
    ],
    ids=["opened", "open already", "refused", "no login"],
)
def test_pull_request(author: Author, login: int, listed: str, created: str, says: str) -> None:
    """GitHub's program opens the pull request unless it is open; where it cannot, the page is printed."""
    programs = author.folder / "bin"
    programs.mkdir()
    file = programs / "gh"
    file.write_text(GH.format(folder=author.folder, login=login, listed=listed, created=created), encoding="utf-8")
    file.chmod(0o755)
    author.git("remote", "set-url", "origin", "https://github.com/aws-controllers-k8s/community.git")
    settings = author.folder / "home" / ".gitconfig"
    with settings.open("a", encoding="utf-8") as more:
        more.write(f'[url "{author.remote.parent.parent}/"]\n\tinsteadOf = https://github.com/\n')
    author.environment["PATH"] = f"{programs}:{author.environment['PATH']}"
    ended = prepare(author, "--repo", "aws-controllers-k8s/community")
    assert ended.code == 0, ended.err
    assert REF in author.refs()
    assert says in ended.out
    asked = (author.folder / "gh.log").read_text("utf-8").splitlines()
    assert asked[0] == "auth status --hostname github.com"
    creates = [line for line in asked if line.startswith("pr create")]
    assert len(creates) == (login == 0 and listed == "true")
    for line in creates:
        assert "--repo github.com/aws-controllers-k8s/community --base main" in line
        assert line.endswith(f"--head {BRANCH}")


def end_at(author: Author, mark: str, number: signal.Signals) -> str:
    """Prepare, send a signal once a file of this name is in the author's home, and return the last line."""
    argv = (PROGRAM, "prepare", "s3", "v0.2.0", "--offline", "--config", author.config)
    with start_program(*argv, env=author.environment, cwd=author.clone) as running:
        until = time.monotonic() + 60
        while not (author.folder / "home" / mark).exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(running.process.pid, number)
        line = refusal(running.wait(), 9, "run-ended")
    assert list((author.folder / "tmp").iterdir()) == []
    return line


def test_ended_while_writing(author: Author) -> None:
    """A signal while the artifacts are written ends it with 9, and leaves clone and remote as they were."""
    author.script('touch "$HOME/writing"', "sleep 60")
    before = state(author)
    end_at(author, "writing", signal.SIGINT)
    assert state(author) == before


def test_ended_while_committing(author: Author) -> None:
    """A signal in a hook of the clone leaves no work tree and no branch behind."""
    make_hook(author.clone / ".git" / "hooks" / "commit-msg", 'touch "$HOME/committing"', "sleep 60")
    before = state(author)
    end_at(author, "committing", signal.SIGTERM)
    assert state(author) == before
    assert not (author.clone / ".git" / "worktrees").exists()


def test_ended_while_pushing(author: Author) -> None:
    """A signal before the push is taken says that the branch may be left; the same command pushes it."""
    hook = author.clone / ".git" / "hooks" / "pre-push"
    make_hook(hook, 'touch "$HOME/pushing"', "sleep 60")
    assert f"Look for the branch {BRANCH}" in end_at(author, "pushing", signal.SIGTERM)
    assert REF not in author.refs()
    left = author.git("rev-parse", REF)
    hook.unlink()
    again = prepare(author)
    assert again.code == 0, again.err
    assert author.refs()[REF] == left
