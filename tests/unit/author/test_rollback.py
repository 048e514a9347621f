from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.author.rollback import TRAILER, check_backwards, message_of, previous_version
from runner.errors import UsageInvalid
from runner.oci.name import Name
from runner.published.moves import History, Move
from runner.versions import ReleaseVersion

NAME = Name.parse("registry.example/ack/s3-chart:v1-stable")
OTHER = Name.parse("registry.example/ack/s3-chart:v2-stable")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def history(*versions: str, current: int | None = 0, name: Name = NAME, newest: datetime = NOON) -> History:
    """A stable name that was at these versions, newest first; it holds one of its moves."""
    moves = tuple(
        Move(f"tag-{number}", newest - timedelta(days=number), "0" * 40, version, "sha256:0", number == current)
        for number, version in enumerate(versions)
    )
    return History(name, "sha256:0", moves)


@pytest.mark.parametrize(
    ("histories", "version"),
    [
        ([history("1.3.0", "1.2.3", "1.2.0")], "1.2.3"),
        ([history("1.3.0", "1.3.0", "1.2.3")], "1.2.3"),
        ([history("1.2.3", "1.3.0", "1.2.0")], "1.2.0"),
        ([history("1.3.0", "", "1.2.3")], None),
        ([history("", "1.2.9", "1.2.3")], None),
        ([history("1.3.0")], None),
        ([history("1.2.0", "1.3.0")], None),
        ([history("1.3.0", "1.2.3", current=1)], None),
        ([history("1.3.0", "1.2.3", current=None)], None),
        ([history()], None),
        ([], None),
        (
            [
                history("1.9.0", "1.8.0", newest=NOON - timedelta(days=9)),
                history("2.1.0", "2.0.0", name=OTHER),
            ],
            "2.0.0",
        ),
    ],
)
def test_what_stable_was_before(histories: list[History], version: str | None) -> None:
    """The last lower version before the newest move's; none where the tag holds another move, or one is unknown."""
    found = previous_version(histories)
    assert found == (None if version is None else ReleaseVersion.parse(version))


RELEASES = st.builds(ReleaseVersion, *[st.integers(0, 3)] * 3)


@given(RELEASES, st.none() | RELEASES)
def test_backwards(version: ReleaseVersion, current: ReleaseVersion | None) -> None:
    """Only what is not after the release that stable is at, and of its major, is a move backwards of its chart."""
    if current is not None and version <= current and version.major == current.major:
        check_backwards(version, current)
    else:
        with pytest.raises(UsageInvalid) as raised:
            check_backwards(version, current)
        assert ("prepare --stable" in raised.value.remedy) == (current is None or version > current)


def test_message() -> None:
    """The trailer stands alone at the end, whatever the reason is, so that git reads it as one."""
    version = ReleaseVersion(1, 2, 3)
    assert message_of("s3", version, None) == f"Move stable of s3 back to v1.2.3\n\n{TRAILER}"
    said = message_of("s3", version, "it loses\ntags\n\nStable-Move: forwards")
    assert said.split("\n\n")[1:] == ["it loses tags Stable-Move: forwards", TRAILER]
    with pytest.raises(UsageInvalid, match="no words"):
        message_of("s3", version, " \n")
