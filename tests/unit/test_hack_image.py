"""What goes into the runner's image, and what keeps it from being built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.image import DOCKERFILE, ROOT, ImageFailed, build_image, copy_go, default_base
from runner.settings import BAKED_CONFIG

if TYPE_CHECKING:
    from pathlib import Path

KEPT = (
    "VERSION",
    "go.env",
    "bin/go",
    "pkg/tool/linux_amd64/compile",
    "pkg/include/textflag.h",
    "src/runtime/asm_amd64.s",
    "src/testing/testing.go",
    "src/internal/testenv/testenv.go",
    "src/crypto/internal/fips140/check/check.go",
    "src/vendor/modules.txt",
    "lib/time/zoneinfo.zip",
    "misc.go",
    "src/api/api.go",
)
LEFT = (
    "api/go1.txt",
    "doc/go_spec.html",
    "misc/wasm/wasm_exec.js",
    "test/fixedbugs/bug.go",
    "src/cmd/compile/main.go",
    "src/fmt/fmt_test.go",
    "src/archive/tar/testdata/small.txt",
    "src/all.bash",
    "README.md",
)


def test_a_go_toolchain_is_copied_without_what_compiling_never_reads(tmp_path: Path) -> None:
    """Tools, sources, headers and time zones are copied; tests, their data, documentation and Go's own commands not."""
    for name in (*KEPT, *LEFT):
        file = tmp_path / "go" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    copy_go(tmp_path / "go", tmp_path / "copy")
    copied = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert copied == set(KEPT)


def test_the_default_base_is_exact() -> None:
    """The Dockerfile's base has an exact tag: a version of three numbers, never a moving one."""
    name, _, tag = default_base().rpartition(":")
    assert name
    assert len(tag.partition("-")[0].split(".")) == 3
    assert "latest" not in tag


def test_jobs_are_baked_in_where_the_runner_looks() -> None:
    """The Dockerfile puts jobs.yaml where a run without --config finds it."""
    assert f"COPY jobs.yaml {BAKED_CONFIG}\n" in DOCKERFILE.read_text(encoding="utf-8")


def test_a_wrong_jobs_file_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    """A jobs.yaml that no run would take is refused, with file, line and what to do."""
    wrong = tmp_path / "jobs.yaml"
    wrong.write_text("registri: h.example/n\n")
    with pytest.raises(ImageFailed, match=r"jobs\.yaml:1: .*registry.* ack-release schema"):
        build_image("any", jobs=wrong)


def test_a_missing_docker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without docker on PATH, that is said, with the package that has it."""

    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError("docker")

    monkeypatch.setattr("hack.image.read", missing)
    with pytest.raises(ImageFailed, match=r"docker is not on PATH.*docker\.io"):
        build_image("any", jobs=ROOT / "config" / "jobs.yaml", environment={"PATH": str(tmp_path)})
