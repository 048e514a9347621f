"""``prowjobs generate`` and ``prowjobs check``: Prow's job configuration, made from jobs.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.exit import exit_code_of
from runner.cli.options import FOLDER, option
from runner.config.load import load_config
from runner.config.settings import Options, config_file
from runner.prow.generate.files import placeholder_note, prow_files
from runner.prow.generate.folder import check_folder, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.config.load import Config

EXAMPLES = """
\b
Examples:
  ack-release prowjobs generate                    write prowjobs/ from config/jobs.yaml
  ack-release prowjobs check                       is it what config/jobs.yaml gives?

\b
Exit codes:
  0  done, or up to date
  2  the folder is not up to date or cannot be used, or jobs.yaml is wrong
"""


@click.group(epilog=EXAMPLES)
def prowjobs() -> None:
    """Prow's job configuration, made from jobs.yaml."""


def with_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that both commands have."""
    folder = click.option("--folder", type=FOLDER, default=Path("prowjobs"), help="[default: prowjobs]")
    return option("config")(folder(command))


@prowjobs.command(epilog=EXAMPLES)
@with_options
def generate(config: Path | None, folder: Path) -> int:
    """Write prowjobs/ from jobs.yaml.

    Only generated files in the folder are changed or removed.
    """

    def write() -> None:
        changed = write_folder(folder, prow_files(_config(config), folder))
        for path in changed.written:
            click.echo(f"wrote {folder / path}")
        for path in changed.removed:
            click.echo(f"removed {folder / path}")
        total = changed.unchanged + len(changed.written)
        click.echo(f"{folder}: {total} files, {changed.unchanged} of them unchanged")

    return exit_code_of(write)


@prowjobs.command(epilog=EXAMPLES)
@with_options
def check(config: Path | None, folder: Path) -> int:
    """Say whether prowjobs/ is up to date.

    Exits 2 if a file differs, is missing or is no longer generated, and shows the difference. Notes name files that
    were not generated, and say if the image is one that nobody has published.
    """

    def compare() -> None:
        read = _config(config)
        files = prow_files(read, folder)
        compared = check_folder(folder, files)
        for path in compared.foreign:
            click.echo(f"note: {folder / path} was not generated; it is left alone")
        if note := placeholder_note(read):
            click.echo(f"note: {note}")
        if compared.error is not None:
            raise compared.error
        click.echo(f"{folder}: {len(files)} files, all as generated")

    return exit_code_of(compare)


def _config(config: Path | None) -> Config:
    return load_config(Path(config_file(Options(config=config)).value))
