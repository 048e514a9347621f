"""Addresses of what a run released: only where it is known what they look like."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.links import (
    SAFE_ADDRESS,
    commit_address,
    files_beside,
    gallery_address,
    job_address,
    link_files,
    pull_address,
    tag_address,
)
from runner.report.record import EntryDocument, JobDocument, PullDocument, RecordDocument

COMMIT = "c" * 40
SOURCE = "https://github.com/aws-controllers-k8s/s3-controller"
SCHEMES = st.sampled_from(["https://github.com/", "https://gitlab.com/", "https://git.example/", "javascript:", ""])


def entry(name: str, kind: str = "image", service: str = "s3", **fields: object) -> EntryDocument:
    """An entry that this run wrote."""
    values = {"service": service, "kind": kind, "name": name, "action": "publish", "reason": "-", "written": True}
    return EntryDocument.model_validate(values | fields)


def test_commit_and_tag_are_where_the_repository_is() -> None:
    """A commit and a tag on GitHub and GitLab have the addresses that those give them."""
    assert commit_address(SOURCE, COMMIT) == f"{SOURCE}/commit/{COMMIT}"
    assert tag_address(SOURCE, "v1.2.3") == f"{SOURCE}/releases/tag/v1.2.3"
    assert commit_address("https://gitlab.com/o/r", COMMIT) == f"https://gitlab.com/o/r/-/commit/{COMMIT}"
    assert tag_address("https://gitlab.com/o/r", "v1.2.3") == "https://gitlab.com/o/r/-/tags/v1.2.3"


@pytest.mark.parametrize(
    "source", [None, "https://git.example/o/r", "http://github.com/o/r", "https://github.com.evil.example/o/r", "x"]
)
def test_an_unknown_host_has_no_address(source: str | None) -> None:
    """Where it is not known what an address looks like, none is made up."""
    assert commit_address(source, COMMIT) is None
    assert tag_address(source, "v1.2.3") is None


def test_a_repository_of_ecr_public_has_a_page_in_the_gallery() -> None:
    """The gallery's page of a repository is named by the registry's alias and the repository; others have none."""
    name = "public.ecr.aws/aws-controllers-k8s/s3-controller:v1.2.3"
    assert gallery_address(name) == "https://gallery.ecr.aws/aws-controllers-k8s/s3-controller"
    assert gallery_address("127.0.0.1:5000/aws-controllers-k8s/s3-controller:v1.2.3") is None
    assert gallery_address("public.ecr.aws/alias:tag") is None
    assert gallery_address("no name") is None


def test_files_of_links_hold_one_address_each() -> None:
    """Gallery, chart, commit and tag are files in the form of Prow's links lens: one address and nothing else."""
    document = RecordDocument(
        ref="v1.2.3",
        commit=COMMIT,
        source=SOURCE,
        path="release",
        version="1.2.3",
        entries=(
            entry("public.ecr.aws/ack/controller:s3-v1.2.3"),
            entry("public.ecr.aws/ack/chart:s3-v1.2.3", "chart"),
            entry("public.ecr.aws/ack/s3-chart:1.2.3", "chart"),
        ),
    )
    assert link_files(document) == {
        "gallery.link.txt": "https://gallery.ecr.aws/ack/controller\n",
        "chart.link.txt": "https://gallery.ecr.aws/ack/chart\n",
        "commit.link.txt": f"{SOURCE}/commit/{COMMIT}\n",
        "tag.link.txt": f"{SOURCE}/releases/tag/v1.2.3\n",
    }


def test_services_with_repositories_of_their_own_have_files_of_their_own() -> None:
    """Where services differ, each has its files; Prow shows gallery-of-s3 as "Gallery of s3"."""
    document = RecordDocument(
        entries=(
            entry("public.ecr.aws/ack/ecr-controller:v1.2.3", service="ecr"),
            entry("public.ecr.aws/ack/s3-controller:v1.2.3", service="s3"),
        )
    )
    assert link_files(document) == {
        "gallery-of-ecr.link.txt": "https://gallery.ecr.aws/ack/ecr-controller\n",
        "gallery-of-s3.link.txt": "https://gallery.ecr.aws/ack/s3-controller\n",
    }


@pytest.mark.parametrize(
    "action",
    ["publish", "refuse"],
)
def test_what_is_not_published_has_no_page(action: str) -> None:
    """A name that this run neither found nor wrote has no page to look at."""
    missing = entry("public.ecr.aws/ack/controller:s3-v1.2.3", action=action, written=False)
    assert link_files(RecordDocument(entries=(missing,))) == {}


def test_a_name_that_is_held_back_has_no_page() -> None:
    """A name that is skipped because another one is refused holds nothing, so it is not reported as published."""
    there = entry("public.ecr.aws/ack/controller:s3-v1.2.3", action="skip", written=False)
    held_back = there.model_copy(update={"digest": None})
    found = there.model_copy(update={"digest": "sha256:" + "a" * 64})
    assert link_files(RecordDocument(entries=(held_back,))) == {}
    assert list(link_files(RecordDocument(entries=(found,)))) == ["gallery.link.txt"]


def test_a_tag_that_is_not_there_yet_has_no_address() -> None:
    """A plan for a tag that nobody has pushed links its commit only."""
    document = RecordDocument(source=SOURCE, commit=COMMIT, version="1.2.3", path="release", as_tag="v1.2.3")
    assert list(link_files(document)) == ["commit.link.txt"]


def test_a_pull_request_is_linked_instead_of_a_commit_that_is_nowhere_else() -> None:
    """A check of a pull request links that; what Prow merged for it is no commit of the repository."""
    document = RecordDocument(source=SOURCE, commit=COMMIT, pulls=(PullDocument(number="7", commit="a" * 40),))
    assert link_files(document) == {"pull-request.link.txt": f"{SOURCE}/pull/7\n"}
    several = document.model_copy(update={"pulls": (*document.pulls, PullDocument(number="8", commit="b" * 40))})
    assert link_files(several) == {
        "pull-request-7.link.txt": f"{SOURCE}/pull/7\n",
        "pull-request-8.link.txt": f"{SOURCE}/pull/8\n",
    }
    assert pull_address("https://gitlab.com/o/r", "7") == "https://gitlab.com/o/r/-/merge_requests/7"
    assert pull_address("https://example.com/o/r", "7") is None


@pytest.mark.parametrize(
    "page", ["https://prow-1.example.io/view/gs/b/logs/j/1", "http://127.0.0.1:8080/view/s3/b/logs/j/1"]
)
def test_a_job_is_where_prow_shows_it(page: str) -> None:
    """The address of the job is the record's, of a Prow on this machine, too."""
    assert job_address(RecordDocument(job=JobDocument(name="j", page=page))) == page


@given(st.text() | st.sampled_from(["https://a/b", "javascript:x"]).flatmap(lambda one: st.text().map(one.__add__)))
def test_a_job_cannot_leave_its_attribute(page: str) -> None:
    """What the record has as a job's page is an address that needs no escape, or none."""
    address = job_address(RecordDocument(job=JobDocument(name="j", page=page)))
    assert address is None or (address == page and SAFE_ADDRESS.fullmatch(address))


def test_files_that_are_beside_the_page() -> None:
    """The record always is; the log of a tool is once the tool was asked for its version, and no other is named."""
    assert files_beside(RecordDocument()) == ("record.json",)
    document = RecordDocument(tools={"go": "go1.26", "helm": "v4", "<b>": "x"})
    assert files_beside(document) == ("record.json", "helm-build-log.txt", "go-build-log.txt")


@given(SCHEMES, st.text(), st.text())
def test_an_address_cannot_leave_its_attribute_or_its_host(scheme: str, text: str, other: str) -> None:
    """Whatever stands in the record, an address has only letters that need no escape, and the host it should have."""
    for address in (commit_address(scheme + text, other), tag_address(scheme + text, other), gallery_address(text)):
        if address is not None:
            assert re.fullmatch(SAFE_ADDRESS, address)
            assert urlsplit(address).scheme == "https"
            assert urlsplit(address).netloc in ("github.com", "gitlab.com", "gallery.ecr.aws")
