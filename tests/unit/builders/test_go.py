from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.builders.base import Base
from runner.builders.builder import BuildRequest
from runner.builders.elf import MACHINES
from runner.builders.go import FIXED, KEPT, check_program, go_environment, linker_flags
from runner.builders.gomodule import VARIABLES, GoPackage
from runner.errors import BinaryWrong
from runner.oci.manifest import Platform
from testbed.base_images import AMD64, ARM64, BOTH
from testbed.executables import program

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PACKAGE = GoPackage("example.com/controller/pkg/version", "version", "example.com/controller")
REQUEST = BuildRequest(
    service="s3",
    source=Path("source"),
    main="cmd/controller",
    version="v1.2.3",
    revision=COMMIT,
    created=datetime(2026, 8, 13, 23, 46, 38, tzinfo=UTC),
    source_url="https://github.com/aws-controllers-k8s/s3-controller",
    platforms=BOTH,
    base=Base("scratch", None, None, {}),
    folder=Path("folder"),
)
STAMPED = {
    PACKAGE.symbol("GitVersion"): "v1.2.3",
    PACKAGE.symbol("GitCommit"): COMMIT,
    PACKAGE.symbol("BuildDate"): "2026-08-13T23:46:38Z",
}

go_words = st.from_regex(r"(GO|CGO_)[A-Z0-9]{1,12}", fullmatch=True)


@given(st.dictionaries(go_words, st.text(max_size=9)), st.sampled_from(BOTH))
def test_gos_own_variables_are_written_from_nothing(inherited: dict[str, str], platform: Platform) -> None:
    """Whatever Go's variables were, only places are taken over; all else is the same on every machine."""
    mine = go_environment(inherited, platform)
    assert {key: value for key, value in mine.items() if key not in KEPT} == go_environment({}, platform)
    assert {key: value for key, value in mine.items() if key in KEPT} == {
        key: value for key, value in inherited.items() if key in KEPT
    }


def test_what_is_not_gos_is_taken_over() -> None:
    """The rest of the environment is the workspace's affair."""
    others = {"PATH": "/bin", "HOME": "/elsewhere", "HTTPS_PROXY": "http://proxy", "TMPDIR": "/elsewhere/tmp"}
    assert go_environment(others).items() >= others.items()


@pytest.mark.parametrize("key", ["GOFLAGS", "GOEXPERIMENT"])
def test_flags_and_experiments_are_none(key: str) -> None:
    """Flags stand on the command line alone."""
    assert FIXED[key] == ""


@pytest.mark.parametrize(
    ("platform", "wanted"),
    [
        ("linux/amd64", {"GOARCH": "amd64", "GOAMD64": "v1"}),
        ("linux/amd64/v3", {"GOARCH": "amd64", "GOAMD64": "v3"}),
        ("linux/arm64", {"GOARCH": "arm64", "GOARM64": "v8.0"}),
        ("linux/arm64/v8", {"GOARCH": "arm64", "GOARM64": "v8.0"}),
        ("linux/arm64/v9", {"GOARCH": "arm64", "GOARM64": "v9.0"}),
        ("linux/arm/v6", {"GOARCH": "arm", "GOARM": "6"}),
        ("linux/arm", {"GOARCH": "arm", "GOARM": "7"}),
        ("linux/s390x", {"GOARCH": "s390x"}),
    ],
)
def test_a_platform_decides_what_the_processor_must_have(platform: str, wanted: dict[str, str]) -> None:
    """The variant of a platform is the level in Go's words; without one it is the lowest that is usual."""
    made = go_environment({"GOAMD64": "v4", "GOARM": "5"}, Platform.parse(platform))
    assert made == {**FIXED, "GOOS": "linux", **wanted}


def test_the_linker_gets_version_commit_and_date() -> None:
    """The commit's time is written in UTC, the version as in the image's tag."""
    assert linker_flags([PACKAGE], REQUEST).split(" -X ") == [
        "-X example.com/controller/pkg/version.GitVersion=v1.2.3",
        f"example.com/controller/pkg/version.GitCommit={COMMIT}",
        "example.com/controller/pkg/version.BuildDate=2026-08-13T23:46:38Z",
    ]


def binary(folder: Path, variables: Mapping[str, str], architecture: str = "amd64") -> Path:
    file = folder / "controller"
    file.write_bytes(program(MACHINES[architecture], variables))
    return file


@pytest.mark.parametrize(("platform", "architecture"), [(AMD64, "amd64"), (ARM64, "arm64")], ids=str)
def test_a_program_that_says_which_release_it_is_passes(tmp_path: Path, platform: Platform, architecture: str) -> None:
    """A program for its platform, with all three values, is what is wanted."""
    check_program(binary(tmp_path, STAMPED, architecture), platform, [PACKAGE], REQUEST)


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("found", [None, "", "v1.2", "v1.2.31"], ids=["dropped", "unset", "shorter", "longer"])
def test_each_value_must_be_there(tmp_path: Path, variable: str, found: str | None) -> None:
    """A value that is missing or not exactly the wanted one is refused, and the message names the variable."""
    changed = {key: value for key, value in STAMPED.items() if not key.endswith(variable)}
    if found is not None:
        changed[PACKAGE.symbol(variable)] = found
    with pytest.raises(BinaryWrong, match=rf"{variable} is {'missing' if found is None else repr(found)}") as caught:
        check_program(binary(tmp_path, changed), AMD64, [PACKAGE], REQUEST)
    others = [name for name in VARIABLES if name != variable]
    assert not any(name in caught.value.cause for name in others)


def test_a_program_for_another_architecture_is_refused(tmp_path: Path) -> None:
    """A program that would not start on its platform is not published for it."""
    with pytest.raises(BinaryWrong, match="the program for linux/arm64 is compiled for amd64"):
        check_program(binary(tmp_path, STAMPED), ARM64, [PACKAGE], REQUEST)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01"], ids=["empty", "script", "cut"])
def test_what_is_no_program_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no ELF executable cannot be a controller."""
    file = tmp_path / "controller"
    file.write_bytes(content)
    with pytest.raises(BinaryWrong, match="the program for linux/amd64 cannot be read"):
        check_program(file, AMD64, [PACKAGE], REQUEST)
