from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runner.config.collisions import Use, find_collisions, find_overlong
from runner.config.naming import FIELDS, PRESETS, SERVICE, TEMPLATE_KINDS, Scheme, check_template, fill

NUMBER = "(?:0|[1-9][0-9]*)"
HISTORY = "-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{7}"
VALUES = {"version": ["0.0.0", "0.0.1", "1.0.0", "1.1.0", "11.1.0", "1.1.11"], "major": ["0", "1", "11"]}
MOMENTS = ["", "-20260101T000000Z-0000000", "-20260101T000000Z-1111111"]


def scheme(image: str = "i/{service}:{version}", chart: str = "c/{service}:{version}", **more: str) -> Scheme:
    stable = more.get("stable", "s/{service}:{major}")
    return Scheme("own", image=tuple(image.split()), chart=tuple(chart.split()), stable=tuple(stable.split()))


def pattern(use: Use) -> str:
    """What a use can give, as a regular expression made on another way."""
    value = NUMBER if use.kind == "stable" else rf"{NUMBER}\.{NUMBER}\.{NUMBER}"
    text = re.escape(use.template).replace(r"\{service\}", re.escape(use.service))
    return text.replace(rf"\{{{FIELDS[use.kind]}\}}", value) + (f"(?:{HISTORY})?" if use.kind == "stable" else "")


@given(st.sets(st.from_regex(SERVICE, fullmatch=True), max_size=6))
@example({"s3", "s3control", "s3-control", "a", "a-v1", "a-v1-2", "a-v1-stable", "a-chart", "a-controller", "chart"})
def test_the_presets_never_clash(services: set[str]) -> None:
    """All presets together give distinct names, whatever the services are called."""
    assert find_collisions(dict.fromkeys(services, tuple(PRESETS.values()))) == ()


@pytest.mark.parametrize(
    ("services", "schemes", "shown"),
    [
        pytest.param(
            ["a"], [scheme(image="x:{service}-{version}", chart="x:{service}-{version}")], "x:a-1.1.1", id="kinds"
        ),
        pytest.param(["a", "b"], [scheme(image="x:{version}")], "x:1.1.1", id="no service"),
        pytest.param(["a", "a1"], [scheme(image="x:{service}{version}")], "x:a11.1.1", id="digit of a service"),
        pytest.param(
            ["a", "a-1"],
            [scheme(image="x:{service}-1{version}", chart="x:{service}{version}")],
            "x:a-11.1.1",
            id="digit of a template",
        ),
        pytest.param(
            ["a", "b"],
            [scheme(image="x:{version}-{service} x:{version}-a-{service} x:{version}-b")],
            "x:1.1.1-b",
            id="after the version",
        ),
        pytest.param(
            ["a", "a-b"],
            [scheme(image="{service}-b:{version}", chart="{service}:{version}")],
            "a-b:1.1.1",
            id="repository",
        ),
        pytest.param(
            ["a"], [scheme(image="{service}:{version} {service}:{version}0")], "a:1.1.10", id="versions of one list"
        ),
        pytest.param(["a"], [scheme(image="{service}:{version} a:{version}")], "a:1.1.1", id="one list twice"),
        pytest.param(
            ["a"],
            [scheme(chart="{service}:{version}", stable="{service}:{major}.1.0")],
            "a:1.1.0",
            id="stable is a release",
        ),
        pytest.param(
            ["a"],
            [scheme(stable="{service}:{major} {service}:{major}-20260101T000000Z-abcdef0")],
            "a:1-20260101T000000Z-abcdef0",
            id="stable is history",
        ),
        pytest.param(
            ["a"],
            [scheme(stable="{service}:{major} {service}:1-{major}T000000Z-abcdef0")],
            "a:1-11111111T000000Z-abcdef0",
            id="a major is the day of a move",
        ),
        pytest.param(
            ["a"],
            [scheme(chart="{service}:1-20260101T000000Z-000{version}", stable="{service}:{major}")],
            None,
            id="dots are not in history",
        ),
        pytest.param(
            ["a"], [scheme(image="{service}:0{version}", chart="{service}:{version}")], None, id="no leading zero"
        ),
        pytest.param(
            ["a"], [scheme(image="{service}:v{version}", chart="{service}:{version}")], None, id="v before the version"
        ),
        pytest.param(["a"], [scheme(image="x:{version}")], None, id="no service, one service"),
        pytest.param(["a"], [PRESETS["seed"], PRESETS["seed"]], None, id="accepted twice"),
    ],
)
def test_clashes_are_found_with_a_name_that_shows_them(
    services: list[str], schemes: list[Scheme], shown: str | None
) -> None:
    """A collision comes with a name that both templates give; where there is none, nothing is reported."""
    collisions = find_collisions(dict.fromkeys(services, schemes))
    assert (shown is None) == (collisions == ())
    assert shown is None or shown in [collision.example for collision in collisions]


def test_schemes_of_different_services_are_compared() -> None:
    """A service's own scheme must not take the names of another service."""
    collisions = find_collisions({"a": [PRESETS["repo-per-service"]], "b": [scheme(image="a-controller:{version}")]})
    assert [(collision.first.service, collision.second.service, collision.example) for collision in collisions] == [
        ("a", "b", "a-controller:1.1.1")
    ]


def test_one_pair_of_templates_is_reported_once() -> None:
    """However many services there are, a pair of templates makes one collision."""
    services = [f"s{number}x" for number in range(50)]
    assert len(find_collisions(dict.fromkeys(services, (scheme(image="x:{version}"),)))) == 1


templates = st.builds(
    "{}:{}{}{}".format,
    st.sampled_from(["x", "{service}", "{service}-a", "a-{service}"]),
    st.sampled_from(["", "v", "1", "1.", "0.", "{service}", "{service}-", "{service}-1", "a-{service}-"]),
    st.just("{version}"),
    st.sampled_from(["", "1", ".1", "-a", "-{service}", "-20260101T000000Z-0000000", "-{service}-a"]),
)


@given(
    st.lists(st.sampled_from(["a", "b", "a-a", "a-1", "a1", "1", "11", "a-b"]), min_size=1, max_size=4, unique=True),
    st.lists(templates, min_size=1, max_size=2, unique=True),
    st.lists(templates, min_size=1, max_size=2, unique=True),
    st.lists(templates.map(lambda text: text.replace("version", "major")), min_size=1, max_size=2, unique=True),
)
def test_without_a_clash_all_names_differ_and_each_clash_is_real(
    services: list[str], image: list[str], chart: list[str], stable: list[str]
) -> None:
    """No collision: any two things have different names. A collision: its example is a name of both templates."""
    try:
        for template in (*image, *chart):
            check_template("image", template)
        for template in stable:
            check_template("stable", template)
    except ValueError:
        assume(False)
    used = Scheme("own", tuple(image), tuple(chart), tuple(stable))
    collisions = find_collisions(dict.fromkeys(services, (used,)))
    for collision in collisions:
        assert re.fullmatch(pattern(collision.first), collision.example)
        assert re.fullmatch(pattern(collision.second), collision.example)
    if collisions:
        return
    names: dict[str, object] = {}
    for service, kind in itertools.product(services, TEMPLATE_KINDS):
        field = FIELDS[kind]
        for value, moment in itertools.product(VALUES[field], MOMENTS if kind == "stable" else [""]):
            thing = (kind, service, value, moment)
            for template in used.templates(kind):
                name = fill(template, service=service, **{field: value}) + moment
                assert names.setdefault(name, thing) == thing


@pytest.mark.parametrize(
    ("padding", "overlong"),
    [
        pytest.param(128 - 62 - 1, [], id="fits"),
        pytest.param(128 - 62, [("image", 129), ("chart", 129)], id="too long"),
    ],
)
def test_tags_are_measured_with_the_largest_version(padding: int, overlong: list[tuple[str, int]]) -> None:
    """A tag must hold three largest numbers, of 20 digits each; the templates that cannot are named with the length."""
    text = f"x:{{version}}{'a' * padding}{{service}}"
    found = find_overlong({"a": [scheme(image=f"i{text}", chart=f"c{text}")], "bcd": [PRESETS["seed"]]})
    assert [(use.kind, length) for use, length in found] == overlong


def test_a_stable_tag_leaves_room_for_its_history() -> None:
    """A stable tag must hold the largest number and the suffix of its history, for the longest service."""
    room = 128 - 20 - len("-20260101T000000Z-0123456")
    exact = scheme(stable=f"{{service}}:{{major}}{'a' * (room - 3)}{{service}}")
    assert list(find_overlong({"abc": [exact], "a": [exact]})) == []
    assert [(use.service, length) for use, length in find_overlong({"abcd": [exact], "a": [exact]})] == [("abcd", 129)]
