from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from runner.cli.prowjobs import prowjobs
from runner.config.load import load_config
from runner.config.prow import PLACEHOLDER_IMAGE
from testbed.prow.job_configs import IMAGE

if TYPE_CHECKING:
    from click.testing import Result


CHECKED_IN = Path(__file__).resolve().parents[3] / "config" / "jobs.yaml"


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


def test_foreign_files_where_the_check_fails(tmp_path: Path) -> None:
    """Files that were not generated are named whether the folder is up to date or not."""
    config, folder = jobs_file(tmp_path), tmp_path / "prowjobs"
    called("generate", config, folder)
    (folder / "own.txt").write_text("", encoding="utf-8")
    (folder / "deck.yaml").unlink()
    result = called("check", config, folder)
    assert result.return_value == 2
    assert result.stdout == f"note: {folder}/own.txt was not generated; it is left alone\n"
    assert f"ERROR: {folder}/deck.yaml is missing. Run" in result.stderr


@pytest.mark.parametrize(
    ("prow", "services", "noted"),
    [
        (PLACEHOLDER_IMAGE, "s3: ", True),
        (PLACEHOLDER_IMAGE, "", True),
        (IMAGE, "s3: ", False),
        (IMAGE, f"s3: {{prow: {{image: '{PLACEHOLDER_IMAGE}'}}}}", True),
        (PLACEHOLDER_IMAGE, f"s3: {{prow: {{image: '{IMAGE}'}}}}", False),
    ],
)
def test_an_image_that_nobody_has_published(tmp_path: Path, prow: str, services: str, *, noted: bool) -> None:
    """The check says in one line that jobs would run the placeholder, whether the folder is up to date or not."""
    config, folder = tmp_path / "jobs.yaml", tmp_path / "prowjobs"
    config.write_text(
        f"registry: registry.example/ack\nprow: {{image: '{prow}'}}\nservices: {{{services}}}\n", encoding="utf-8"
    )
    before = called("check", config, folder)
    called("generate", config, folder)
    after = called("check", config, folder)
    assert (before.return_value, after.return_value) == (2, 0)
    for result in (before, after):
        notes = [line for line in result.stdout.splitlines() if line.startswith("note: ")]
        assert [f"still {PLACEHOLDER_IMAGE}, a placeholder that nobody has published" in note for note in notes] == (
            [True] if noted else []
        )


def test_the_checked_in_image() -> None:
    """The checked-in jobs.yaml names the placeholder, so that who takes it over is told."""
    prow = load_config(CHECKED_IN).prow
    assert prow is not None
    assert prow.image == PLACEHOLDER_IMAGE


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
