"""Records of runs as they might be, with whatever text in them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from runner.errors import BuildFailed, ReleaseError
from runner.report.record import (
    EntryDocument,
    JobDocument,
    PullDocument,
    Record,
    RecordDocument,
    ServiceDocument,
    SettingDocument,
    StepName,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = "sha256:" + "a" * 64
REGISTRY = "public.ecr.aws/ack"
NAMES = {"controller:s3-v1.2.3": "image", "chart:s3-v1.2.3": "chart", "s3-chart:1.2.3": "chart"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    '" onload="alert(1)',
    "&#34; onload=&#34;alert(1)",
    "'><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- --><![CDATA[ x ]]>",
    "\u202egnp.exe \u2066\u200f",
    "one\ntwo\r\nthree\x00\x1b[31m",
    "\udcff",
    "שלום עולם",
    "x" * 5000,
]


def record_of(
    *, error: Callable[[str], ReleaseError] | None = None, action: str = "publish", text: str = "x", **fields: object
) -> Record:
    """A record of one service, with this text wherever text comes from outside."""
    record = Record(lambda _: None)
    base = {"ref": "v1.2.3", "commit": "c" * 40, "version": "1.2.3", "path": "release", "registry": REGISTRY}
    source = "https://github.com/aws-controllers-k8s/s3-controller"
    record.update(**{**base, "source": source, **fields})
    record.set_service(ServiceDocument(name="s3", selected=True, version="1.2.3", reason=text))
    rows = [
        EntryDocument.model_validate(
            {"service": "s3", "kind": kind, "name": f"{REGISTRY}/{name}", "action": action, "reason": text}
            | ({} if action == "refuse" else {"digest": DIGEST})
        )
        for name, kind in NAMES.items()
    ]
    record.set_entries("s3", tuple(rows))
    record.warn(text)
    record.note(text)
    record.tool("go", text)
    with record.step("publish chart", "s3") as step:
        step.skip(text)
    if error is not None:
        failure = error(text)
        with pytest.raises(ReleaseError), record.step("build", "s3"):
            raise failure
        record.fail(failure, "s3")
    elif action == "publish" and not fields.get("command"):
        for name in NAMES:
            record.written(f"{REGISTRY}/{name}", DIGEST)
    return record


def built(text: str) -> ReleaseError:
    """A failure with text from a tool."""
    return BuildFailed(text, detail=["line 1", text])


STEPS: tuple[StepName, ...] = ("describe", "observe", "plan", "chart", "build", "publish image", "publish chart")


def record_of_many(services: int) -> RecordDocument:
    """The record of a release of many services from one tag, and one more that does not compile; each step took 1 s."""
    seconds = count()
    record = Record(lambda _: None, clock=lambda: float(next(seconds)))
    source = "https://github.com/aws-controllers-k8s/community"
    record.update(ref="v1.2.3", commit="c" * 40, version="1.2.3", path="release", registry=REGISTRY, source=source)
    failure = BuildFailed("main.go:3:7: undefined: x")
    for number, service in enumerate([*(f"service{number}" for number in range(services)), "broken"]):
        fails = service == "broken"
        record.set_service(ServiceDocument(name=service, selected=True, version="1.2.3", reason="in the tag"))
        rows = {
            name: EntryDocument.model_validate(
                {"service": service, "kind": kind, "name": name, "action": "publish", "reason": "absent"}
                | ({} if fails else {"digest": f"sha256:{number:064}"})
            )
            for kind, name in (
                ("image", f"{REGISTRY}/{service}-controller:v1.2.3"),
                ("chart", f"{REGISTRY}/{service}-chart:v1.2.3"),
            )
        }
        record.set_entries(service, tuple(rows.values()))
        for step in STEPS[:4] if fails else STEPS:
            with record.step(step, service):
                pass
        if fails:
            with pytest.raises(ReleaseError), record.step("build", service):
                raise failure
            record.fail(failure, service)
        else:
            for name in rows:
                record.written(name, f"sha256:{number:064}")
    return record.close()


def everywhere(text: str) -> RecordDocument:
    """A record in which every value that can be a text is this one."""
    known = ("ref", "version", "commit", "source", "registry", "layout_folder", "as_tag", "runner")
    record = record_of(error=built, text=text, **dict.fromkeys(known, text))
    record.set_service(ServiceDocument(name="ecr", selected=False, reason=text))
    record.update(pulls=(PullDocument(number=text, commit=text),), job=JobDocument(name=text, build=text, page=text))
    record.update(settings={text: SettingDocument.model_validate({"value": text, "from": text})}, tools={text: text})
    return record.close()


def failed_run(
    cause: str = "main.go:3: undefined: x", detail: tuple[str, ...] = ("line 1", "line 2")
) -> RecordDocument:
    """The record of a run in which one of two services failed to build."""
    record = Record(lambda _: None)
    record.update(ref="v1.2.3", commit="c" * 40, version="1.2.3", path="release", registry="registry.example/ns")
    record.update(source="https://github.com/aws-controllers-k8s/s3-controller")
    for service in ("ecr", "s3"):
        with record.step("observe", service):
            pass
    error = BuildFailed(cause, detail=detail)
    with pytest.raises(BuildFailed), record.step("build", "s3"):
        raise error
    with record.step("publish chart", "ecr") as step:
        step.skip("already published")
    record.fail(error, "s3")
    return record.close()


def good_run(**fields: object) -> RecordDocument:
    """The record of a run that published an image; with fields set, of one that wrote nothing."""
    record = Record(lambda _: None)
    record.update(ref="v1.2.3", version="1.2.3", path="release", registry="127.0.0.1:5000/ns", staging=True)
    record.set_service(ServiceDocument(name="s3", selected=True, reason="only one"))
    row = EntryDocument(
        service="s3", kind="image", name="h/controller:s3-v1.2.3", action="publish", reason="absent", digest=DIGEST
    )
    record.set_entries("s3", (row,))
    record.update(**fields)
    if not fields:
        record.written(row.name, DIGEST)
    return record.close()


def ended_run() -> RecordDocument:
    """The record of a run that was ended while one service was built and another published."""
    record = Record(lambda _: None)
    with record.step("describe"):
        pass
    with record.step("build", "ecr"), record.step("publish chart", "s3"):
        record.end("SIGTERM")
    return record.close()
