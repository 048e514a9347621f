from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.audit import findings_table
from runner.cli.reading import ID_LENGTH, address_of, short_ids
from runner.cli.verify import checks_table
from runner.config.load import parse_config
from runner.errors import UsageInvalid
from runner.report.findings import CheckDocument, FindingDocument, VerifyDocument
from runner.terminal.table import State, plain_lines
from testbed.paths import ROOT

JOBS = parse_config(b"registry: registry.example/ack\n", ROOT / "jobs.yaml")


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.text("0123456789abcdef", min_size=40, max_size=40))
def test_ids(digest: str, commit: str) -> None:
    """Digests and commits are cut to their first characters wherever they stand, and nothing else is."""
    text = f"host/a:1 is sha256:{digest}, made from {commit}; 1.2.3"
    assert short_ids(text) == f"host/a:1 is sha256:{digest[:ID_LENGTH]}, made from {commit[:ID_LENGTH]}; 1.2.3"


@pytest.mark.parametrize("text", ["", "1.2.3", "abc", "0" * 39, "g" * 40])
def test_what_is_no_id(text: str) -> None:
    """What is no id of git's or of a registry's stays as it is."""
    assert short_ids(text) == text


def test_registry() -> None:
    """The option counts, else jobs.yaml; one that is malformed is refused."""
    assert str(address_of(None, JOBS)) == "registry.example/ack"
    assert str(address_of("127.0.0.1:5000/mine", JOBS)) == "127.0.0.1:5000/mine"
    with pytest.raises(UsageInvalid, match="is not HOST/NAMESPACE"):
        address_of("nowhere", JOBS)


def test_tables() -> None:
    """A finding says whose it is, what was found and who does what; a check what was found and expected."""
    finding = FindingDocument(
        kind="stable-stale",
        meaning="x",
        service="s3",
        version="v1-stable",
        found="at 0123",
        who="operator",
        remedy="Rerun.",
    )
    [_, line] = plain_lines(findings_table((finding,)))
    assert line.split() == ["s3", "v1-stable", "stable-stale", "at", "0123", "operator:", "Rerun."]
    check = CheckDocument(check="image", result="failed", found="nothing", expected="an image")
    document = VerifyDocument(
        runner="0", service="s3", version="1.2.3", registry="host/ns", verdict="No.", exit=5, checks=(check,)
    )
    table = checks_table(document)
    assert table.rows == (("image", State("failed", "bad"), "nothing", "an image"),)
