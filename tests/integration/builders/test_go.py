from __future__ import annotations

import gzip
import io
import json
import os
import platform as machine
import subprocess
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runner.builders.base import CA_BUNDLE, resolve_base
from runner.builders.builder import BuildRequest
from runner.builders.elf import Elf
from runner.builders.go import PAUSES, SCRATCH_WARNING, GoBuilder
from runner.errors import (
    BinaryWrong,
    BuildFailed,
    GoTooOld,
    ModulesUnavailable,
    OutOfMemory,
    ReleaseError,
    ToolUnusable,
)
from runner.oci.artifact import FileSource
from runner.oci.credentials import Anonymous
from runner.oci.manifest import Platform, digest_of
from runner.oci.name import Repository
from runner.oci.registry import Registry
from runner.oci.transport import Transport
from runner.runtime.lifetime import Lifetime
from runner.runtime.process import Children
from testbed.base_images import BOTH, base_layout, push, write_folder
from testbed.faults.proxy import FaultProxy
from testbed.module_proxy import MODULE as NEEDED
from testbed.module_proxy import SUMS, ModuleProxy
from tests.support.registry import crane_registry
from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.builders.builder import BuiltImage
    from runner.oci.artifact import Artifact

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CREATED = datetime(2026, 8, 13, 23, 46, 38, tzinfo=UTC)
MODULE = "example.com/owner/widget-controller"
HERE = Platform("linux", {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.machine(), machine.machine()))

MAIN = f"""package main

import (
\t"fmt"

\t"{MODULE}/pkg/version"
)

func main() {{
\tfmt.Println(version.GitVersion, version.GitCommit, version.BuildDate)
}}
"""
VERSION = """package version

var (
\tGitVersion string
\tGitCommit  string
\tBuildDate  = "unknown"
)
"""
SOURCE: Mapping[str, str | None] = {
    "go.mod": f"module {MODULE}\n\ngo 1.24\n",
    "cmd/controller/main.go": MAIN,
    "pkg/version/version.go": VERSION,
    "LICENSE": "Apache License\n",
    "ATTRIBUTION.md": "# Attribution\n",
}


def write_source(folder: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """A controller's tree; ``changes`` replaces files, or leaves them out where it has None."""
    for path, text in {**SOURCE, **(changes or {})}.items():
        if text is not None:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return folder


def go_words() -> dict[str, str]:
    """An environment that shares Go's build cache with other tests, and reaches no module proxy."""
    cache = subprocess.run(
        [str(require_tool("go")), "env", "GOCACHE"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return {"PATH": os.environ["PATH"], "HOME": "/dev/null/home", "GOCACHE": cache, "GOPROXY": "off"}


def builder(
    folder: Path, extra: Mapping[str, str] | None = None, executable: str = "go", *, paused: list[float] | None = None
) -> GoBuilder:
    """A builder that waits for nothing: ``paused`` are the seconds for which it would have."""
    environment = {**go_words(), "GOMODCACHE": str(folder / "modules"), **(extra or {})}
    pauses = [] if paused is None else paused
    run, log = Children(Lifetime()).run, folder / "go-build-log.txt"
    return GoBuilder(executable, run, environment, log, pause=lambda seconds, _: pauses.append(seconds))


def no_registry() -> Registry:
    return Registry(Transport(Lifetime(), {}), Anonymous())


def request_for(
    folder: Path,
    source: Path,
    platforms: tuple[Platform, ...] = (HERE,),
    *,
    main: str = "./cmd/controller",
    base: str = "scratch",
) -> BuildRequest:
    return BuildRequest(
        service="widget",
        source=source,
        main=main,
        version="v1.2.3",
        revision=COMMIT,
        created=CREATED,
        source_url="https://github.com/owner/widget-controller",
        platforms=platforms,
        base=resolve_base(base, no_registry(), platforms),
        folder=folder / "image",
    )


def build(
    folder: Path, changes: Mapping[str, str | None] | None = None, *, main: str = "./cmd/controller"
) -> BuiltImage:
    """Build a changed tree for this machine's platform."""
    return builder(folder).build(request_for(folder, write_source(folder / "source", changes), main=main))


def refused(folder: Path, changes: Mapping[str, str | None], *, main: str = "./cmd/controller") -> ReleaseError:
    """The error that a changed tree gives."""
    with pytest.raises(ReleaseError) as caught:
        build(folder, changes, main=main)
    return caught.value


def log_of(folder: Path) -> str:
    return (folder / "go-build-log.txt").read_text()


def blob(layout: Artifact, digest: str) -> bytes:
    source = next(one.source for one in layout.blobs if one.descriptor.digest == digest)
    assert isinstance(source, FileSource)
    return source.path.read_bytes()


def members(layout: Artifact, child: int, layer: int) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each file in a layer, 0 being the config."""
    archive = gzip.decompress(blob(layout, layout.children[child].blobs[layer].digest))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {one.name: (one.mode, stream.read() if (stream := tar.extractfile(one)) else b"") for one in tar}


def config(layout: Artifact, child: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(blob(layout, layout.children[child].blobs[0].digest))
    return document


def run_program(folder: Path, content: bytes) -> str:
    """What a program prints that is run with an empty environment."""
    file = folder / "controller"
    file.write_bytes(content)
    file.chmod(0o755)
    return subprocess.run([str(file)], env={}, capture_output=True, text=True, check=True).stdout.strip()


FIRST_ERROR = "pkg/version/more.go:4:2: undefined: missing00"
RELEASE = f"v1.2.3 {COMMIT} 2026-08-13T23:46:38Z"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    """The plain tree for both platforms, on scratch."""
    folder = tmp_path_factory.mktemp("built")
    return builder(folder).build(request_for(folder, write_source(folder / "source"), BOTH))


def test_the_program_in_the_image_says_which_release_it_is(built: BuiltImage, tmp_path: Path) -> None:
    """The program of this machine's platform, taken out of its layer, runs and prints version, commit and date."""
    layer = members(built.artifact, BOTH.index(HERE), 3)
    assert list(layer) == ["bin/controller"]
    mode, content = layer["bin/controller"]
    assert mode == 0o755
    assert run_program(tmp_path, content) == RELEASE


@pytest.mark.parametrize("child", range(len(BOTH)), ids=map(str, BOTH))
def test_index_config_and_program_name_one_architecture(built: BuiltImage, child: int) -> None:
    """What the index says of a platform is what its config says, and what its program is compiled for."""
    stated = built.artifact.root.children[child].platform
    assert stated == BOTH[child]
    document = config(built.artifact, child)
    assert (document["os"], document["architecture"]) == (stated.os, stated.architecture)
    assert Elf(members(built.artifact, child, 3)["bin/controller"][1]).architecture == stated.architecture


def test_licence_files_are_in_a_layer_of_their_own(built: BuiltImage) -> None:
    """LICENSE and ATTRIBUTION.md lie beside the program, readable by all, in one layer for all platforms."""
    assert members(built.artifact, 0, 2) == {
        "bin/LICENSE": (0o644, b"Apache License\n"),
        "bin/ATTRIBUTION.md": (0o644, b"# Attribution\n"),
    }
    assert built.artifact.children[0].blobs[2] == built.artifact.children[1].blobs[2]


def test_an_image_on_scratch_brings_what_it_needs_and_warns(built: BuiltImage) -> None:
    """Without a base there is a lowest layer with certificates, users and /tmp, and a warning."""
    lowest = members(built.artifact, 0, 1)
    assert lowest["tmp"][0] == 0o1777
    assert {CA_BUNDLE, "etc/passwd", "etc/group"} <= lowest.keys()
    assert built.warnings == (SCRATCH_WARNING,)
    assert built.inputs["ca_bundle"].startswith("sha256:")
    assert built.inputs["base"] == "scratch"


def test_diff_ids_are_those_of_the_layers(built: BuiltImage) -> None:
    """Each config lists the digest of every layer before compression, lowest first, and a history of as many."""
    for child, manifest in enumerate(built.artifact.children):
        document = config(built.artifact, child)
        layers = [gzip.decompress(blob(built.artifact, one.digest)) for one in manifest.blobs[1:]]
        found = [digest_of(layer) for layer in layers]
        assert document["rootfs"]["diff_ids"] == found
        assert len(document["history"]) == len(found)


def test_inputs_name_all_that_the_digest_follows_from(built: BuiltImage, tmp_path: Path) -> None:
    """Commit, time, tools, flags and base are inputs; no place on this machine is."""
    assert built.inputs["revision"] == COMMIT
    assert built.inputs["created"] == "2026-08-13T23:46:38Z"
    assert built.inputs["go"] == builder(tmp_path).check()
    assert built.inputs["flags"] == "-trimpath -buildvcs=false -mod=readonly"
    assert built.inputs["platforms"] == "linux/amd64,linux/arm64"
    assert built.inputs["compressor"].startswith("deflate ")
    assert not any(str(tmp_path.parents[1]) in value for value in built.inputs.values())


HOSTILE = {
    "GOFLAGS": "-race -mod=mod -tags=hostile -ldflags=-s",
    "GOOS": "windows",
    "GOARCH": "386",
    "GOAMD64": "v4",
    "GOARM64": "v9.5",
    "GOROOT": "/nonexistent",
    "GOEXPERIMENT": "nosuchexperiment",
    "GO111MODULE": "off",
    "GOTOOLCHAIN": "go1.99.0",
    "GOFIPS140": "latest",
    "GODEBUG": "gocachehash=1",
    "CGO_ENABLED": "1",
    "CGO_CFLAGS": "-O3",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "tr_TR.UTF-8",
}


def test_the_same_commit_gives_the_same_image_anywhere(built: BuiltImage, tmp_path: Path) -> None:
    """Another folder, owner, time zone, file times and a hostile environment change no digest.

    The tree is a repository of somebody else, below a go.work, and the user's settings of Go are against it.
    """
    source = write_source(tmp_path / "some" / "where else")
    (tmp_path / "some" / "go.work").write_text("go 1.24\n")
    settings = tmp_path / "home" / ".config" / "go" / "env"
    settings.parent.mkdir(parents=True)
    settings.write_text("GOFLAGS=-tags=from-settings -nosuchflag\n")
    git = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([str(require_tool("git")), "init", "-q", str(source)], env=git, check=True)
    for path in [source, *source.rglob("*")]:
        os.utime(path, (1, 1))
        if os.geteuid() == 0:
            os.chown(path, 12345, 12345)
    hostile = {**HOSTILE, "HOME": str(tmp_path / "home"), "GOWORK": str(tmp_path / "some" / "go.work")}
    again = builder(tmp_path, hostile).build(request_for(tmp_path, source, BOTH))
    assert again.artifact.root.digest == built.artifact.root.digest
    assert again.inputs == built.inputs


def test_only_blobs_are_left_in_the_folder(built: BuiltImage) -> None:
    """Beside what is published nothing stays in the request's folder."""
    sources = [one.source for one in built.artifact.blobs]
    paths = {source.path for source in sources if isinstance(source, FileSource)}
    assert len(paths) == len(sources)
    assert set(next(iter(paths)).parent.iterdir()) == paths


def test_an_image_on_a_base_is_valid_in_a_registry(tmp_path: Path) -> None:
    """An image on a base in the same registry is pushed without reading the base's layers, and crane finds it whole."""
    with (
        crane_registry(tmp_path / "registry") as running,
        FaultProxy(running.host) as proxy,
        Transport(Lifetime(), {}) as transport,
    ):
        registry = Registry(transport, Anonymous())
        home, target = Repository(proxy.host, "bases/minimal"), Repository(proxy.host, "owner/widget-controller")
        stored = base_layout(tmp_path / "base")
        push(registry, home, "1", stored)
        request = request_for(tmp_path, write_source(tmp_path / "source"), BOTH)
        made = builder(tmp_path).build(replace(request, base=resolve_base(f"{home}:1", registry, BOTH)))
        proxy.clear()
        push(registry, target, "v1.2.3", made.artifact)
        layers = [child.blobs[1].digest for child in stored.children]
        assert not any(seen.method == "GET" and layer in seen.path for seen in proxy.requests for layer in layers)
        command = [str(require_tool("crane")), "validate", "--remote", f"{target}:v1.2.3"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        checked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
    assert made.warnings == ()
    document = config(made.artifact, 0)
    assert document["config"]["Env"] == ["PATH=/bin", "BASE=yes"]
    assert document["config"]["Labels"]["org.opencontainers.image.base.name"] == str(home)
    assert made.inputs["base"] == stored.root.digest


def test_a_base_folder_is_part_of_the_image(tmp_path: Path) -> None:
    """On a base from a layout folder the image is whole without any registry."""
    reference = write_folder(tmp_path / "layout", base_layout(tmp_path / "base", (HERE,)))
    source = write_source(tmp_path / "source")
    made = builder(tmp_path).build(request_for(tmp_path, source, base=reference))
    assert [list(members(made.artifact, 0, layer)) for layer in (1, 2, 3)] == [
        ["etc/os-release"],
        ["bin/LICENSE", "bin/ATTRIBUTION.md"],
        ["bin/controller"],
    ]


def test_a_compile_error_is_shown_and_logged(tmp_path: Path) -> None:
    """The first error is the cause, the compiler's last lines are the detail, and all that it printed is in the log."""
    calls = "".join(f"\tmissing{number:02}()\n" for number in range(30))
    error = refused(tmp_path, {"pkg/version/more.go": f"package version\n\nfunc f() {{\n{calls}}}\n"})
    assert isinstance(error, BuildFailed)
    assert error.cause == f"./cmd/controller does not compile for {HERE}: {FIRST_ERROR}"
    assert FIRST_ERROR in error.detail
    assert FIRST_ERROR in log_of(tmp_path)
    assert len(error.detail) <= 20


def test_a_newer_go_is_asked_for_before_compiling(tmp_path: Path) -> None:
    """A go.mod for a Go that is not there ends the build before anything is compiled, naming both versions."""
    error = refused(tmp_path, {"go.mod": f"module {MODULE}\n\ngo 1.99.1\n\ntoolchain go1.99.2\n"})
    assert isinstance(error, GoTooOld)
    installed = builder(tmp_path).check()
    assert error.cause == f"go.mod asks for Go 1.99.1, and Go {installed} is installed"
    assert "go build" not in log_of(tmp_path)
    assert "go list" not in log_of(tmp_path)


def test_a_newer_toolchain_line_alone_does_not_matter(tmp_path: Path) -> None:
    """The toolchain that a module would like best is not what it needs."""
    assert build(tmp_path, {"go.mod": f"module {MODULE}\n\ngo 1.24\n\ntoolchain go1.99.0\n"}).artifact.children


def test_a_dependency_may_want_a_newer_go_as_well(tmp_path: Path) -> None:
    """A module that is used and asks for a newer Go gives the same error."""
    error = refused(
        tmp_path,
        {
            "go.mod": f"module {MODULE}\n\ngo 1.24\n\nrequire example.com/d v1.0.0\n\nreplace example.com/d => ./d\n",
            "d/go.mod": "module example.com/d\n\ngo 1.99\n",
            "d/d.go": "package d\n",
            "pkg/version/more.go": 'package version\n\nimport _ "example.com/d"\n',
        },
    )
    assert isinstance(error, GoTooOld)
    assert "requires go >= 1.99" in error.cause


def test_a_gap_in_go_sum_is_a_failed_build(tmp_path: Path) -> None:
    """go.sum is not written by a release: what it lacks is said in Go's own words."""
    error = refused(
        tmp_path,
        {
            "go.mod": f"module {MODULE}\n\ngo 1.24\n\nrequire example.com/d v1.0.0\n",
            "pkg/version/more.go": 'package version\n\nimport _ "example.com/d"\n',
        },
    )
    assert isinstance(error, BuildFailed)
    assert any("missing go.sum entry" in line for line in error.detail)


def source_with_a_module(folder: Path, sums: str = SUMS) -> Path:
    """A controller's tree that needs a module."""
    return write_source(
        folder,
        {
            "go.mod": f"module {MODULE}\n\ngo 1.24\n\nrequire {NEEDED} v1.0.0\n",
            "go.sum": sums,
            "pkg/version/more.go": f'package version\n\nimport _ "{NEEDED}"\n',
        },
    )


@pytest.mark.parametrize("refusals", [(502, 503, 429), ("cut",), (500, "cut")], ids=str)
def test_a_module_proxy_that_answers_in_the_end(tmp_path: Path, refusals: tuple[int | str, ...]) -> None:
    """What a proxy could not answer is asked for again after a pause, and then the image is built."""
    source = source_with_a_module(tmp_path / "source")
    paused: list[float] = []
    with ModuleProxy(*refusals) as proxy:
        builder(tmp_path, {"GOPROXY": proxy.url}, paused=paused).build(request_for(tmp_path, source))
    assert paused == [*PAUSES[: len(refusals)]]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "503"])
def test_a_module_proxy_that_does_not_answer_calls_for_a_rerun(tmp_path: Path, url: str) -> None:
    """Where a module cannot be downloaded for all of the time allowed, the source is not to blame."""
    source = source_with_a_module(tmp_path / "source")
    paused: list[float] = []
    with ModuleProxy(503, always=True) as proxy:
        made = builder(tmp_path, {"GOPROXY": proxy.url if url == "503" else url}, paused=paused)
        with pytest.raises(ModulesUnavailable, match="cannot be loaded") as caught:
            made.build(request_for(tmp_path, source))
    assert caught.value.remedy == ModulesUnavailable.remedy
    assert paused == [*PAUSES]


@pytest.mark.parametrize(
    ("refusal", "sums", "error", "remedy"),
    [
        (404, SUMS, BuildFailed, "go.mod asks for a module"),
        (403, SUMS, ModulesUnavailable, "Give the job"),
        (None, SUMS.replace("h1:", "h1:AAAA", 1).replace("SWs=", "=", 1), BuildFailed, "A module is not what it was"),
        (None, "", BuildFailed, "Run go mod tidy"),
    ],
    ids=["unknown", "denied", "changed", "not in go.sum"],
)
def test_a_module_that_cannot_be_had(
    tmp_path: Path, refusal: int | None, sums: str, error: type[ReleaseError], remedy: str
) -> None:
    """What no further attempt would change is told at once, with who can act, in Go's own words."""
    source = source_with_a_module(tmp_path / "source", sums)
    paused: list[float] = []
    refusals = [] if refusal is None else [refusal]
    with ModuleProxy(*refusals, always=True) as proxy, pytest.raises(error, match=NEEDED) as caught:
        builder(tmp_path, {"GOPROXY": proxy.url}, paused=paused).build(request_for(tmp_path, source))
    assert caught.value.remedy.startswith(remedy)
    assert paused == []


@pytest.mark.parametrize("limit", ["ulimit -v 800000", "ulimit -t 1"], ids=["no memory left", "killed"])
def test_a_compiler_that_the_kernel_ends(tmp_path: Path, limit: str) -> None:
    """A compiler that is killed, or gets no memory, is the job's matter and not the source's."""
    limited = tmp_path / "limited-go"
    go = require_tool("go")
    limited.write_text(f'#!/bin/sh\ncase $1 in build) {limit};; esac\nexec {go} "$@"\n')
    limited.chmod(0o755)
    source = write_source(tmp_path / "source")
    with pytest.raises(OutOfMemory) as caught:
        # A cache of its own: what is compiled already would need neither time nor memory.
        builder(tmp_path, {"GOCACHE": str(tmp_path / "cache")}, str(limited)).build(request_for(tmp_path, source))
    assert "lower build.parallel" in caught.value.remedy


def test_the_token_for_a_module_proxy_is_in_no_message(tmp_path: Path) -> None:
    """Go repeats the address of its proxy with the token in it; neither the error nor the log does."""
    source = source_with_a_module(tmp_path / "source")
    with pytest.raises(ModulesUnavailable) as caught:
        builder(tmp_path, {"GOPROXY": "http://s3cr3t@127.0.0.1:9"}).build(request_for(tmp_path, source))
    for said in ("\n".join((caught.value.cause, *caught.value.detail)), (tmp_path / "go-build-log.txt").read_text()):
        assert "http://xxxxx@127.0.0.1:9" in said
        assert "s3cr3t" not in said


def test_modules_beside_the_source_are_used(tmp_path: Path) -> None:
    """With a vendor folder nothing is downloaded."""
    made = build(
        tmp_path,
        {
            "go.mod": f"module {MODULE}\n\ngo 1.24\n\nrequire example.com/d v1.0.0\n",
            "vendor/modules.txt": "# example.com/d v1.0.0\n## explicit; go 1.24\nexample.com/d\n",
            "vendor/example.com/d/d.go": "package d\n",
            "pkg/version/more.go": 'package version\n\nimport _ "example.com/d"\n',
        },
    )
    assert "-mod=vendor" in made.inputs["flags"]


def test_the_version_package_may_be_elsewhere(tmp_path: Path) -> None:
    """Version, commit and date go into the package that declares them, whatever its name."""
    made = build(
        tmp_path,
        {
            "pkg/version/version.go": None,
            "internal/build.info/info.go": VERSION.replace("package version", "package info"),
            "cmd/controller/main.go": MAIN.replace("pkg/version", "internal/build.info").replace("version.", "info."),
        },
    )
    assert run_program(tmp_path, members(made.artifact, 0, 3)["bin/controller"][1]) == RELEASE


def test_the_main_package_may_hold_the_version(tmp_path: Path) -> None:
    """A program that declares the variables itself is stamped as well."""
    imported = f'\n\n\t"{MODULE}/pkg/version"\n'
    text = MAIN.replace(imported, "\n").replace("version.", "") + VERSION.replace("package version\n", "")
    made = build(tmp_path, {"pkg/version/version.go": None, "cmd/controller/main.go": text})
    assert run_program(tmp_path, members(made.artifact, 0, 3)["bin/controller"][1]) == RELEASE


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {
                "pkg/version/version.go": VERSION.replace("BuildDate", "BuiltOn"),
                "cmd/controller/main.go": MAIN.replace("BuildDate", "BuiltOn"),
            },
            "uses declares the string variables GitVersion, GitCommit and BuildDate",
        ),
        (
            {"cmd/controller/main.go": "package main\n\nfunc main() {}\n"},
            f"no package that {MODULE}/cmd/controller uses declares",
        ),
        (
            {"cmd/controller/main.go": MAIN.replace("version.GitCommit, ", "")},
            f"{MODULE}/pkg/version.GitCommit is missing, because nothing in the program reads that variable",
        ),
        (
            {"cmd/controller/main.go": MAIN.replace(", version.BuildDate", "")},
            f"{MODULE}/pkg/version.BuildDate is missing, because nothing in the program reads that variable",
        ),
    ],
    ids=["no-date", "not-used", "commit-not-read", "date-not-read"],
)
def test_a_program_that_would_not_know_its_release_is_refused(
    tmp_path: Path, changes: Mapping[str, str | None], problem: str
) -> None:
    """What the linker lets pass in silence is an error that names the variable."""
    error = refused(tmp_path, changes)
    assert isinstance(error, BinaryWrong)
    assert problem in error.cause


def test_a_variable_that_is_missing_is_named(tmp_path: Path) -> None:
    """Where the version package lacks something, the error's detail says what."""
    error = refused(tmp_path, {"pkg/version/version.go": VERSION.replace("BuildDate  =", "BuildDate int; Other =")})
    assert error.detail == (f"{MODULE}/pkg/version has no BuildDate",)


@pytest.mark.parametrize(
    ("changes", "main", "problem"),
    [
        ({"LICENSE": None}, "cmd/controller", "there is no file LICENSE at the root of the repository"),
        ({"ATTRIBUTION.md": None}, "cmd/controller", "there is no file ATTRIBUTION.md at the root"),
        ({"LICENSE": None, "LICENSE/x": ""}, "cmd/controller", "there is no file LICENSE"),
        ({}, "cmd/absent", "there is no folder cmd/absent in the repository"),
        ({}, "pkg/version", f"{MODULE}/pkg/version is package version, not a main package"),
        ({"go.mod": None}, "cmd/controller", "there is no go.mod in cmd/controller or above it"),
        ({"go.mod": "module a\n\ngo x.y\n"}, "cmd/controller", "go.mod cannot be understood: 'x.y'"),
        ({"go.mod": "no module\n"}, "cmd/controller", "the packages that ./cmd/controller needs cannot be loaded"),
        ({"cmd/controller/main.go": None, "cmd/controller/README": ""}, "cmd/controller", "cannot be loaded"),
    ],
    ids=["licence", "attribution", "licence-folder", "no-main", "not-main", "no-module", "go", "module", "no-go-files"],
)
def test_a_tree_that_makes_no_image_is_refused(
    tmp_path: Path, changes: Mapping[str, str | None], main: str, problem: str
) -> None:
    """What the image needs and the tree lacks is named."""
    error = refused(tmp_path, changes, main=main)
    assert isinstance(error, BuildFailed)
    assert problem in error.cause


def test_a_licence_that_leads_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    """A link to a file of this machine does not get into an image."""
    source = write_source(tmp_path / "source", {"LICENSE": None})
    (source / "LICENSE").symlink_to("/etc/hostname")
    with pytest.raises(BuildFailed, match="there is no file LICENSE"):
        builder(tmp_path).build(request_for(tmp_path, source))


def test_the_nearest_module_is_compiled(tmp_path: Path) -> None:
    """In a repository with a module per service, the service's own is built, with the licence of the repository."""
    inner = {f"services/widget/{path}": text for path, text in SOURCE.items() if path.endswith((".go", ".mod"))}
    made = build(
        tmp_path,
        {
            **dict.fromkeys(path for path in SOURCE if path.endswith(".go")),
            "go.mod": "module other\n\ngo 1.99\n",
            **inner,
        },
        main="services/widget/cmd/controller",
    )
    assert run_program(tmp_path, members(made.artifact, 0, 3)["bin/controller"][1]) == RELEASE


OWN_MODULE = f"module {MODULE}/cmd/controller\n\ngo 1.24\n\n"
OF_ROOT = f"require {MODULE} v0.0.0-00010101000000-000000000000\n"
"""What makes cmd/controller a module of its own that takes pkg/version from the root's."""


@pytest.mark.parametrize(
    "changes",
    [
        {"cmd/controller/go.mod": f"{OWN_MODULE}{OF_ROOT}\nreplace {MODULE} => ../..\n"},
        {
            "cmd/controller/go.mod": OWN_MODULE,
            "go.work": "go 1.24\n\nuse (\n\t. // the root\n\t./cmd/controller\n)\n",
        },
        {
            "go.mod": "module example.com/none\n\ngo 1.24\n",
            "pkg/version/go.mod": f"module {MODULE}/pkg/version\n\ngo 1.24\n",
            "cmd/controller/go.mod": f"{OWN_MODULE}{OF_ROOT}\nreplace {MODULE} => ../../replaced\n".replace(
                OF_ROOT, OF_ROOT.replace(MODULE, f"{MODULE}/pkg/version")
            ).replace(f"{MODULE} => ../../replaced", f"{MODULE}/pkg/version => ../../pkg/version"),
        },
        {
            "cmd/controller/go.mod": f"{OWN_MODULE}{OF_ROOT}\nreplace {MODULE} => ../..\n",
            "cmd/controller/vendor/modules.txt": (
                f"# {MODULE} v0.0.0-00010101000000-000000000000 => ../..\n## explicit; go 1.24\n{MODULE}/pkg/version\n"
                f"# {MODULE} => ../..\n"
            ),
            f"cmd/controller/vendor/{MODULE}/pkg/version/version.go": VERSION,
        },
        {
            "cmd/controller/go.mod": f"{OWN_MODULE}{OF_ROOT.replace('v0.0.0-00010101000000-000000000000', 'v1.0.0')}",
            "cmd/controller/vendor/modules.txt": f"# {MODULE} v1.0.0\n## explicit; go 1.24\n{MODULE}/pkg/version\n",
            f"cmd/controller/vendor/{MODULE}/pkg/version/version.go": VERSION,
        },
    ],
    ids=["replaced", "workspace", "module-of-its-own", "vendored-and-replaced", "vendored"],
)
def test_the_version_package_may_be_in_another_module(tmp_path: Path, changes: Mapping[str, str | None]) -> None:
    """It is stamped wherever it lies in what the program is made of: replaced, in a workspace, or vendored."""
    made = build(tmp_path, changes)
    assert run_program(tmp_path, members(made.artifact, 0, 3)["bin/controller"][1]) == RELEASE
    assert made.inputs.get("workspace") == ("go.work" if "go.work" in changes else None)


def test_the_nearest_version_package_is_stamped(tmp_path: Path) -> None:
    """Where the main package's module has one, that of another module is left as it is."""
    root = VERSION.replace('= "unknown"', '= "of the root"')
    both = MAIN.replace('"fmt"\n', f'"fmt"\n\n\tother "{MODULE}/pkg/version"\n').replace(
        f'"{MODULE}/pkg/version"\n)', f'"{MODULE}/cmd/controller/pkg/version"\n)'
    )
    made = build(
        tmp_path,
        {
            "pkg/version/version.go": root,
            "cmd/controller/pkg/version/version.go": VERSION,
            "cmd/controller/main.go": both.replace("version.BuildDate)", "version.BuildDate, other.BuildDate)"),
            "cmd/controller/go.mod": f"{OWN_MODULE}{OF_ROOT}\nreplace {MODULE} => ../..\n",
        },
    )
    assert run_program(tmp_path, members(made.artifact, 0, 3)["bin/controller"][1]) == f"{RELEASE} of the root"


def test_a_module_beside_the_repository_is_refused(tmp_path: Path) -> None:
    """What go.mod takes from a folder that only this machine has is not in the commit."""
    write_source(tmp_path / "elsewhere", {"go.mod": "module example.com/d\n\ngo 1.24\n"})
    error = refused(
        tmp_path,
        {
            "go.mod": f"module {MODULE}\n\ngo 1.24\n\nrequire example.com/d v0.0.0\n"
            "replace example.com/d => ../elsewhere\n",
            "pkg/version/more.go": 'package version\n\nimport _ "example.com/d/pkg/version"\n',
        },
    )
    assert isinstance(error, BuildFailed)
    assert error.cause.startswith("example.com/d/pkg/version lies in ")
    assert error.cause.endswith("outside of the repository: the commit does not hold it")


POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
EMBEDDING = 'package version\n\nimport "embed"\n\n//go:embed data\nvar Data embed.FS\n'


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"pkg/version/more.go": EMBEDDING, "pkg/version/data/model.bin": POINTER}, "pkg/version/data/model.bin"),
        ({"pkg/version/more.go": POINTER}, "pkg/version/more.go"),
        ({"pkg/version/more_linux.go": POINTER}, "pkg/version/more_linux.go"),
        ({"pkg/version/more_test.go": POINTER}, "pkg/version/more_test.go"),
        ({"pkg/version/object.syso": POINTER}, "pkg/version/object.syso"),
        ({"ATTRIBUTION.md": POINTER}, "ATTRIBUTION.md"),
        ({"go.mod": POINTER}, "go.mod"),
        (
            {"pkg/version/more.go": EMBEDDING, "pkg/version/data/a": "a", "pkg/version/data/sub": None},
            "pkg/version/data/sub",
        ),
        ({"pkg/version/more.go": f'package version\n\nimport _ "{MODULE}/sub/x"\n', "sub": None}, "sub"),
        (
            {
                "go.mod": f"module {MODULE}\n\ngo 1.24\n\nrequire example.com/d v0.0.0\n"
                "replace example.com/d => ./sub\n",
                "pkg/version/more.go": 'package version\n\nimport _ "example.com/d"\n',
                "sub": None,
            },
            "sub",
        ),
        (
            {
                "cmd/controller/go.mod": OWN_MODULE,
                "go.work": "go 1.24\nuse .\nuse ./cmd/controller\n",
                "pkg/version/more.go": EMBEDDING,
                "pkg/version/data/model.bin": POINTER,
            },
            "pkg/version/data/model.bin",
        ),
    ],
    ids=[
        *(
            "embedded",
            "compiled",
            "for-the-platform",
            "test-beside",
            "object",
            "licence",
            "go.mod",
            "embedded-submodule",
        ),
        *("imported-submodule", "replaced-submodule", "workspace"),
    ],
)
def test_what_the_commit_only_points_to_is_named_before_building(
    tmp_path: Path, changes: Mapping[str, str | None], named: str
) -> None:
    """A pointer or submodule that the program is made of is seen without compiling; None makes an empty folder."""
    source = write_source(tmp_path / "source", changes)
    for path in (path for path, text in changes.items() if text is None):
        (source / path).mkdir(parents=True)
    with pytest.raises(BuildFailed, match="the program needs what is not there") as caught:
        builder(tmp_path).inspect(source, "./cmd/controller", (HERE,))
    assert f"{named} is a" in caught.value.cause
    assert "the commit does not hold its content" in caught.value.cause
    assert caught.value.exit_code == 6


def test_pointers_that_the_program_does_not_need_stop_nothing(tmp_path: Path) -> None:
    """Pictures, tests, other platforms' files and folders that nothing embeds may be pointers."""
    source = write_source(
        tmp_path / "source",
        {
            "docs/picture.png": POINTER,
            "pkg/other/other_test.go": POINTER,
            "pkg/version/more_windows.go": POINTER,
            "pkg/version/data/model.bin": POINTER,
            "examples/main.go": POINTER,
        },
    )
    (source / "third_party" / "module").mkdir(parents=True)
    (source / "somewhere").symlink_to("/etc")
    builder(tmp_path).inspect(source, "./cmd/controller", (HERE,))
    assert builder(tmp_path).build(request_for(tmp_path, source)).inputs["builder"] == "go"


def test_without_pointers_go_is_not_asked(tmp_path: Path) -> None:
    """Looking at a tree that holds everything runs nothing but the check of Go's version."""
    builder(tmp_path).inspect(write_source(tmp_path / "source"), "./cmd/controller", (HERE,))
    assert "go list" not in log_of(tmp_path)


def test_one_platform_still_makes_an_index(tmp_path: Path) -> None:
    """An image for one platform has an index with one entry."""
    layout = build(tmp_path).artifact
    assert layout.root.is_index
    assert [child.platform for child in layout.root.children] == [HERE]


def test_the_version_of_go_is_told(tmp_path: Path) -> None:
    """The installed Go says its version, without the word go."""
    said = subprocess.run([str(require_tool("go")), "version"], capture_output=True, text=True, check=True).stdout
    assert f"go{builder(tmp_path).check()} " in said


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (None, "cannot be started: No such file or directory"),
        ("echo go1.25.11", "is 1.25.11"),
        ("echo go1.9", "is 1.9"),
        ("echo gccgo 12", "prints no version"),
        ("echo go1.26.8; exit 3", "prints no version"),
    ],
    ids=["missing", "old", "older", "other", "failing"],
)
def test_an_unusable_go_is_refused(tmp_path: Path, script: str | None, problem: str) -> None:
    """A Go that is missing, older than the runner's minimum or not Go at all is named with what is needed."""
    program = tmp_path / "go"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    with pytest.raises(ToolUnusable, match=problem) as caught:
        builder(tmp_path, executable=str(program)).check()
    assert caught.value.cause.startswith(f"go 1.26 or newer is needed; {program} ")
