from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import EventInvalid, ExitCode
from runner.source.event import (
    FLAT,
    SECONDS,
    Event,
    ExtraRef,
    JobLimits,
    Pull,
    parse_duration,
    read_event,
    read_job_limits,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"
SMALLEST = {"REPO_OWNER": "octo", "REPO_NAME": "widget-controller", "PULL_BASE_REF": "v1.2.3"}
REFS = {
    "org": "octo",
    "repo": "widget-controller",
    "repo_link": "https://github.com/octo/widget-controller",
    "base_ref": "v1.2.3",
    "base_sha": COMMIT,
    "base_link": "https://github.com/octo/widget-controller/compare/v1.2.3",
}
SPECIFICATION: dict[str, Any] = {
    "type": "postsubmit",
    "job": "widget-release",
    "buildid": "1990000000000000000",
    "prowjobid": "0b1c0c8e-0000-4000-8000-000000000000",
    "refs": REFS,
    "decoration_config": {"timeout": "2h0m0s", "grace_period": "15s"},
}
AGREEING = {
    **SMALLEST,
    "PULL_BASE_SHA": COMMIT,
    "JOB_TYPE": "postsubmit",
    "JOB_NAME": "widget-release",
    "BUILD_ID": "1990000000000000000",
    "PROW_JOB_ID": "0b1c0c8e-0000-4000-8000-000000000000",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
word = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,20}", fullmatch=True)


def spec(refs: dict[str, Any] | None = None, **members: object) -> dict[str, str]:
    """Return an environment with nothing but a JOB_SPEC; a member that is None is left out."""
    merged = {**SPECIFICATION, "refs": {**REFS, **(refs or {})}, **members}
    merged["refs"] = {key: value for key, value in merged["refs"].items() if value is not None}
    return {"JOB_SPEC": json.dumps({key: value for key, value in merged.items() if value is not None})}


def refused(environment: dict[str, str]) -> EventInvalid:
    with pytest.raises(EventInvalid) as caught:
        read_event(environment)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.remedy
    return caught.value


def test_job_spec_alone_says_everything() -> None:
    """Every fact of a push is read from JOB_SPEC when no flat variable is there."""
    assert read_event(spec()) == Event(
        host="github.com",
        owner="octo",
        repository="widget-controller",
        base_ref="v1.2.3",
        base_sha=COMMIT,
        repo_link="https://github.com/octo/widget-controller",
        path_alias=None,
        extra_refs=(),
        job="widget-release",
        build_id="1990000000000000000",
        prow_job_id="0b1c0c8e-0000-4000-8000-000000000000",
    )


def test_three_flat_variables_are_enough() -> None:
    """Owner, name and ref make an event of which all else is unknown."""
    event = read_event(SMALLEST)
    assert (event.owner, event.repository, event.base_ref) == ("octo", "widget-controller", "v1.2.3")
    assert event.source == "https://github.com/octo/widget-controller"
    unknown = (event.base_sha, event.repo_link, event.path_alias, event.job, event.build_id, event.prow_job_id)
    assert set(unknown) == {None}
    assert read_job_limits(SMALLEST) is None


def test_flat_variables_fill_what_job_spec_leaves_out() -> None:
    """A fact that JOB_SPEC does not give is taken from its flat variable."""
    environment = spec({"base_sha": None}, buildid=None) | {"PULL_BASE_SHA": COMMIT, "BUILD_ID": "7"}
    event = read_event(environment)
    assert (event.base_sha, event.build_id) == (COMMIT, "7")


def test_agreeing_variables_change_nothing() -> None:
    """JOB_SPEC together with equal flat variables gives the same event as JOB_SPEC alone."""
    assert read_event(spec() | AGREEING) == read_event(spec())


@pytest.mark.parametrize("variable", FLAT)
def test_a_variable_that_disagrees_with_job_spec_is_refused(variable: str) -> None:
    """The refusal names the variable and both values, for each variable that JOB_SPEC repeats."""
    error = refused(spec() | AGREEING | {variable: OTHER})
    assert variable in error.cause
    assert FLAT[variable] in error.cause
    assert OTHER in error.cause
    assert AGREEING[variable] in error.cause
    assert variable in error.remedy


@pytest.mark.parametrize("variable", ["JOB_SPEC", *FLAT])
def test_an_empty_variable_counts_as_absent(variable: str) -> None:
    """An empty variable neither disagrees with JOB_SPEC nor hides what others say."""
    environment = spec() | AGREEING | {variable: ""}
    assert read_event(environment).owner == "octo"


@pytest.mark.parametrize("missing", SMALLEST)
def test_without_job_spec_the_missing_variable_is_named(missing: str) -> None:
    """Without JOB_SPEC, the refusal names exactly the variables that are not there."""
    error = refused({key: value for key, value in SMALLEST.items() if key != missing})
    assert missing in error.cause
    assert not [key for key in SMALLEST if key != missing and key in error.cause]


def test_an_empty_environment_is_refused() -> None:
    """Without any variable, the refusal names JOB_SPEC and the three variables that would do."""
    error = refused({})
    assert [word for word in ("JOB_SPEC", *SMALLEST) if word not in error.cause] == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({"JOB_SPEC": "{"}, "not JSON", id="not JSON"),
        pytest.param({"JOB_SPEC": " "}, "not JSON", id="blank"),
        pytest.param({"JOB_SPEC": "[" * 100_000}, "not JSON", id="nested beyond reason"),
        pytest.param({"JOB_SPEC": "[]"}, "not a JSON object", id="a list"),
        pytest.param({"JOB_SPEC": '"text"'}, "not a JSON object", id="a string"),
        pytest.param({"JOB_SPEC": "{}"}, "no refs", id="empty object"),
        pytest.param({"JOB_SPEC": json.dumps({**SPECIFICATION, "refs": {}})}, "no refs", id="empty refs"),
        pytest.param({"JOB_SPEC": json.dumps({**SPECIFICATION, "refs": [REFS]})}, "not an object", id="refs a list"),
        pytest.param(spec({"org": None}), "no refs.org", id="no org"),
        pytest.param(spec({"repo": None}), "no refs.repo", id="no repo"),
        pytest.param(spec({"base_ref": None}), "no refs.base_ref", id="no base_ref"),
        pytest.param(spec({"org": None}) | SMALLEST, "no refs.org", id="no org, though a variable has it"),
        pytest.param(spec({"org": 7}), "refs.org is 7, not a string", id="org a number"),
        pytest.param(spec({"base_sha": ["x"]}), "refs.base_sha is ['x'], not a string", id="base_sha a list"),
        pytest.param(spec({"repo_link": 7}), "refs.repo_link is 7, not a string", id="repo_link a number"),
        pytest.param(spec({"path_alias": True}), "refs.path_alias is True, not a string", id="path_alias true"),
        pytest.param(spec(job=7), "job is 7, not a string", id="job a number"),
        pytest.param(spec(extra_refs={}), "extra_refs is {}, not a list", id="extra_refs an object"),
        pytest.param(spec(extra_refs=["o/r"]), "extra_refs holds 'o/r', not an object", id="extra ref a string"),
        pytest.param(spec(extra_refs=[{"org": "o"}]), "extra_refs", id="extra ref without repo"),
        pytest.param(
            spec(extra_refs=[{"org": "o", "repo": "r", "workdir": "yes"}]), "not true or false", id="workdir a string"
        ),
        pytest.param(spec(decoration_config=[7]), "decoration_config is [7], not an object", id="decoration a list"),
        pytest.param(spec(decoration_config={"timeout": 7200}), "timeout is 7200, not a string", id="timeout a number"),
        pytest.param(spec(decoration_config={"timeout": "2 hours"}), "not a duration", id="timeout no duration"),
        pytest.param(spec(decoration_config={"grace_period": "-15s"}), "less than nothing", id="negative grace period"),
    ],
)
def test_a_malformed_job_spec_is_refused(environment: dict[str, str], said: str) -> None:
    """Each thing that can be wrong with JOB_SPEC is refused with a cause that says it, and is never guessed over."""
    assert said in refused(environment).cause


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param(spec(type="presubmit"), "'presubmit' job", id="presubmit"),
        pytest.param(spec(type="batch"), "'batch' job", id="batch"),
        pytest.param({"JOB_SPEC": '{"type": "periodic", "job": "nightly"}'}, "'periodic' job", id="periodic"),
        pytest.param(SMALLEST | {"JOB_TYPE": "presubmit"}, "'presubmit' job", id="flat variables"),
        pytest.param(spec({"pulls": [{"number": 1}]}, type=None), "pull requests", id="pulls without a type"),
    ],
)
def test_only_a_postsubmit_releases(environment: dict[str, str], said: str) -> None:
    """A job of another type is refused by name, and the remedy says where the job belongs."""
    error = refused(environment)
    assert said in error.cause
    assert "postsubmits" in error.remedy


PULLS = [
    {"number": 17, "sha": OTHER, "author": "octo", "ref": "pull/17/head"},
    {"number": 4, "sha": COMMIT, "author": "octo"},
]
OF_A_PULL = {"PULL_NUMBER": "17", "PULL_PULL_SHA": OTHER}


def test_a_refused_pull_request_is_told_how_it_is_checked() -> None:
    """The remedy for a presubmit that would release names the command that checks pull requests."""
    assert "plan --as-tag from-chart" in refused(spec({"pulls": PULLS[:1]}, type="presubmit")).remedy


@pytest.mark.parametrize(
    ("environment", "pulls"),
    [
        pytest.param(spec({"pulls": PULLS[:1]}, type="presubmit"), (Pull("17", OTHER),), id="presubmit"),
        pytest.param(
            spec({"pulls": PULLS[:1]}, type="presubmit") | OF_A_PULL, (Pull("17", OTHER),), id="with its variables"
        ),
        pytest.param(
            spec({"pulls": PULLS}, type="batch"), (Pull("17", OTHER), Pull("4", COMMIT)), id="batch, in Prow's order"
        ),
        pytest.param(SMALLEST | OF_A_PULL | {"JOB_TYPE": "presubmit"}, (Pull("17", OTHER),), id="flat variables alone"),
        pytest.param(SMALLEST, (), id="by hand"),
        pytest.param(spec(), (), id="postsubmit"),
    ],
)
def test_a_proposal_names_its_pull_requests(environment: dict[str, str], pulls: tuple[Pull, ...]) -> None:
    """Where nothing is released, pull requests may be what is checked out, and all else is read as for a push."""
    event = read_event(environment, presubmit=True)
    assert event.pulls == pulls
    assert (event.owner, event.repository, event.base_ref) == ("octo", "widget-controller", "v1.2.3")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param(spec(type="presubmit"), "but no pull request is given", id="a presubmit without one"),
        pytest.param({"JOB_SPEC": '{"type": "periodic", "job": "nightly"}'}, "which no push starts", id="periodic"),
        pytest.param(spec({"pulls": {}}, type="presubmit"), "not a list", id="no list"),
        pytest.param(spec({"pulls": [7]}, type="presubmit"), "not an object", id="no object"),
        pytest.param(
            spec({"pulls": [{"number": "1", "sha": OTHER}]}, type="presubmit"), "not a number", id="no number"
        ),
        pytest.param(spec({"pulls": [{"number": 1, "sha": "main"}]}, type="presubmit"), "'main'", id="no commit"),
        pytest.param(
            spec({"pulls": [{"number": 1}]}, type="presubmit"), "a pull request's commit", id="commit missing"
        ),
        pytest.param(spec({"pulls": [{"number": -1, "sha": OTHER}]}, type="presubmit"), "'-1'", id="below zero"),
        pytest.param(
            spec({"pulls": PULLS[:1]}, type="presubmit") | {"PULL_NUMBER": "18"}, "PULL_NUMBER", id="another number"
        ),
        pytest.param(
            spec({"pulls": PULLS[:1]}, type="presubmit") | {"PULL_PULL_SHA": COMMIT}, "PULL_PULL_SHA", id="another head"
        ),
        pytest.param(SMALLEST | {"PULL_PULL_SHA": OTHER}, "a pull request's number", id="a head without a number"),
    ],
)
def test_a_malformed_pull_request_is_refused(environment: dict[str, str], said: str) -> None:
    """What is wrong with the pull requests of a proposal is refused with a cause that says it."""
    with pytest.raises(EventInvalid) as caught:
        read_event(environment, presubmit=True)
    assert said in caught.value.cause


@pytest.mark.parametrize(
    "ref",
    [
        *(
            "v1.2.3",
            "stable",
            "unstable",
            "stable-2",
            "release/v1.14",
            "v1.2.3-rc.1",
            "v1.2.3+build",
            "@x",
            "ä",
            "x.y/z",
        ),
    ],
)
def test_refs_that_git_can_have_are_read(ref: str) -> None:
    """Whether a ref is a release is decided later: any that git could have is read unchanged."""
    assert read_event({**SMALLEST, "PULL_BASE_REF": ref}).base_ref == ref


@pytest.mark.parametrize(
    "ref",
    [
        *("-v1.2.3", "--upload-pack=x", "/stable", "stable/", "a//b", "..", "a..b", ".a", "a/.b", "a.lock", "a.lock/b"),
        *("a b", "a\tb", "a\nb", "a\x00b", "a\x7fb", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "@", "a@{1}", "a."),
        *("a\u202eb", "\udcff"),
    ],
    ids=repr,
)
def test_refs_that_git_cannot_have_are_refused(ref: str) -> None:
    """A ref that git could not have, or that a program could take for an option or a path, is refused."""
    assert "the ref is" in refused({**SMALLEST, "PULL_BASE_REF": ref}).cause


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "-x", "a b", "a\nb", "ä", "widget.git", "a\\b", "a:b"], ids=repr
)
@pytest.mark.parametrize("member", ["org", "repo"])
def test_names_that_cannot_be_a_repositorys_are_refused(member: str, name: str) -> None:
    """An owner or a repository that could lead out of a folder or be an option is refused, in extra_refs too."""
    refused(spec({member: name}))
    refused(spec(extra_refs=[{"org": "octo", "repo": "other", member: name}]))


@pytest.mark.parametrize("sha", ["abc", COMMIT.upper(), COMMIT[:-1], COMMIT + "0", "--help", f"{COMMIT}^", "HEAD"])
def test_a_commit_that_is_no_full_id_is_refused(sha: str) -> None:
    """PULL_BASE_SHA is a full object id or refused."""
    assert repr(sha) in refused({**SMALLEST, "PULL_BASE_SHA": sha}).cause


@pytest.mark.parametrize("sha", [COMMIT, COMMIT + COMMIT[:24]], ids=["sha1", "sha256"])
def test_a_full_object_id_is_read(sha: str) -> None:
    """Object ids of both of git's hash functions are read."""
    assert read_event({**SMALLEST, "PULL_BASE_SHA": sha}).base_sha == sha


@pytest.mark.parametrize("alias", ["/etc", "../up", "a/../../b", "a b", "a\nb", "a\\b", ".."], ids=repr)
def test_a_path_alias_that_leads_elsewhere_is_refused(alias: str) -> None:
    """A path_alias stays below the source root, in extra_refs too."""
    refused(spec({"path_alias": alias}))
    refused(spec(extra_refs=[{"org": "octo", "repo": "other", "path_alias": alias}]))


@pytest.mark.parametrize(
    ("refs", "variables", "source"),
    [
        pytest.param({}, {}, "https://github.com/octo/widget-controller", id="repo_link"),
        pytest.param({}, {"SRC_HOST": "k8s.io"}, "https://github.com/octo/widget-controller", id="repo_link first"),
        pytest.param({"repo_link": None}, {}, "https://github.com/octo/widget-controller", id="neither"),
        pytest.param(
            {"repo_link": None},
            {"SRC_HOST": "ghe.example"},
            "https://ghe.example/octo/widget-controller",
            id="SRC_HOST",
        ),
        pytest.param(
            {"repo_link": "https://ghe.example:8443/octo/widget-controller"},
            {},
            "https://ghe.example:8443/octo/widget-controller",
            id="port",
        ),
        pytest.param(
            {"repo_link": "https://GitHub.com/octo/widget-controller.git"},
            {},
            "https://github.com/octo/widget-controller",
            id=".git",
        ),
        pytest.param(
            {"repo_link": "https://github.com/octo/widget-controller/"},
            {},
            "https://github.com/octo/widget-controller",
            id="slash",
        ),
    ],
)
def test_the_source_names_host_owner_and_repository(
    refs: dict[str, Any], variables: dict[str, str], source: str
) -> None:
    """The host is that of repo_link, else SRC_HOST, else github.com; nothing follows the repository's name."""
    assert read_event(spec(refs) | variables).source == source


@pytest.mark.parametrize(
    "link",
    [
        "github.com/o/r",
        "file:///etc",
        "https://",
        "https:///o/r",
        "ssh://git@github.com/o/r",
        "https://x/../../y",
        "https://a b/c",
    ],
)
def test_a_link_that_is_no_address_is_refused(link: str) -> None:
    """A repo_link without a host, of another scheme, or that leads out of the source root is refused."""
    assert "repo_link" in refused(spec({"repo_link": link})).cause


@pytest.mark.parametrize("link", ["https://user:hunter2@github.com/octo/widget-controller", "ftp://hunter2@x/y"])
def test_a_secret_in_the_link_is_kept_out(link: str) -> None:
    """A password in repo_link is neither in the event nor in a refusal."""
    try:
        shown = repr(read_event(spec({"repo_link": link})))
    except EventInvalid as error:
        shown = f"{error.cause} {error.remedy}"
    assert "hunter2" not in shown


@pytest.mark.parametrize("host", ["a b", "a/b", "-x", "..", "a..b", "x:port", "user@x"])
def test_a_host_that_cannot_be_one_is_refused(host: str) -> None:
    """SRC_HOST is a host, with or without a port, or refused."""
    assert "SRC_HOST" in refused({**SMALLEST, "SRC_HOST": host}).cause


@pytest.mark.parametrize(
    ("refs", "path"),
    [
        pytest.param({"path_alias": "k8s.io/widget"}, "k8s.io/widget", id="alias"),
        pytest.param({"path_alias": "k8s.io//widget/"}, "k8s.io/widget", id="alias that is tidied"),
        pytest.param({}, "github.com/octo/widget-controller", id="link"),
        pytest.param({"repo_link": "https://ghe.example/a/b"}, "ghe.example/a/b", id="link of another path"),
        pytest.param({"repo_link": None}, "github.com/octo/widget-controller", id="neither"),
    ],
)
def test_the_clone_path_is_that_of_clonerefs(refs: dict[str, Any], path: str) -> None:
    """A clone is at path_alias, else at repo_link without its scheme, else below github.com; extra_refs likewise."""
    assert read_event(spec(refs)).clone_path == path
    extra = {key: value for key, value in {**REFS, **refs}.items() if value is not None}
    assert read_event(spec(extra_refs=[extra])).extra_refs[0].clone_path == path


def test_extra_refs_are_read_in_order() -> None:
    """Each repository of extra_refs is read with its host, its place and whether the job starts there."""
    event = read_event(
        spec(
            extra_refs=[
                {"org": "octo", "repo": "test-infra", "base_ref": "main", "workdir": True},
                {"org": "k8s", "repo": "x", "path_alias": "k8s.io/x", "repo_link": "https://ghe.example/k8s/x"},
            ]
        )
    )
    assert event.extra_refs == (
        ExtraRef("github.com", "octo", "test-infra", None, None, workdir=True),
        ExtraRef("ghe.example", "k8s", "x", "k8s.io/x", "https://ghe.example/k8s/x"),
    )


@pytest.mark.parametrize(
    ("decoration", "limits"),
    [
        pytest.param(None, (None, None), id="no decoration"),
        pytest.param({}, (None, None), id="empty"),
        pytest.param({"timeout": None, "grace_period": ""}, (None, None), id="null and empty"),
        pytest.param({"timeout": "0s", "grace_period": "0"}, (None, None), id="zero"),
        pytest.param({"timeout": "1h30m0s"}, (5400.0, None), id="one"),
        pytest.param({"timeout": "24h0m0s", "grace_period": "15m0s"}, (86400.0, 900.0), id="both"),
    ],
)
def test_limits_are_in_seconds_or_left_to_prow(
    decoration: dict[str, Any] | None, limits: tuple[float | None, float | None]
) -> None:
    """Timeout and grace period are seconds; None where Prow's entrypoint takes its own default."""
    assert read_job_limits(spec(decoration_config=decoration)) == JobLimits(*limits)


def test_limits_of_any_job() -> None:
    """A job that is of no push has its limits all the same; a JOB_SPEC that cannot be read is refused."""
    periodic = {"JOB_SPEC": '{"type": "periodic", "decoration_config": {"timeout": "10m"}}'}
    assert read_job_limits(periodic) == JobLimits(600.0, None)
    for malformed in ("{", "[]", '{"decoration_config": []}', '{"decoration_config": {"timeout": "soon"}}'):
        with pytest.raises(EventInvalid):
            read_job_limits({"JOB_SPEC": malformed})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h0m0s", 7200.0),
        ("15s", 15.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("1h1m1s1ms1us1ns", 3661.001001001),
        ("3\u00b5s", 3e-6),
        ("3\u03bcs", 3e-6),
        ("1s1s", 2.0),
        ("-1m", -60.0),
        ("+1m", 60.0),
        ("0", 0.0),
        ("-0", 0.0),
        ("0.0000000000000000001h", 0.0),
        ("2562047h47m16s", 9223372036.0),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, seconds: float) -> None:
    """Whole, broken and compound durations of all of Go's units are read."""
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "s",
        ".s",
        ".",
        "1.5.2s",
        "1d",
        "1H",
        "1 s",
        " 1s",
        "1s ",
        "--1s",
        "+-1s",
        "1e3s",
        "1_0s",
        "\u0661s",
        "inf",
        "9" * 400 + "h",
        "2562048h",
    ],
    ids=lambda text: text[:10] or "empty",
)
def test_what_go_does_not_read_is_no_duration(text: str) -> None:
    """Anything that Go's time.ParseDuration refuses is refused, too long a time included."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(SECONDS))), min_size=1, max_size=6))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    """However many parts there are, in whatever order, the duration is their sum."""
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(number * SECONDS[unit] for number, unit in parts))


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever JOB_SPEC holds, the event is read or refused."""
    if text:
        refused({"JOB_SPEC": text})


@given(json_values, st.sampled_from([*SPECIFICATION, "extra_refs"]), st.sampled_from([*REFS, "path_alias", "pulls"]))
def test_no_value_breaks_the_reader(value: object, member: str, ref_member: str) -> None:
    """Whatever JSON value stands in any place of JOB_SPEC, the event is read or refused."""
    for document in ({**SPECIFICATION, member: value}, {**SPECIFICATION, "refs": {**REFS, ref_member: value}}):
        try:
            event = read_event({"JOB_SPEC": json.dumps(document)})
        except EventInvalid as error:
            assert error.cause.isprintable()  # noqa: PT017 - either outcome is right, each within its bounds
        else:
            assert event.source.startswith("https://")


@given(word, word, st.from_regex(r"[a-z][a-z0-9]{0,10}(/[a-z0-9]{1,5}){0,2}", fullmatch=True))
def test_both_ways_of_saying_it_give_one_event(owner: str, name: str, ref: str) -> None:
    """Flat variables alone and JOB_SPEC alone give the same repository, ref and source."""
    flat = read_event({"REPO_OWNER": owner, "REPO_NAME": name, "PULL_BASE_REF": ref})
    document = {"type": "postsubmit", "refs": {"org": owner, "repo": name, "base_ref": ref}}
    assert read_event({"JOB_SPEC": json.dumps(document)}) == flat


def test_a_long_value_is_cut_in_the_refusal() -> None:
    """A refusal stays a line that a person can read, however long the value is."""
    assert len(refused({**SMALLEST, "REPO_NAME": "x " * 10_000}).cause) < 300
