from __future__ import annotations

from pathlib import Path

import pytest

from runner.aws.kind import registry_kind
from runner.config.load import Config, parse_config

PUBLIC = "public.ecr.aws"
PRIVATE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
LOOPBACK = "127.0.0.1:5000"


def configured(host: str, kind: str | None) -> Config:
    section = "" if kind is None else f"aws: {{kind: {kind}}}\n"
    return parse_config(f"registry: {host}/ack\n{section}".encode(), Path("jobs.yaml"))


@pytest.mark.parametrize(
    ("target", "kind"),
    [(PUBLIC, "ecr-public"), (PRIVATE, "ecr"), (LOOPBACK, "none"), ("ghcr.io", "none")],
)
def test_without_a_kind(target: str, kind: str) -> None:
    """A file that names no kind leaves it to the host that is written to, whatever production is."""
    for production in (PUBLIC, PRIVATE, "registry.example"):
        assert registry_kind(target, configured(production, None)) == kind


@pytest.mark.parametrize("target", [PUBLIC, PRIVATE, LOOPBACK, "ghcr.io"])
def test_none(target: str) -> None:
    """``kind: none`` asks AWS for nothing, whichever registry is written to."""
    assert registry_kind(target, configured(PUBLIC, "none")) == "none"


@pytest.mark.parametrize("kind", ["ecr-public", "ecr"])
def test_registry_on_this_machine(kind: str) -> None:
    """A registry on this machine stands for the kind that the file names."""
    for production in (LOOPBACK, "registry.example"):
        config = configured(production, kind)
        assert {registry_kind(host, config) for host in (LOOPBACK, "localhost:1", "[::1]:5000")} == {kind}


@pytest.mark.parametrize("kind", ["ecr-public", "ecr"])
def test_host_in_front_of_aws(kind: str) -> None:
    """A production registry of another name, such as a proxy, is what the file says it is."""
    assert registry_kind("registry.example", configured("registry.example", kind)) == kind


def test_staging_elsewhere() -> None:
    """The file's kind is never taken for a registry of somebody else's, and never against AWS's own host."""
    config = configured("registry.example", "ecr-public")
    assert registry_kind("ghcr.io", config) == "none"
    assert registry_kind(PRIVATE, config) == "ecr"
    assert registry_kind(PUBLIC, configured(PRIVATE, "ecr")) == "ecr-public"
