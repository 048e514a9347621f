"""The services that an author names."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.author.services import named_services, read_config
from runner.config.load import Config, parse_config
from runner.errors import ConfigurationInvalid, ServiceUnknown


def config() -> Config:
    text = (
        "registry: r.example/a\nservices: {s3: {repo: community, path: s3}, sns: {repo: community, path: sns}, ecr: }\n"
    )
    return parse_config(text.encode(), Path("jobs.yaml"))


def test_named() -> None:
    """They come in the order of the command line, each once."""
    found = named_services(config(), "community", ["sns", "s3", "sns"])
    assert [service.name for service in found] == ["sns", "s3"]


@pytest.mark.parametrize(("name", "says"), [("s33", "nearest: s3"), ("ecr", "lives in the repository ecr-controller")])
def test_not_here(name: str, says: str) -> None:
    """One that jobs.yaml does not have, or has in another repository, is refused."""
    with pytest.raises(ServiceUnknown, match=says):
        named_services(config(), "community", ["s3", name])


def test_configuration(tmp_path: Path) -> None:
    """The file that is named is read."""
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        read_config(tmp_path / "jobs.yaml")
