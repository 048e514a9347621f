"""What the clone knows of charts and of the tags of their versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import Service, parse_config
from runner.run.presubmit.decide import Tag
from runner.run.presubmit.history import ChartAtHead, read_charts
from runner.run.selection import chart_file
from testbed.memory.clone import Commit, History, MemoryClone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEAD, BASE, TAGGED = "a" * 40, "b" * 40, "c" * 40

[ALONE] = parse_config(b"registry: registry.example/ack\nservices: {s3: {}}\n", Path("jobs.yaml")).services.values()
S3, SNS = parse_config(
    b'registry: registry.example/ack\nservices:\n  s3: {repo: x, path: "services/{service}"}\n'
    b'  sns: {repo: x, path: "services/{service}"}\n',
    Path("jobs.yaml"),
).services.values()

Files = dict[str, bytes]


def chart(version: str, text: str = "", service: Service = ALONE) -> Files:
    """A chart's folder, and something beside it that is no part of it."""
    return {
        chart_file(service): f"version: {version}\n".encode(),
        f"{service.chart_folder}/values.yaml": text.encode(),
        "README.md": text.encode(),
    }


def clone_of(
    head: Files, base: Files, tags: Mapping[str, Files], *, merged: bool = True, blobless: bool = False
) -> MemoryClone:
    """A change merged into its base, which follows the tagged commits, or does not where they are not merged."""
    tagged = {name: TAGGED[:-1] + str(number) for number, name in enumerate(tags)}
    commits = {tagged[name]: Commit(files) for name, files in tags.items()}
    commits[BASE] = Commit(base, parents=tuple(commits) if merged else ())
    commits[HEAD] = Commit(head, parents=(BASE,))
    return MemoryClone.of(History(commits, HEAD, tags=tagged, blobless=blobless))


def read(clone: MemoryClone, *services: Service, base: str | None = None) -> tuple[ChartAtHead, ...]:
    files = clone.files(chart_file(service) for service in services)
    return read_charts(clone, {service: files[chart_file(service)] for service in services}, base=base)


def read_one(clone: MemoryClone, *, base: str | None = None) -> ChartAtHead:
    [found] = read(clone, ALONE, base=base)
    return found


def tag_in(clone: MemoryClone) -> Tag:
    tag = read_one(clone).tag
    assert tag is not None
    return tag


def test_version_without_a_tag() -> None:
    """A version that no tag has is that of a new release, although other versions are tagged."""
    found = read_one(clone_of(chart("1.3.0"), {}, {"v1.2.3": chart("1.2.3")}))
    assert found == ChartAtHead(ALONE, b"version: 1.3.0\n", None, touched=True)


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_version_with_a_tag(version: str) -> None:
    """With or without v, the tag is that of the chart's version; its commit and the chart's version there are given."""
    clone = clone_of(chart(version), {}, {"v1.2.3": chart("v1.2.3", "other"), "v1.2.4": chart("1.2.4")})
    assert tag_in(clone) == Tag(TAGGED[:-1] + "0", merged=True, same_chart=False, chart_version="1.2.3")


def test_same_chart_at_the_tag() -> None:
    """A chart whose whole folder is that of the tag is the same, whatever changed beside it; no file of it is read."""
    there = {**chart("1.2.3"), "README.md": b"before"}
    tag = tag_in(clone_of(chart("1.2.3"), {}, {"v1.2.3": there}, blobless=True))
    assert tag == Tag(TAGGED[:-1] + "0", merged=True, same_chart=True, chart_version=None)


def test_tag_that_is_not_merged() -> None:
    """A tag on a commit that HEAD does not contain is reported as not merged."""
    assert not tag_in(clone_of(chart("1.2.3"), {}, {"v1.2.3": chart("1.2.3")}, merged=False)).merged


@pytest.mark.parametrize(
    ("there", "version"),
    [
        ({"README.md": b""}, ""),
        ({"helm/values.yaml": b""}, None),
        ({"helm/Chart.yaml": b"a: ["}, None),
        ({"helm/Chart.yaml": b"name: x\n"}, None),
        ({"helm/Chart.yaml": b"version: v9.9.9\n"}, "9.9.9"),
    ],
    ids=["no chart", "no Chart.yaml", "not YAML", "no version", "another version"],
)
def test_chart_at_the_tag(there: Files, version: str | None) -> None:
    """What the chart's version is at the tag: empty without a chart, None where it cannot be read."""
    assert tag_in(clone_of(chart("1.2.3"), {}, {"v1.2.3": there})).chart_version == version


def test_clone_without_blobs() -> None:
    """Without blobs a tag's chart is compared all the same, and only its version stays unknown."""
    for there, same in ((chart("9.9.9"), False), (chart("1.2.3"), True)):
        tag = tag_in(clone_of(chart("1.2.3"), {}, {"v1.2.3": there}, blobless=True))
        assert (tag.same_chart, tag.chart_version) == (same, None)


@pytest.mark.parametrize("body", [None, b"a: [", b"name: x\n", b"version: v1-stable\n", b"version: 1.2\n"])
def test_chart_without_a_released_version(body: bytes | None) -> None:
    """A chart that is not there, cannot be read, or has a version that no tag releases has no tag."""
    head = {} if body is None else {"helm/Chart.yaml": body}
    found = read_one(clone_of(head, {}, {"v1.2": chart("1.2"), "v1-stable": chart("v1-stable")}))
    assert (found.body, found.tag) == (body, None)


texts = st.sampled_from(["", "one", "two"])


@given(head=texts, base=texts, tagged=st.none() | texts)
def test_what_a_pull_request_touches(head: str, base: str, tagged: str | None) -> None:
    """A pull request touches the chart when its folder is not that of the base, whatever the tag has."""
    tags = {} if tagged is None else {"v1.2.3": chart("1.2.3", tagged)}
    clone = clone_of(chart("1.2.3", head), chart("1.2.3", base), tags)
    assert read_one(clone, base=BASE).touched is (head != base)


@given(head=texts, base=texts, tagged=st.none() | texts)
def test_what_is_touched_by_hand(head: str, base: str, tagged: str | None) -> None:
    """Without a pull request a chart is touched when it differs from that of its tag, or has none."""
    tags = {} if tagged is None else {"v1.2.3": chart("1.2.3", tagged)}
    clone = clone_of(chart("1.2.3", head), chart("1.2.3", base), tags)
    assert read_one(clone).touched is (head != tagged)


def test_chart_that_a_pull_request_adds() -> None:
    """A chart that the base has not is touched, and one that is missing in both is not."""
    assert read_one(clone_of(chart("1.2.3"), {"README.md": b""}, {}), base=BASE).touched
    assert not read_one(clone_of({"README.md": b""}, {}, {}), base=BASE).touched


def test_several_services_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service has the tag of its own version and its own folder, in order; git is asked once for all of them."""
    asked: list[list[str]] = []

    def resolve(clone: MemoryClone, names: Iterable[str]) -> dict[str, str | None]:
        asked.append(list(names))
        return resolve_really(clone, asked[-1])

    resolve_really = MemoryClone.resolve
    monkeypatch.setattr(MemoryClone, "resolve", resolve)
    base = chart("1.2.3", service=S3) | chart("2.0.0", service=SNS)
    head = chart("1.2.3", service=S3) | chart("2.0.1", service=SNS)
    clone = clone_of(head, base, {"v1.2.3": base, "v2.0.0": base})
    s3, sns = read(clone, S3, SNS, base=BASE)
    assert s3 == ChartAtHead(S3, b"version: 1.2.3\n", Tag(TAGGED[:-1] + "0", True, True, None), touched=False)
    assert sns == ChartAtHead(SNS, b"version: 2.0.1\n", None, touched=True)
    assert len(asked) == 1
    assert read_charts(clone, {}, base=BASE) == ()
