from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from runner.builders.table import BUILDERS
from runner.config.load import parse_config
from runner.config.schema import BuildSection
from runner.config.settings import Options, resolve_settings
from runner.errors import ToolUnusable, UsageInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.runtime.process import Finished

CONFIG = b"registry: registry.example/ack\nservices: {s3: }\n"


def no_program(argv: Sequence[str | Path], **_: object) -> Finished:
    """No program can be started; the error says which was asked for."""
    raise FileNotFoundError(2, f"no such program as {argv[0]}")


def no_pause(seconds: float, why: str) -> None:
    """Nothing is tried again."""
    raise AssertionError((seconds, why))


@pytest.mark.parametrize("name", BUILDERS)
def test_opening(name: str) -> None:
    """A builder that is opened has the name that it has in the table, and has started nothing."""
    build = parse_config(CONFIG, Path("jobs.yaml")).build
    assert BUILDERS[name](build.programs, no_program, {}, None, no_pause).name == name


def test_the_program_of_jobs_yaml() -> None:
    """The go builder calls the program that jobs.yaml names."""
    build = parse_config(CONFIG + b"build: {go: /opt/go/bin/go}\n", Path("jobs.yaml")).build
    with pytest.raises(ToolUnusable, match="cannot be started: no such program as /opt/go/bin/go"):
        BUILDERS["go"](build.programs, no_program, {}, None, no_pause).check()


def test_names() -> None:
    """The builders that jobs.yaml accepts are those of the table, and so are those that a run takes."""
    assert get_args(BuildSection.model_fields["builder"].annotation) == tuple(BUILDERS)
    config = parse_config(CONFIG, Path("jobs.yaml"))
    for name in BUILDERS:
        assert resolve_settings(Options(builder=name), {}, config).builder == name
    with pytest.raises(UsageInvalid, match=f"this runner builds with {', '.join(BUILDERS)}"):
        resolve_settings(Options(builder="another"), {}, config)
