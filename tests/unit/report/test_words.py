from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.record import EntryDocument, ErrorDocument, RecordDocument
from runner.report.words import (
    in_short,
    in_words,
    is_published,
    registry_in_words,
    sentence,
    short_name,
    what_became_of,
)

DIGEST = "sha256:" + "a" * 64


def entry(name: str = "h/x:1", **fields: Any) -> EntryDocument:
    values = {"service": "s3", "kind": "image", "name": name, "action": "publish", "reason": "x"}
    return EntryDocument.model_validate(values | fields)


@pytest.mark.parametrize(("staging", "told"), [(True, "h/ns (staging)"), (False, "h/ns"), (None, "h/ns")])
def test_registry(staging: bool | None, told: str) -> None:  # noqa: FBT001 - a column
    """A staging registry is told to be one; another is told as it is."""
    assert registry_in_words(RecordDocument(registry="h/ns", staging=staging)) == told


@pytest.mark.parametrize(
    ("registry", "name", "short"),
    [
        ("h/ns", "h/ns/x:1", "x:1"),
        ("h", "h/ns/x:1", "ns/x:1"),
        ("h/n", "h/ns/x:1", "h/ns/x:1"),
        ("other", "h/ns/x:1", "h/ns/x:1"),
        (None, "h/ns/x:1", "h/ns/x:1"),
    ],
)
def test_short_name(registry: str | None, name: str, short: str) -> None:
    """A name loses the record's registry, and nothing but that as a whole."""
    assert short_name(RecordDocument(registry=registry), entry(name)) == short


@pytest.mark.parametrize(
    ("fields", "folder", "published"),
    [
        ({"action": "skip", "digest": DIGEST}, None, True),
        ({"action": "skip", "digest": DIGEST}, "out", True),
        ({"action": "skip"}, None, False),
        ({"action": "publish", "digest": DIGEST}, None, False),
        ({"action": "publish", "digest": DIGEST, "written": True}, None, True),
        ({"action": "publish", "digest": DIGEST, "written": True}, "out", False),
        ({"action": "refuse", "digest": DIGEST}, None, False),
        ({"action": "publish", "digest": DIGEST, "restores": True}, None, False),
        ({"action": "publish", "digest": DIGEST, "restores": True, "restored": True}, None, True),
    ],
    ids=["there", "there, folder", "held back", "not yet", "written", "in a folder", "refused", "torn", "restored"],
)
def test_what_is_published(fields: dict[str, Any], folder: str | None, *, published: bool) -> None:
    """A name is published when it was there, or when this run wrote it to the registry."""
    assert is_published(RecordDocument(layout_folder=folder), entry(**fields)) is published


RESTORES = entry(restores=True)


@pytest.mark.parametrize(
    ("found", "fields", "told"),
    [
        (RESTORES, {"command": "plan"}, ("to restore", "x")),
        (RESTORES.model_copy(update={"restored": True}), {"exit": 0}, ("restored", "x")),
        (RESTORES, {"exit": 7, "errors": [{"step": "build"}]}, ("not restored: build failed", "")),
        (RESTORES, {"exit": 9, "errors": [{"step": "build", "exit": 9}]}, ("not restored: the run was ended", "")),
        (RESTORES, {"exit": 7}, ("not restored", "x")),
    ],
)
def test_what_became_of_what_was_to_be_restored(
    found: EntryDocument, fields: dict[str, Any], told: tuple[str, str]
) -> None:
    """What a name lacks is restored or not, and is never called unpublished."""
    errors = [{"code": "x", "cause": "x", "remedy": "x", "exit": 7, **error} for error in fields.get("errors", ())]
    document = RecordDocument.model_validate({**fields, "errors": errors})
    assert what_became_of(document, found) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [("it failed", "it failed."), ("Did you mean x?", "Did you mean x?"), ("no.", "no."), ("so much …", "so much …")],
)
def test_sentence(text: str, told: str) -> None:
    """A text ends with one mark."""
    assert sentence(text) == told


def failed(exit_code: int, *, step: str | None = "build", service: str | None = "s3") -> ErrorDocument:
    return ErrorDocument(code="x", cause="x", remedy="x", exit=exit_code, step=step, service=service)


@pytest.mark.parametrize(
    ("action", "fields", "became"),
    [
        ("skip", {"exit": 0}, ("skipped", "why")),
        ("refuse", {"exit": 5, "errors": (failed(5),)}, ("refused", "why")),
        ("publish", {}, ("to publish", "why")),
        ("publish", {"command": "plan", "exit": 6, "errors": (failed(6),)}, ("to publish", "why")),
        ("publish", {"exit": 0}, ("not published", "why")),
        ("publish", {"exit": 6, "errors": (failed(6),)}, ("not published: build failed", "")),
        (
            "publish",
            {"exit": 2, "errors": (failed(2, step=None, service=None),)},
            ("not published: the run failed", ""),
        ),
        ("publish", {"exit": 9, "errors": (failed(9, service=None),)}, ("not published: the run was ended", "")),
        ("publish", {"exit": 6, "errors": (failed(6, service="ecr"),)}, ("not published", "why")),
    ],
)
def test_what_became_of_a_name(action: str, fields: dict[str, Any], became: tuple[str, str]) -> None:
    """A name that was not published says what kept the run from it, instead of why it was to be published."""
    assert what_became_of(RecordDocument(**fields), entry(action=action, reason="why")) == became


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 ms"),
        (0.0124, "12 ms"),
        (1.0, "1.0 s"),
        (59.44, "59.4 s"),
        (60.0, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3600.0, "60 min 00 s"),
    ],
)
def test_times(seconds: float, told: str) -> None:
    """Below a second a time is told in milliseconds, below a minute with a tenth, else in minutes and seconds."""
    assert in_words(seconds) == told


@given(st.floats(0, 100_000))
def test_any_time_is_about_right(seconds: float) -> None:
    """Whatever a time is, what is told is off by less than half of its smallest part, and a little for its rounding."""
    told = in_words(seconds).split(" ")
    if told[-1] == "ms":
        assert float(told[0]) / 1000 == pytest.approx(seconds, abs=0.000501)
    elif len(told) == 2:
        assert float(told[0]) == pytest.approx(seconds, abs=0.0501)
    else:
        assert 0 <= int(told[2]) < 60
        assert int(told[0]) * 60 + int(told[2]) == pytest.approx(seconds, abs=0.501)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 300, "5h5m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (3 * 86400 + 4 * 3600, "3d4h"),
        (8 * 86400, "8d"),
        (400 * 86400, "400d"),
    ],
)
def test_short_times(seconds: float, told: str) -> None:
    """A time in little room has one unit, or two where the larger one is small."""
    assert in_short(seconds) == told
