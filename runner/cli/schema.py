"""``schema``: what an editor needs to check jobs.yaml."""

from __future__ import annotations

import json

import click

from runner.config.load import json_schema
from runner.errors import ExitCode

EXAMPLES = """
\b
Examples:
  ack-release schema > jobs.schema.json            for an editor that checks jobs.yaml
"""


@click.command(epilog=EXAMPLES)
def schema() -> int:
    """Print the JSON Schema of jobs.yaml."""
    click.echo(json.dumps(json_schema(), indent=2))
    return ExitCode.DONE
