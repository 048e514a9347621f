"""Writes the files that are made from the program: ``python -m hack.generate``; with ``--check`` names what drifted."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path

from runner import errors
from runner.config.catalog import catalog_schema
from runner.config.schema import json_schema
from runner.report.findings import audit_schema, history_schema, verify_schema
from runner.report.record import BUG_REMEDY, record_schema

ROOT = Path(__file__).resolve().parents[1]

_INTRODUCTION = """# Errors

Generated from `runner/errors.py` by `python -m hack.generate`. A run that fails prints one line that begins `ERROR:`
and holds cause and remedy. The remedy here is the general one; the line's own may be more precise.

Who acts:
"""
_COLUMNS = ("error", "when", "how it is recognised", "who acts", "what to do")


def generated() -> dict[str, str]:
    """Return the text of every generated file, by its path from the project's root."""
    return {
        "config/catalog.schema.json": json.dumps(catalog_schema(), indent=2, ensure_ascii=False) + "\n",
        "config/jobs.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        "docs/audit.schema.json": json.dumps(audit_schema(), indent=2, ensure_ascii=False) + "\n",
        "docs/errors.md": errors_page(),
        "docs/record.schema.json": json.dumps(record_schema(), indent=2, ensure_ascii=False) + "\n",
        "docs/stable-history.schema.json": json.dumps(history_schema(), indent=2, ensure_ascii=False) + "\n",
        "docs/verify.schema.json": json.dumps(verify_schema(), indent=2, ensure_ascii=False) + "\n",
    }


def drifted(root: Path) -> list[str]:
    """Return which generated files are missing below ``root`` or differ from what would be written."""
    return [
        path
        for path, text in generated().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def errors_page() -> str:
    """Return the page of all errors: one table for each exit code."""
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.ReleaseError) and value is not errors.ReleaseError
    ]
    bug = f"\nExit 1, `bug`, is whatever none of these errors expects. {BUG_REMEDY}\n"
    parts = [_INTRODUCTION, "\n", *(f"- **{who.name.lower()}** {who.value}.\n" for who in errors.Acts), bug]
    for exit_code in errors.ExitCode:
        rows = [_row(cls) for cls in classes if cls.exit_code == exit_code]
        if rows:
            title = exit_code.name.lower().replace("_", " ")
            parts.append(
                f"\n## Exit {exit_code.value}: {title}\n\n| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|\n"
                + "".join(rows)
            )
    return "".join(parts)


def _row(cls: type[errors.ReleaseError]) -> str:
    when = " ".join((inspect.getdoc(cls) or "").split()).replace("``", "`")
    cells = (f"`{cls('').code}`", when, cls.recognised, cls.acts.name.lower(), cls.remedy)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Write all generated files, or with ``--check`` return 1 and name those that drifted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not up to date")
    stale = drifted(ROOT)
    if parser.parse_args(arguments).check:
        for path in stale:
            print(f"{path} is not up to date: run python -m hack.generate")
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(generated()[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
