from __future__ import annotations

from typing import TYPE_CHECKING

from hack.generate import ROOT, drifted, errors_page, generated, main
from runner import errors
from runner.report.record import BUG_REMEDY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_generated_files_are_up_to_date() -> None:
    """What is checked in is what the program would write; else: python -m hack.generate."""
    assert drifted(ROOT) == []


def test_drift_is_named(tmp_path: Path) -> None:
    """A generated file that is missing or was edited by hand is named."""
    for path, text in generated().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert drifted(tmp_path) == []
    (tmp_path / "docs/errors.md").write_text("edited", encoding="utf-8")
    (tmp_path / "config/jobs.schema.json").unlink()
    assert drifted(tmp_path) == ["config/jobs.schema.json", "docs/errors.md"]


def test_the_check_fails_on_drift_and_writing_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --check nothing is written and drift exits 1; without it the files are written and the check passes."""
    monkeypatch.setattr("hack.generate.ROOT", tmp_path)
    assert main(["--check"]) == 1
    assert "docs/errors.md is not up to date" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_every_error_stands_on_the_page_with_its_remedy() -> None:
    """Each error class is a row under its exit code, with its code and its remedy."""
    page = errors_page()
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.ReleaseError) and value is not errors.ReleaseError:
            section = page.split(f"## Exit {value.exit_code.value}:")[1].split("## Exit")[0]
            assert f"| `{value('').code}` |" in section
            assert value.remedy.replace("|", "\\|") in section
            (row,) = (line for line in section.splitlines() if line.startswith(f"| `{value('').code}` |"))
            assert f"| {value.recognised} | {value.acts.name.lower()} |" in row


def test_who_acts_is_explained() -> None:
    """Whoever can act stands above the tables, with what that means."""
    beginning = errors_page().split("## Exit")[0]
    for who in errors.Acts:
        assert f"- **{who.name.lower()}** {who.value}." in beginning
    assert BUG_REMEDY in beginning
