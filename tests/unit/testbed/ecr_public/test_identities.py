from __future__ import annotations

from testbed.ecr_public.identities import Account, Caller

USER = "arn:aws:iam::123456789012:user/prow"
ROLE = "arn:aws:sts::123456789012:assumed-role/publisher/run-1"
ALLOW = {"Statement": [{"Effect": "Allow", "Action": "ecr-public:PutImage", "Resource": "*"}]}


def test_keys() -> None:
    """A key is found until it is taken away."""
    account = Account()
    caller = Caller("AKIA1", "secret", USER)
    account.add(caller)
    assert account.find("AKIA1") is caller
    account.revoke("AKIA1")
    assert account.find("AKIA1") is None


def test_secrets_are_not_shown() -> None:
    """What a caller signs with does not stand in its representation, which failing tests print."""
    shown = repr(Caller("AKIA1", "the-secret", USER, "the-token"))
    assert "the-secret" not in shown
    assert "the-token" not in shown


def test_everything_is_allowed_at_first() -> None:
    """Without policies, everybody may do everything."""
    assert Account().denial(USER, "ecr-public:PutImage", "*") is None


def test_denying() -> None:
    """An action is denied to those whom the text names, in AWS's words, until all is allowed again."""
    account = Account()
    account.deny("ecr-public:PutImage", ":assumed-role/publisher/")
    assert account.denial(USER, "ecr-public:PutImage", "*") is None
    assert account.denial(ROLE, "ecr-public:CreateRepository", "*") is None
    assert account.denial(ROLE, "ecr-public:PutImage", "*") == (
        f"User: {ROLE} is not authorized to perform: ecr-public:PutImage on resource: * because no identity-based "
        "policy allows the ecr-public:PutImage action"
    )
    account.allow_all()
    assert account.denial(ROLE, "ecr-public:PutImage", "*") is None


def test_attaching() -> None:
    """Who has a policy may do what it allows, and only that; others still may do everything."""
    account = Account()
    account.attach(":assumed-role/publisher/", ALLOW)
    assert account.denial(ROLE, "ecr-public:PutImage", "*") is None
    assert account.denial(ROLE, "ecr-public:CreateRepository", "*") is not None
    assert account.denial(USER, "ecr-public:CreateRepository", "*") is None


def test_denying_is_stronger() -> None:
    """What is denied stays so whatever a policy allows."""
    account = Account()
    account.attach("publisher", ALLOW)
    account.deny("ecr-public:PutImage")
    assert account.denial(ROLE, "ecr-public:PutImage", "*") is not None
