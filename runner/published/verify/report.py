"""What came of the checks of a release, as a document. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import __version__
from runner.errors import ExitCode, FindingsLeft
from runner.published.observed import Published
from runner.published.verify.checks import Result
from runner.report.findings import CheckDocument, VerifyDocument
from runner.report.words import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.published.verify.checks import Check
    from runner.published.verify.release import Release


def verify_document(release: Release, checks: Sequence[Check]) -> VerifyDocument:
    """Put the checks of a release into a document."""
    question = release.question
    is_there = any(isinstance(release.at(name), Published) for name in (*release.images, *release.charts))
    failed = any(check.result is Result.FAILED for check in checks)
    return VerifyDocument(
        runner=__version__,
        service=question.service.name,
        version=str(question.version),
        registry=str(question.address),
        scheme=release.scheme.label if is_there else None,
        verdict=sentence(verdict(release, checks, is_there=is_there)),
        exit=int(ExitCode.CONFLICT if failed else ExitCode.DONE),
        checks=tuple(
            CheckDocument(check=one.name, result=one.result.value, found=one.found, expected=one.expected)
            for one in checks
        ),
    )


def verdict(release: Release, checks: Sequence[Check], *, is_there: bool) -> str:
    """What came of the checks, in words, without a full stop."""
    question = release.question
    what = f"{question.service.name} {question.version}"
    if not is_there:
        return f"{what} is not published at {question.address}"
    failed = [check.name for check in checks if check.result is Result.FAILED]
    passed, warnings = (sum(check.result is result for check in checks) for result in (Result.PASSED, Result.WARNING))
    if failed:
        judged = len(failed) + passed + warnings
        return f"{what} is not as it should be: {len(failed)} of {judged} checks failed ({', '.join(failed)})"
    flaws = "1 known flaw" if warnings == 1 else f"{warnings} known flaws"
    said = f", {flaws} of the former job" if warnings else ""
    return f"{what} is published as it should be: {passed} checks passed{said}"


def error_of(document: VerifyDocument) -> FindingsLeft | None:
    """What the command ends with; None when no check failed."""
    if document.exit == ExitCode.DONE:
        return None
    remedy = "A release never changes: where its job can complete it, rerun that; else release the next version."
    failed = [check for check in document.checks if check.result == Result.FAILED.value]
    return FindingsLeft(
        document.verdict.rstrip("."),
        remedy=remedy,
        detail=[f"{check.check}: {check.found}; expected: {check.expected}" for check in failed],
    )
