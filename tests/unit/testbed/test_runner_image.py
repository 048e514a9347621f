"""What goes into the runner's image, and what keeps it from being built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.config.load import load_config
from testbed import debian_base
from testbed.paths import ROOT
from testbed.runner_image import ImageFailed, build_image, copy_configuration, copy_go, default_base, settle

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
    name, _, tag = default_base().partition("@")[0].rpartition(":")
    assert name
    assert len(tag.partition("-")[0].split(".")) == 3
    assert "latest" not in tag


def test_dates_and_rights_of_the_machine_are_left_behind(tmp_path: Path) -> None:
    """Whatever umask and moment files were made in, they are dated 1970, and only their owner may write them."""
    program, text, link = tmp_path / "folder" / "program", tmp_path / "folder" / "text", tmp_path / "link"
    program.parent.mkdir(mode=0o700)
    for file, mode in ((program, 0o4711), (text, 0o666)):
        file.touch()
        file.chmod(mode)
    link.symlink_to("/nowhere")
    settle(tmp_path)
    assert {path.lstat().st_mtime for path in (tmp_path, program.parent, program, text, link)} == {0}
    modes = [path.stat().st_mode & 0o7777 for path in (tmp_path, program.parent, program, text)]
    assert modes == [0o755, 0o755, 0o755, 0o644]


def test_a_base_is_made_once_for_what_goes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept base is taken again until suite, packages or the script that makes it change."""
    made: list[Path] = []

    def make(archive: Path) -> None:
        archive.touch()
        made.append(archive)

    monkeypatch.setattr(debian_base, "make_base", make)
    first = debian_base.kept_base(tmp_path)
    assert debian_base.kept_base(tmp_path) == first
    monkeypatch.setattr(debian_base, "PACKAGES", (*debian_base.PACKAGES, "curl"))
    second = debian_base.kept_base(tmp_path)
    monkeypatch.setattr(debian_base, "SUITE", "trixie")
    third = debian_base.kept_base(tmp_path)
    copy = tmp_path / "debian_base.py"
    copy.write_text("another script")
    monkeypatch.setattr(debian_base, "__file__", str(copy))
    assert made == [first, second, third, debian_base.kept_base(tmp_path)]
    assert len(set(made)) == 4


def test_a_wrong_jobs_file_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    """A jobs.yaml that no run would take is refused, with file, line and what to do."""
    wrong = tmp_path / "jobs.yaml"
    wrong.write_text("registri: h.example/n\n")
    with pytest.raises(ImageFailed, match=r"jobs\.yaml:1: .*registry.* ack-release schema"):
        build_image("any", jobs=wrong)


@pytest.mark.parametrize("named", ["catalog.yaml", "gallery/catalog.yaml"])
def test_the_catalog_goes_with_the_jobs_file(tmp_path: Path, named: str) -> None:
    """The catalog that jobs.yaml names is in the image, where jobs.yaml finds it."""
    jobs, baked = tmp_path / "given" / "jobs.yaml", tmp_path / "context" / "jobs.yaml"
    (jobs.parent / named).parent.mkdir(parents=True)
    (jobs.parent / named).write_text("image: {description: A}\n")
    jobs.write_text(f"registry: h.example/n\naws: {{catalog: {named}}}\n")
    baked.parent.mkdir()
    copy_configuration(jobs, baked)
    assert load_config(baked).catalog == load_config(jobs).catalog


def test_a_catalog_elsewhere_is_refused(tmp_path: Path) -> None:
    """A catalog that would not be found beside the baked jobs.yaml is refused by name."""
    jobs = tmp_path / "jobs.yaml"
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text("image: {description: A}\n")
    jobs.write_text(f"registry: h.example/n\naws: {{catalog: {catalog}}}\n")
    with pytest.raises(ImageFailed, match=r"aws\.catalog is .*only a file in the folder of jobs\.yaml"):
        copy_configuration(jobs, tmp_path / "baked.yaml")


def test_a_missing_docker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without docker on PATH, that is said, with the package that has it."""

    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError("docker")

    monkeypatch.setattr("testbed.runner_image.read", missing)
    with pytest.raises(ImageFailed, match=r"docker is not on PATH.*docker\.io"):
        build_image("any", jobs=ROOT / "config" / "jobs.yaml", environment={"PATH": str(tmp_path)})
