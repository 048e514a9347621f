from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner.errors import CheckoutMissing, ToolUnusable
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.workspace import child_environment
from runner.source.clone import Clone, open_clone
from testbed.files import tree_of
from testbed.git import git
from testbed.origin import Origin, clone_refs, make_origin, push_environment
from testbed.paths import ROOT
from tests.support.bundles import open_bundle

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = 12345
RUN = Children(Lifetime()).run

FILES: dict[str, str | bytes] = {
    "README.md": "# widget\n",
    "helm/Chart.yaml": "version: 1.2.3\n",
    "deep/er/file": "y",
    "binary": bytes(range(256)),
    "crlf.txt": "a\r\nb\r\n",
    "empty": b"",
    "with space/ä ö.txt": "x",
}
ATTRIBUTES = """\
* text=auto
*.txt text eol=crlf
README.md ident
helm/* export-ignore
*.md export-subst filter=spy
binary filter=spy
deep/er/file working-tree-encoding=UTF-16
[attr]everything text eol=crlf filter=spy ident
* everything
"""


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository whose one commit has every kind of file."""
    origin = make_origin(tmp_path / "origin")
    for path, content in {"subst.md": "$Format:%H$ $Id$\n", "script.sh": "#!/bin/sh\n", **FILES}.items():
        file = origin.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    (origin.folder / "script.sh").chmod(0o755)
    (origin.folder / "link").symlink_to("deep/er/file")
    (origin.folder / "link-out").symlink_to("/nowhere")
    origin.commit("Begin")
    return origin


def read(folder: Path, work: Path) -> Clone:
    work.mkdir(exist_ok=True)
    return open_clone(folder, RUN, child_environment({"PATH": os.environ["PATH"]}, work, [folder]))


@pytest.fixture
def clone(tmp_path: Path, origin: Origin) -> Clone:
    """A clone of the repository as Prow makes it, with nothing left to fetch from."""
    return cloned(tmp_path, origin)


def cloned(tmp_path: Path, origin: Origin, **settings: Any) -> Clone:
    pushed = origin.tag("v1.2.3")
    folder = clone_refs(tmp_path / "root", origin, "v1.2.3", pushed, **settings)
    origin.folder.rename(tmp_path / "hidden")
    return read(folder, tmp_path / "work")


def committed(folder: Path, commit: str = "HEAD") -> dict[str, tuple[str, bytes]]:
    """Return what git holds at a commit, read object by object: path to mode and bytes."""
    found = {}
    for line in git(folder, "ls-tree", "-r", "-z", commit).split("\0")[:-1]:
        entry, _, path = line.partition("\t")
        mode, _, blob = entry.split(" ")
        found[path] = (
            mode,
            subprocess.run(["git", "cat-file", "blob", blob], cwd=folder, capture_output=True, check=True).stdout,
        )
    return found


def exported(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return what is in a folder in git's words, to be compared with what is committed."""
    words = {True: "120000", False: "100644"}
    return {
        path: ("100755" if stat.S_ISREG(mode) and mode & stat.S_IXUSR else words[stat.S_ISLNK(mode)], content)
        for path, (mode, content) in tree_of(folder).items()
        if not path.endswith("/")
    }


def test_an_export_is_the_commit(clone: Clone, tmp_path: Path) -> None:
    """Every path of the commit is there, with its bytes, its executable bit and its links, and nothing else."""
    destination = tmp_path / "work/source"
    assert clone.export(destination) == destination
    found = exported(destination)
    assert found == committed(clone.folder)
    assert found["script.sh"][0] == "100755"
    assert found["link"] == ("120000", b"deep/er/file")
    assert {path: found[path][1] for path in ("binary", "crlf.txt")} == {
        "binary": bytes(range(256)),
        "crlf.txt": b"a\r\nb\r\n",
    }


def test_two_exports_are_equal(clone: Clone, tmp_path: Path) -> None:
    """Exports to two places are equal byte for byte and mode for mode."""
    one, other = (clone.export(tmp_path / "work" / name) for name in ("one", "other"))
    assert tree_of(one) == tree_of(other) != {}


def test_an_export_leaves_nothing_beside_it(clone: Clone, tmp_path: Path) -> None:
    """After an export there is the destination, without a .git, and nothing else new."""
    before = set((tmp_path / "work").iterdir())
    destination = clone.export(tmp_path / "work/source")
    assert set((tmp_path / "work").iterdir()) - before == {destination}
    assert not (destination / ".git").exists()


def test_a_dirty_tree_is_not_exported(clone: Clone, tmp_path: Path) -> None:
    """Neither the work tree nor the clone's index is read, and neither is changed."""
    (clone.folder / "README.md").write_text("dirty\n")
    (clone.folder / "new.txt").write_text("new\n")
    (clone.folder / "binary").unlink()
    git(clone.folder, "add", "README.md", "new.txt")
    before = tree_of(clone.folder) | tree_of(clone.folder / ".git")
    destination = clone.export(tmp_path / "work/source")
    assert exported(destination) == committed(clone.folder)
    assert (destination / "README.md").read_text() == "# widget\n"
    assert tree_of(clone.folder) | tree_of(clone.folder / ".git") == before


@pytest.mark.parametrize("place", ["committed", "work tree", "info"])
def test_attributes_and_configuration_change_no_byte(origin: Origin, tmp_path: Path, place: str) -> None:
    """Line endings, keywords, encodings, filters and export rules leave the commit's bytes alone; no filter runs."""
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\necho smudged\n")
    spy.chmod(0o755)
    if place == "committed":
        blob = tmp_path / "attributes"
        blob.write_text(ATTRIBUTES)
        origin.git(
            "update-index",
            "--add",
            "--cacheinfo",
            f"100644,{origin.git('hash-object', '-w', str(blob))},.gitattributes",
        )
        tree = origin.git("write-tree")
        origin.git("reset", "--quiet", origin.git("commit-tree", tree, "-p", "HEAD", "-m", "Attributes"))
    clone = cloned(tmp_path, origin)
    if place == "work tree":
        (clone.folder / ".gitattributes").write_text(ATTRIBUTES)
    if place == "info":
        (clone.folder / ".git/info").mkdir(exist_ok=True)
        (clone.folder / ".git/info/attributes").write_text(ATTRIBUTES)
    for key, value in {
        "core.autocrlf": "true",
        "core.eol": "crlf",
        "core.symlinks": "false",
        "core.fileMode": "false",
        "core.sparseCheckout": "true",
        "core.hooksPath": str(tmp_path),
        "core.attributesFile": str(tmp_path / "attributes"),
        "filter.spy.smudge": str(spy),
        "filter.spy.clean": str(spy),
        "filter.spy.process": str(spy),
        "filter.spy.required": "true",
    }.items():
        git(clone.folder, "config", key, value)
    (clone.folder / ".git/info/sparse-checkout").write_text("/helm/\n")
    destination = clone.export(tmp_path / "work/source")
    assert exported(destination) == committed(clone.folder, clone.head.commit)
    assert (".gitattributes" in exported(destination)) is (place == "committed")
    assert not (tmp_path / "called").exists()


def test_a_repository_in_the_environment_is_not_used(clone: Clone, tmp_path: Path) -> None:
    """Variables that would send git elsewhere do not: the export is of the clone's own commit."""
    elsewhere = {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_INDEX_FILE": "/nowhere"}
    destination = replace(clone, environment={**clone.environment, **elsewhere}).export(tmp_path / "work/source")
    assert exported(destination) == committed(clone.folder)


def test_a_submodule_is_an_empty_folder(origin: Origin, tmp_path: Path) -> None:
    """A submodule's place is there and empty, and the export does not ask for what belongs in it."""
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    origin.git("commit", "--quiet", "--message", "A submodule")
    clone = cloned(tmp_path, origin, skip_submodules=True)
    destination = clone.export(tmp_path / "work/source")
    assert list((destination / "module").iterdir()) == []


@pytest.mark.parametrize("settings", [{"depth": 1}, {"blobless": True}, {"skip_fetch_head": True}], ids=str)
def test_small_clones_are_enough(origin: Origin, tmp_path: Path, settings: dict[str, Any]) -> None:
    """A shallow clone, a blobless one and one without tags hold HEAD, and no more is asked for."""
    origin.commit("Another README", {"README.md": "# other\n"})
    clone = cloned(tmp_path, origin, **settings)
    destination = clone.export(tmp_path / "work/source")
    assert exported(destination) == committed(clone.folder)


def test_a_clone_that_borrows_objects_is_enough(clone: Clone, tmp_path: Path) -> None:
    """A clone whose objects are in another repository, and a linked work tree of it, are exported all the same."""
    git(tmp_path, "clone", "--quiet", "--shared", str(clone.folder), "shared")
    git(tmp_path / "shared", "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    for name in ("shared", "linked"):
        destination = replace(clone, folder=tmp_path / name).export(tmp_path / "work" / name)
        assert exported(destination) == committed(clone.folder)


def test_a_repository_of_sha256_is_exported(tmp_path: Path) -> None:
    """A repository with the longer object ids is read and exported."""
    folder = tmp_path / "origin"
    make_origin(folder)
    git(folder, "init", "--quiet", "--object-format=sha256", "../long")
    origin = Origin(tmp_path / "long", "octo", "long")
    origin.commit("Begin", {"README.md": "# long\n"})
    origin.tag("v1.2.3")
    clone = read(origin.folder, tmp_path / "work")
    assert len(clone.head.commit) == 64
    destination = clone.export(tmp_path / "work/source")
    assert exported(destination) == {"README.md": ("100644", b"# long\n")}


def test_a_destination_that_is_there_is_refused(clone: Clone, tmp_path: Path) -> None:
    """Files of something else never get among the exported ones."""
    (tmp_path / "work/source").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        clone.export(tmp_path / "work/source")


def test_a_commit_that_is_not_there_is_refused(clone: Clone, tmp_path: Path) -> None:
    """When objects are missing, the refusal names commit and folder, and shows git's own words."""
    gone = replace(clone, head=replace(clone.head, commit="1" * 40))
    with pytest.raises(CheckoutMissing, match="1" * 40) as caught:
        gone.export(tmp_path / "work/source")
    assert str(clone.folder) in caught.value.cause
    assert caught.value.detail


def test_a_missing_file_in_the_clone_is_refused(clone: Clone, tmp_path: Path) -> None:
    """A clone that lacks one file's bytes is refused, never exported without it."""
    blob = git(clone.folder, "rev-parse", "HEAD:deep/er/file")
    loosen(clone.folder)
    (clone.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(CheckoutMissing):
        clone.export(tmp_path / "work/source")


def loosen(folder: Path) -> None:
    """Turn the packs of a clone into loose objects."""
    for pack in list((folder / ".git/objects/pack").glob("*.pack")):
        moved = pack.rename(folder / pack.name)
        with moved.open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=folder, stdin=file, check=True)


def test_without_git_the_refusal_says_so(clone: Clone, tmp_path: Path) -> None:
    """A runner without git on its PATH is refused with that reason."""
    with pytest.raises(ToolUnusable, match="git"):
        replace(clone, environment={**clone.environment, "PATH": str(tmp_path)}).export(tmp_path / "work/source")


SCRIPT = f"""
import os
from pathlib import Path
from runner.source.clone import find_clone, open_clone
from runner.source.event import read_event
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.source.route import decide_route
from runner.runtime.workspace import child_environment, open_workspace

os.setgroups([])
os.setgid({STRANGER})
os.setuid({STRANGER})
run = Children(Lifetime()).run
event = read_event(os.environ)
with open_workspace(os.environ) as work:
    folder = find_clone(event, None, Path.cwd())
    environment = child_environment(os.environ, work, [folder])
    clone = open_clone(folder, run, environment, ref=event.base_ref, sha=event.base_sha)
    source = clone.export(work / "source")
    print(decide_route(event, clone.head), clone.head.changed, sorted(path.name for path in source.iterdir()))
print(work.exists())
"""


@pytest.mark.parametrize("owner", ["the runner's user", "root"])
def test_any_user_without_a_home_will_do(origin: Origin, tmp_path: Path, owner: str) -> None:
    """A user without a name and a home exports a clone, its own or root's and read-only, with only /tmp to write in."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    pushed = origin.tag("v1.2.3")
    folder = clone_refs(tmp_path / "root", origin, "v1.2.3", pushed)
    for path in (folder, *folder.rglob("*")):
        if owner != "root":
            os.lchown(path, STRANGER, STRANGER)
        elif not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222 | 0o444)
    for path in folder.parents:
        if not path.stat().st_mode & stat.S_IXOTH:
            path.chmod(0o755)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**push_environment(origin, "v1.2.3", pushed), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    names = sorted(path.name for path in folder.iterdir() if path.name != ".git")
    assert (ran.stdout, ran.stderr) == (f"ReleasePath(version='1.2.3') () {names}\nFalse\n", "")


def test_real_commits_are_exported_as_they_are(tmp_path: Path) -> None:
    """The newest release of a real controller is exported as git's own archive has it."""
    origin = open_bundle("s3", tmp_path / "real")
    pushed = origin.resolve("refs/tags/v1.10.0")
    folder = clone_refs(tmp_path / "root", origin, "v1.10.0", pushed)
    clone = read(folder, tmp_path / "work")
    destination = clone.export(tmp_path / "work/source")
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=folder, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {
            one.name: (bool(one.mode & stat.S_IXUSR), file.read())
            for one in tar
            if one.isfile() and (file := tar.extractfile(one)) is not None
        }
    assert {path: (mode == "100755", content) for path, (mode, content) in exported(destination).items()} == files
    assert len(files) > 100
