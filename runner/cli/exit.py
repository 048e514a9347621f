"""Leaving the process, and telling why where no session does it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import click

from runner.errors import ExitCode, ReleaseError
from runner.report.words import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

DETAIL_LINES = 30
"""How many lines of an error's detail are printed."""


def exit_code_of(work: Callable[[], object]) -> int:
    """Do what needs no session; print what it refuses, and return the process's exit code."""
    try:
        work()
    except ReleaseError as error:
        return print_error(error)
    return ExitCode.DONE


def print_error(error: ReleaseError) -> int:
    """Print an error to stderr, what was found first and cause and remedy in the last line; return its exit code."""
    for line in error.detail[:DETAIL_LINES]:
        click.echo(f"  | {line}", err=True)
    if len(error.detail) > DETAIL_LINES:
        click.echo(f"  | … ({len(error.detail) - DETAIL_LINES} more lines)", err=True)
    click.echo(f"ERROR: {sentence(error.cause)} {error.remedy} exit={error.exit_code} code={error.code}", err=True)
    return error.exit_code


def leave(code: int) -> NoReturn:
    """End the process.

    Threads of an ended session may still wait on a socket, and a reader may have stopped to read: this waits for
    neither. So everything that is printed is flushed where it is printed.
    """
    os._exit(code)
