from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.testbed.ecr_public.asking import Answer, Asker, request

if TYPE_CHECKING:
    from testbed.ecr_public.harness import EcrPublic

INVALID = (400, "DENIED", "Your Authorization Token is invalid.")
EXPIRED = (403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")


def basic(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'AWS:{password}'.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def base(ecr: EcrPublic, headers: dict[str, str] | None = None) -> Answer:
    return request(ecr.host, "GET", "/v2/", headers=headers)


def test_the_challenge(ecr: EcrPublic) -> None:
    """Who sends no token is told the realm on the same host, the service's real name and the one scope."""
    answer = base(ecr)
    assert answer.error == (401, "UNAUTHORIZED", "Not Authorized")
    assert answer.headers["www-authenticate"] == (
        f'Bearer realm="http://{ecr.host}/token/",service="public.ecr.aws",scope="aws"'
    )


def test_a_token_for_a_password(ecr: EcrPublic) -> None:
    """The realm exchanges the user AWS's password for a token, base64 of JSON that says when it expires."""
    ecr.switch(token_seconds=600)
    answer = request(ecr.host, "GET", "/token/?service=public.ecr.aws&scope=aws", headers=basic(ecr.password()))
    assert set(answer.json) == {"token"}
    written = json.loads(base64.b64decode(answer.json["token"]))
    assert written["expiration"] == pytest.approx(ecr.state.clock() + 600, abs=5)
    assert base(ecr, bearer(answer.json["token"])).status == 200


def test_an_anonymous_token_reads_only(ecr: EcrPublic) -> None:
    """The realm gives a token to anyone; it reads, and each write is refused."""
    ecr.create("app")
    digest = Asker.logged_in(ecr).push("app", "v1")
    anyone = Asker.anonymous(ecr)
    assert anyone.head("app", "v1").headers["docker-content-digest"] == digest
    assert anyone.ask("POST", "app/blobs/uploads/").error == (403, "DENIED", "Not Authorized")
    assert anyone.put("app", "v2", anyone.get("app", "v1").body).error == (403, "DENIED", "Not Authorized")


def test_the_credential_itself_is_a_bearer_token(ecr: EcrPublic) -> None:
    """What GetAuthorizationToken answers is accepted as a bearer token, without the realm."""
    token = ecr.client("ecr-public").get_authorization_token()["authorizationData"]["authorizationToken"]
    assert base64.b64decode(token).startswith(b"AWS:")
    assert base(ecr, bearer(token)).status == 200


def test_a_long_password(ecr: EcrPublic) -> None:
    """A password is of more than a kilobyte, as real ones are."""
    assert len(ecr.password()) > 1024


def test_basic_is_refused(ecr: EcrPublic) -> None:
    """Basic on the registry itself is 400 DENIED without a challenge, whatever the password."""
    for password in (ecr.password(), "wrong"):
        answer = base(ecr, basic(password))
        assert answer.error == INVALID
        assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("token", ["wrong", "", "e30=", base64.b64encode(b"AWS:wrong").decode()])
def test_a_wrong_token(ecr: EcrPublic, token: str) -> None:
    """A bearer token that was never issued is 400 DENIED without a challenge."""
    answer = base(ecr, bearer(token))
    assert answer.error == INVALID
    assert "www-authenticate" not in answer.headers


def test_a_stale_token(ecr: EcrPublic) -> None:
    """A token from the realm that has expired is refused as a wrong one; the same password buys another."""
    ecr.switch(token_seconds=0)
    stale = Asker.logged_in(ecr)
    assert base(ecr, bearer(stale.token)).error == INVALID
    ecr.switch(token_seconds=60)
    assert base(ecr, bearer(Asker.logged_in(ecr).token)).status == 200


def test_tokens_that_are_revoked(ecr: EcrPublic) -> None:
    """All tokens of the realm can be made invalid at once; the password then still buys a new one."""
    password = ecr.password()
    token = request(ecr.host, "GET", "/token/", headers=basic(password)).json["token"]
    ecr.state.tokens.revoke_tokens()
    assert base(ecr, bearer(token)).error == INVALID
    assert request(ecr.host, "GET", "/token/", headers=basic(password)).status == 200


def test_an_expired_credential(ecr: EcrPublic) -> None:
    """A credential past its time is 403 in its own words, at the realm and as a bearer token."""
    ecr.switch(credential_seconds=0)
    password = ecr.password()
    assert request(ecr.host, "GET", "/token/", headers=basic(password)).error == EXPIRED
    whole = base64.b64encode(f"AWS:{password}".encode()).decode()
    assert base(ecr, bearer(whole)).error == EXPIRED


@pytest.mark.parametrize("authorization", ["Basic !", "Basic bm9ib2R5OndoYXQ=", "Bearer x", "Basic"])
def test_a_wrong_password(ecr: EcrPublic, authorization: str) -> None:
    """The realm refuses what is no password that was issued."""
    assert request(ecr.host, "GET", "/token/", headers={"Authorization": authorization}).error == INVALID


def test_another_user(ecr: EcrPublic) -> None:
    """A good password is of no use to a user other than AWS."""
    other = base64.b64encode(f"somebody:{ecr.password()}".encode()).decode()
    assert request(ecr.host, "GET", "/token/", headers={"Authorization": f"Basic {other}"}).error == INVALID


def test_tokens_are_read_with_get(ecr: EcrPublic) -> None:
    """The realm knows no other way to ask for a token."""
    assert request(ecr.host, "POST", "/token/", b"grant_type=password").error[:2] == (405, "UNSUPPORTED")
