from __future__ import annotations

import pytest

from runner.author.in_registry import returns_to
from runner.errors import UsageInvalid
from runner.versions import ReleaseVersion
from tests.unit.author.test_rollback import NAME, OTHER, history

EARLIER = ReleaseVersion(1, 2, 3)


def test_the_newest_move_to_it() -> None:
    """Each stable name of the major returns to the newest of its moves to that version; others are left alone."""
    [one] = returns_to(EARLIER, [history("1.3.0", "1.2.3", "1.2.3"), history("2.0.0", name=OTHER)], "s3")
    assert (one.name, one.move.tag) == (NAME, "tag-1")
    assert str(one.kept) == "registry.example/ack/s3-chart:tag-1"


def test_one_name_is_written() -> None:
    """What an ended command has written is left alone by the next one, which goes on."""
    written = history("1.3.0", "1.2.3", current=1, name=OTHER)
    [one] = returns_to(EARLIER, [written, history("1.3.0", "1.2.3")], "s3")
    assert one.name == NAME


@pytest.mark.parametrize(
    ("versions", "says"), [(["1.2.3", "1.2.0"], "holds v1.2.3 already"), (["1.3.0"], "never was"), ([], "never was")]
)
def test_nothing_to_return_to(versions: list[str], says: str) -> None:
    """A version that stable has, or never had, is refused."""
    with pytest.raises(UsageInvalid, match=says):
        returns_to(EARLIER, [history(*versions)], "s3")
