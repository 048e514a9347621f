"""The command line's options, made from what ``runner.config.settings`` declares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.config.settings import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config.settings import OptionKind

FOLDER = click.Path(path_type=Path, file_okay=False)

TAKES: Mapping[OptionKind, Mapping[str, Any]] = {
    "text": {},
    "texts": {"multiple": True},
    "file": {"type": click.Path(path_type=Path, dir_okay=False)},
    "folder": {"type": FOLDER},
    "flag": {"is_flag": True},
}
"""What click needs to know of an option that takes this."""


def options_of(command: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add every option that a command has; each is handed to it by the name of its field of ``Options``."""
    names = [name for name, declared in OPTIONS.items() if command in declared.commands]

    def add(function: Callable[..., int]) -> Callable[..., int]:
        for name in reversed(names):
            function = option(name)(function)
        return function

    return add


def option(name: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add one option, by the name of its field of ``Options``."""
    declared = OPTIONS[name]
    takes = {"type": click.Choice(declared.choices)} if declared.choices else TAKES[declared.kind]
    return click.option(declared.flag, name, metavar=declared.metavar, help=declared.help, **takes)
