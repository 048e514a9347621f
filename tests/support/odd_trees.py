"""Odd repositories, drawn: everything that a commit may hold, in a controller's repository, and a plan of it.

A tree is a sample controller's with some of its entries replaced, or with others beside them. What is drawn is written
with ``testbed.raw_git``, so that it also has what git itself would not make.
"""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from runner.config.settings import Options
from runner.report.console import Outlet, open_log
from runner.report.record import Record
from runner.run import pipeline, stages
from runner.run.publish.layout import LayoutDestination
from runner.run.tools import Tools
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from runner.runtime.storage import storage_error
from runner.runtime.workspace import open_workspace
from runner.session import Session, open_builder, open_helm
from testbed.memory.registry import MemoryRegistry
from testbed.raw_git import FILE, LINK, PROGRAM, SUBMODULE, Entry, RawRepository
from testbed.release_harness import go_environment
from testbed.sample_controller import CONFIGURATION, OWNER, SampleRepository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from runner.report.record import RecordDocument
    from runner.run.inputs import Inputs

REGISTRY = "registry.example/ack"
VERSION = "1.2.3"

DEEP = 3000
CHART = b"apiVersion: v2\nname: widget-chart\nversion: v1.2.3\nappVersion: v1.2.3\n"
BODIES: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\xff\xfe\x00\x01",
    b"\xef\xbb\xbfname: x\n",
    "name: widget\n".encode("utf-16"),
    b"name: widget-chart\r\nversion: v1.2.3\r\n",
    b"\n" * 100,
    b"x" * 70_000,
    b"[" * DEEP,
    b"a: " * 3,
    b"\n".join(b" " * depth + b"a:" for depth in range(DEEP)),
    b"{{" * 50,
    b"a: &a [*a]\n",
    b"a: *nowhere\n",
    b"<<: 1\na: 2\n",
    b"? [a, b]\n: c\n",
    b"a: 1\na: 2\n",
    b"a: !!timestamp 10000-01-01\n",
    b"a: !!timestamp now\n",
    b"a: !!int ''\n",
    b"a: !!int x\n",
    b"a: !!bool maybe\n",
    b"a: !!float 1e99999\n",
    b"a: !!binary '%%%'\n",
    b"a: !!python/object/apply:os.system [x]\n",
    b"a: !!set {b, [c]}\n",
    b"a: !!omap [1, {b: c, d: e}]\n",
    b"a: 9999-99-99\n",
    b"a: 1:99:99\n",
    b"a: 0o9\nb: 0x\n",
    b"%YAML 9.9\n---\na: b\n",
    b"---\na: b\n...\n---\nc: d\n",
    b"a: 'unterminated\n",
    b'a: "\\uD800"\n',
    b"!!null\n",
    b"- a\n- b\n",
    b"name: [widget-chart]\nversion: {a: b}\nimage: {repository: 1, tag: null}\n",
    CHART + b"kubeVersion: '>=99'\n",
    CHART + b"dependencies: [{name: a, version: 1, repository: file://../..}]\n",
    b"kind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: 1\n",
    b"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {versions: [1, {name: 2}]}\n",
    b"kind: List\nitems: [1, {kind: List, items: {}}]\n",
    b"kind: Deployment\nmetadata: 1\nspec: {template: {spec: {containers: {a: b}}}}\n",
    b"kind: Deployment\nspec: {template: {spec: {containers: [1, {image: [x]}]}}}\n",
    b'{{ fail "no" }}\n',
    b'{{ include "nowhere" . }}\n',
    b"{{ .Values.a.b.c.d }}\n",
    b"{{- range until 3 }}\nkind: A\n{{- end }}\n",
    b"module\n",
    b"module example.org/x\n\ngo 1.26\n\nreplace example.org/y => ../../outside\n\nrequire example.org/y v1.0.0\n",
    b'module "unterminated\n',
    b"module example.org/x\ngo 99.0\n",
    b"module example.org/x\ngo 1.26.x.y\n",
    b"module example.org/x\ngo 99999999999999999999999.1\n",
    b"module example.org/x\ngo 1.26\ntoolchain go99.1\nretract [v1.0.0, v2.0.0]\n",
    b"module example.org/x\ngo 1\n",
    b"go 1.26\nuse (\n./\x00\n../../..\n)\n",
    b"go 1.26\nuse " + b"x" * 5000 + b"\n",
    b"package main\n\nfunc main() {\n",
    b"package version\n\nvar (\n\tGitVersion = " + b"{" * DEEP + b"\n)\n",
    b"package version\n\nvar GitVersion, GitCommit, BuildDate = `unterminated\n",
    b'package main\n\nimport _ "embed"\n\n//go:embed *\nvar s string\n\nfunc main() {}\n',
    b"* filter=lfs diff=lfs -text eol=crlf working-tree-encoding=UTF-16 export-subst export-ignore\n",
    b"[attr]x " + b"y " * 3000,
    b'[submodule "x"]\n\tpath = ../..\n\turl = ext::sh -c touch%20/x\n',
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
    b"!*\n[\n\\\n**/**\n",
    b'{"type": "object", "$ref": "#"}\n',
    b"{",
    b"-----BEGIN PGP SIGNED MESSAGE-----\n",
)
TARGETS: tuple[bytes, ...] = (
    b".",
    b"..",
    b"/",
    b"/dev/zero",
    b"/dev/stdin",
    b"/proc/self/mem",
    b"/etc/passwd",
    b"../../../../etc",
    b"nowhere",
    b"Chart.yaml",
    b"helm",
    b"helm/Chart.yaml",
    b"values.yaml",
    b"a",
    b"b",
    b"x" * 300,
    b"a/" * 2000,
    b"\xff\xfe",
    b"new\nline",
    b"",
)
NAMES: tuple[bytes, ...] = (
    b"nats.go",
    b"a",
    b"b",
    b"-rf",
    b"--",
    b"a b",
    b"new\nline",
    b'quo"te',
    b"quo'te",
    b"co:lon",
    b"back\\slash",
    b"\xff\xfe",
    b"t\tab",
    "ü".encode(),
    "u\u0308".encode(),
    b"x" * 255,
    b"chart.yaml",
    b"CHART.YAML",
    b"Values.yaml",
    b"*.yaml",
    b"$(x)",
    b"{{x}}",
    b"CON",
    b"a.go",
    b"_test.go",
    b"x_test.go",
    b"zz.yaml",
    b"Chart.lock",
    b"requirements.yaml",
    b".helmignore",
    b".gitattributes",
    b".gitmodules",
    b".gitignore",
    b"go.work",
    b"vendor/modules.txt",
    b"kustomization.yaml",
    b"/".join([b"d"] * 190),
    b"/".join([b"d"] * 400),
    b"/".join([b"y" * 250] * 20),
)
FOLDERS: tuple[bytes, ...] = (
    b"",
    b"helm/",
    b"helm/templates/",
    b"helm/crds/",
    b"helm/charts/",
    b"helm/charts/sub/",
    b"cmd/",
    b"cmd/controller/",
    b"pkg/version/",
    b"config/",
    b"config/crd/bases/",
    b"config/crd/common/bases/",
    b"config/crd/",
    b"config/controller/",
)
INVALID_NAMES: tuple[bytes, ...] = (b".git", b".GIT", b"..", b".", b"git~1", b".git/config", b"a//b", b"x" * 256)
"""What git refuses to check out; and a name that no common file system takes."""

TIMES: tuple[bytes, ...] = (
    b"1780000000 +0000",
    b"1780000000 +9999",
    b"1780000000 -1459",
    b"1780000000",
    b"0 +0000",
    b"-1 +0000",
    b"-99999999999 +0000",
    b"2147483647 +0000",
    b"2147483648 +0000",
    b"4294967296 +0000",
    b"253402300799 +0000",
    b"253402300800 +0000",
    b"9223372036854775807 +0000",
    b"9223372036854775808 +0000",
    b"18446744073709551615 +0000",
    b"99999999999999999999999 +0000",
    b"yesterday",
    b"",
)
PEOPLE: tuple[bytes, ...] = (
    b"A B <a@example.org>",
    b"\xff\xfe <\xff>",
    b"<>",
    b"no address",
    b"A <a> <b>",
    b"",
    b"x" * 5000 + b" <a@b>",
)
MESSAGES: tuple[bytes, ...] = (
    b"Release\n",
    b"",
    b"\0",
    b"\xff\xfe\n\nKey: \xff\n",
    b"Release\n\nStable-Move: backwards\nKey\n: value\n:\n",
    b"x\n\nA: b\n c\n" * 500,
    b"commit 123\n\x00\n",
    "Größe\n".encode("latin-1"),
    b"\n\n\nSigned-off-by: \x1b[31mred\n",
)
ENCODINGS: tuple[bytes, ...] = (
    b"",
    b"encoding ISO-8859-1\n",
    b"encoding nothing\n",
    b"encoding UTF-7\n",
    b"gpgsig x\n y\n",
)

bodies = st.sampled_from(BODIES) | st.binary(max_size=60) | st.text(max_size=60).map(str.encode)
nodes: st.SearchStrategy[Entry | None] = st.one_of(
    st.tuples(st.sampled_from([FILE, PROGRAM]), bodies),
    st.tuples(st.just(LINK), st.sampled_from(TARGETS)),
    st.just((SUBMODULE, b"")),
    st.none(),
)
"""What stands at a path; None for nothing."""


@dataclass(frozen=True)
class OddTree:
    """What is not as it should be with a repository.

    Attributes:
        changes: what stands at a path, in place of what does; a path below a file's makes a folder of the file.
        absent: paths whose content is not in the clone, as in a partial one.
        time, author, message, header: of the commit.
        tag: what the tag is: ``light``, ``annotated``, ``of a tag``, ``of a tree``, ``of a file``.
        shallow: whether the clone says that its history is cut off.
    """

    changes: Mapping[bytes, Entry | None] = field(default_factory=dict)
    absent: frozenset[bytes] = frozenset()
    time: bytes = TIMES[0]
    author: bytes = PEOPLE[0]
    message: bytes = MESSAGES[0]
    header: bytes = b""
    tag: str = "annotated"
    shallow: bool = False


@dataclass(frozen=True)
class Sample:
    """A sample controller's files, by path."""

    files: Mapping[bytes, Entry]

    @classmethod
    def make(cls, folder: Path) -> Sample:
        """Write the sample's release once, and read it."""
        SampleRepository(folder, "widget", REGISTRY, "seed", "widget-chart").write_release(VERSION)
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return cls({path.relative_to(folder).as_posix().encode(): (FILE, path.read_bytes()) for path in found})

    def changed(self, changes: Mapping[bytes, Entry | None]) -> dict[bytes, Entry]:
        """The files with these changes; the later of two that need the same place stays."""
        files = dict(self.files)
        for path, node in changes.items():
            parts = path.split(b"/")
            above = {b"/".join(parts[:length]) for length in range(1, len(parts))}
            files = {
                one: entry
                for one, entry in files.items()
                if one not in above and one != path and not one.startswith(path + b"/")
            }
            if node is not None:
                files[path] = node
        return files


def odd_trees(sample: Sample) -> st.SearchStrategy[OddTree]:
    """Trees with some oddities, mostly few, so that a run gets far."""
    present = sorted(sample.files)
    folders = sorted({path.rpartition(b"/")[0] for path in present} - {b""})
    places = st.one_of(
        st.sampled_from(present),
        st.sampled_from(present),
        st.sampled_from(folders),
        st.builds(bytes.__add__, st.sampled_from(FOLDERS), st.sampled_from(NAMES)),
        st.builds(lambda path, name: path + b"/" + name, st.sampled_from(present), st.sampled_from(NAMES[:3])),
        st.sampled_from(INVALID_NAMES),
    )
    rarely = st.integers(0, 9).map(lambda number: number == 0)

    def sometimes(usual: Any, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return rarely.flatmap(lambda odd: others if odd else st.just(usual))

    return st.builds(
        OddTree,
        changes=st.dictionaries(places, nodes, max_size=3),
        absent=sometimes(frozenset(), st.frozensets(st.sampled_from(present), min_size=1, max_size=3)),
        time=sometimes(TIMES[0], st.sampled_from(TIMES)),
        author=sometimes(PEOPLE[0], st.sampled_from(PEOPLE)),
        message=sometimes(MESSAGES[0], st.sampled_from(MESSAGES) | st.binary(max_size=80)),
        header=sometimes(b"", st.sampled_from(ENCODINGS)),
        tag=sometimes("annotated", st.sampled_from(["light", "of a tag", "of a tree", "of a file"])),
        shallow=rarely,
    )


def write_repository(folder: Path, sample: Sample, odd: OddTree) -> RawRepository:
    """Write a clone of such a repository as the push of its tag leaves it, but for the work tree."""
    repository = RawRepository.make(folder)
    tree = repository.tree(sample.changed(odd.changes), odd.absent)
    person = odd.author + b" " + odd.time
    commit = repository.write(
        "commit",
        b"tree %s\nauthor %s\ncommitter %s\n%s\n%s" % (tree.encode(), person, person, odd.header, odd.message),
    )

    def tagged(kind: str, of: str) -> str:
        text = b"object %s\ntype %s\ntag v1.2.3\ntagger %s\n\n%s" % (of.encode(), kind.encode(), person, odd.message)
        return repository.write("tag", text)

    tag = {
        "light": lambda: commit,
        "annotated": lambda: tagged("commit", commit),
        "of a tag": lambda: tagged("tag", tagged("commit", commit)),
        "of a tree": lambda: tagged("tree", tree),
        "of a file": lambda: tagged("blob", repository.write("blob", b"x")),
    }[odd.tag]()
    repository.ref(f"refs/tags/v{VERSION}", tag)
    repository.ref(f"refs/heads/v{VERSION}", commit)
    repository.ref("HEAD", f"ref: refs/heads/v{VERSION}")
    if odd.shallow:
        (folder / ".git" / "shallow").write_text(f"{commit}\n")
    return repository


def plan_of(folder: Path, helm: Path, *, only_plan: bool = True) -> RecordDocument:
    """Plan, or release into a folder, what is in ``folder``/clone, as the push of its tag; return the record."""
    config = folder / "jobs.yaml"
    config.write_text(CONFIGURATION.format(registry=REGISTRY, helm=helm))
    environment = {
        **go_environment(),
        "TMPDIR": str(folder),
        "REPO_OWNER": OWNER,
        "REPO_NAME": "widget-controller",
        "PULL_BASE_REF": f"v{VERSION}",
    }
    lifetime = Lifetime(600)
    with open_workspace(environment) as work:
        record = Record(lambda _: None, translate=lambda error: storage_error(error, work) or error)
        log = open_log(Outlet(io.StringIO()), None)
        session = Session(environment, lifetime, Children(lifetime).run, record, log, work, None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stages, "open_tools", lambda inputs, session, **_: tools_of(inputs, session, folder))
            options = Options(config=config, workspace=folder / "clone", to_layout=folder / "layout")
            try:
                pipeline.release(options, session, only_plan=only_plan)
            except Exception as error:  # noqa: BLE001 - as the session does: what is no ReleaseError is a bug
                record.fail(storage_error(error, work) or error)
        return record.close()


def tools_of(inputs: Inputs, session: Session, folder: Path) -> Tools:
    """The real tools, but for the registry: nothing is read of one."""

    def no_time() -> datetime:
        raise AssertionError("a release asks for no time")

    environment = inputs.clone.environment
    registry = MemoryRegistry()
    return Tools(
        **vars(session),
        registry=registry,
        helm=open_helm(session, inputs.config.build.helm, environment),
        builder=open_builder(session, "go", inputs.config.build.programs, environment),
        destination=LayoutDestination(folder / "layout", registry),
        now=no_time,
    )


def run_odd(folder: Path, sample: Sample, odd: OddTree, helm: Path, *, only_plan: bool = True) -> RecordDocument:
    """Write such a repository, plan it, and remove it."""
    folder.mkdir()
    try:
        write_repository(folder / "clone", sample, odd)
        return plan_of(folder, helm, only_plan=only_plan)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
