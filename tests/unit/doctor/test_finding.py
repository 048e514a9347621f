from __future__ import annotations

import pytest

from runner.doctor.finding import Finding, exit_code, failure
from runner.errors import CredentialsRefused, ExitCode, RegistryFailed, ToolUnusable


def test_what_an_error_says() -> None:
    """An error becomes a finding with its own cause, remedy and exit code; a mere warning fails no release."""
    error = CredentialsRefused("the login has expired")
    assert failure("login", error) == Finding(
        "login", "bad", "the login has expired", CredentialsRefused.remedy, ExitCode.CREDENTIALS
    )
    assert failure("login", error, state="warning").exit is ExitCode.DONE


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([RegistryFailed("away")], 7),
        ([RegistryFailed("away"), CredentialsRefused("expired")], 8),
        ([RegistryFailed("away"), CredentialsRefused("expired"), ToolUnusable("no helm")], 2),
    ],
)
def test_the_worst(errors: list[RegistryFailed], code: int) -> None:
    """The exit code is the one that a run with all of these failures would end with."""
    findings = [Finding("memory", "good", "enough"), *(failure("x", error) for error in errors)]
    assert exit_code(findings) == code
