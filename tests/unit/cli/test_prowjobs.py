from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from runner.cli.prowjobs import prowjobs
from testbed.prow.job_configs import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def jobs_file(folder: Path, text: str = "services: {s3: }\n") -> Path:
    """A jobs.yaml with jobs for these services."""
    path = folder / "jobs.yaml"
    path.write_text(f"registry: registry.example/ack\nprow: {{image: '{IMAGE}'}}\n{text}", encoding="utf-8")
    return path


def called(command: str, config: Path, folder: Path) -> Result:
    """Call a command; its exit code is the result's return value."""
    options = [command, "--config", str(config), "--folder", str(folder)]
    return CliRunner().invoke(prowjobs, options, standalone_mode=False, catch_exceptions=False)


def test_what_was_done_is_told(tmp_path: Path) -> None:
    """Generate names what it wrote and removed, check what it found, with the remedy on the last line."""
    config, folder = jobs_file(tmp_path, "services: {s3: , sns: }\n"), tmp_path / "prowjobs"
    checked = called("check", config, folder)
    assert (checked.return_value, checked.stdout) == (2, "")
    assert f"ERROR: {folder}/deck.yaml is missing (and 3 more). Run ack-release prowjobs generate" in checked.stderr
    assert checked.stderr.endswith("exit=2 code=generated-files-differ\n")
    assert called("generate", config, folder).return_value == 0
    jobs_file(tmp_path)
    (folder / "own.txt").write_text("", encoding="utf-8")
    results = [called(command, config, folder) for command in ("generate", "check")]
    assert [(result.return_value, result.stderr) for result in results] == [(0, ""), (0, "")]
    assert "".join(result.stdout for result in results).splitlines() == [
        f"removed {folder}/jobs/sns-controller.yaml",
        f"{folder}: 3 files, 3 of them unchanged",
        f"note: {folder}/own.txt was not generated; it is left alone",
        f"{folder}: 3 files, all as generated",
    ]


@pytest.mark.parametrize("command", ["generate", "check"])
def test_a_mistake_in_the_configuration(tmp_path: Path, command: str) -> None:
    """Whatever is wrong with jobs.yaml is exit 2 and reported with its line, and nothing is written."""
    config, folder = jobs_file(tmp_path, "servces: {}\n"), tmp_path / "prowjobs"
    result = called(command, config, folder)
    assert (result.return_value, result.stdout) == (2, "")
    assert f"ERROR: {config}:3: unknown key 'servces'; did you mean 'services'?" in result.stderr
    assert not folder.exists()


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    """Of a folder that differs everywhere only the beginning is printed, and how much more there is."""
    config = jobs_file(tmp_path, "services: {" + ", ".join(f"s{number}: " for number in range(40)) + "}\n")
    *shown, more, last = called("check", config, tmp_path / "prowjobs").stderr.splitlines()
    assert len(shown) == 30
    assert all(line.startswith("  | ") for line in shown)
    assert more == "  | … (12 more lines)"
    assert last.startswith("ERROR: ")
