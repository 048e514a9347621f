from __future__ import annotations

from dataclasses import astuple

from runner.aws.client import Endpoint, RoleCredentials


def test_nothing_secret_shows() -> None:
    """Of a role's credentials the role shows, and neither key nor token."""
    credentials = RoleCredentials("arn:aws:iam::1:role/r", "mark-of-key", "mark-of-secret", "mark-of-token", 1.0)
    assert "role/r" in repr(credentials)
    assert "mark-of" not in repr(credentials)
    assert "mark-of" not in str(credentials)


def test_endpoint() -> None:
    """Unless it is said, a client asks the usual address of its service."""
    assert astuple(Endpoint("sts", None)) == ("sts", None, False, False)
