"""A token service for registries that speak distribution's token authentication: signed tokens, as real ones give them.

Protocol: distribution/distribution ``docs/content/spec/auth/token.md``, ``jwt.md`` and ``oauth.md``.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testbed.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ISSUER = "tokens of this machine"
SERVICE = "registry of this machine"
ALL = frozenset({"pull", "push"})


@dataclass(frozen=True)
class Accounts:
    """Who may do what.

    Args:
        passwords: by user name.
        identity_tokens: user names by the identity token that stands for them.
        rights: actions by repository, for each user name; None is everybody, and ``*`` is every repository.
    """

    passwords: Mapping[str, str]
    identity_tokens: Mapping[str, str] = field(default_factory=dict)
    rights: Mapping[str | None, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def granted(self, account: str | None, scopes: Iterable[str]) -> list[dict[str, object]]:
        """What a token says of these scopes: as much of each as the account may."""
        rights = self.rights.get(account, {} if account is None else {"*": ALL})
        access: list[dict[str, object]] = []
        for scope in scopes:
            name, _, asked = scope.rpartition(":")
            kind, _, repository = name.partition(":")
            allowed = rights.get(repository, rights.get("*", frozenset()))
            actions = [action for action in asked.split(",") if action in allowed]
            if kind == "repository" and actions:
                access.append({"type": kind, "name": repository, "actions": actions})
        return access


@dataclass(frozen=True)
class Trust:
    """What a registry must know of the service: where it is, what it is called, and by which certificate it signs."""

    realm: str
    service: str
    issuer: str
    bundle: Path


@dataclass(frozen=True)
class Issued:
    """A token that was given, for tests to look at: to whom, for which scopes, and how it was asked for."""

    account: str | None
    scopes: tuple[str, ...]
    method: str


class TokenServer(LoopbackServer):
    """A token service on this machine; a context manager.

    Args:
        accounts: who may do what.
        folder: for its certificate.
        seconds: how long a token is good, and is said to be.
    """

    def __init__(self, accounts: Accounts, folder: Path, *, seconds: int = 60) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._bundle = folder / "bundle.pem"
        self._server = _Server(accounts, _Signer(self._bundle), seconds)
        super().__init__(self._server)

    def trust(self, *, host: str | None = None) -> Trust:
        """What a registry is configured with; ``host`` where something stands before the service.

        The realm is on localhost: go-containerregistry refuses addresses of this machine that are numbers.
        """
        port = (host or self.host).rpartition(":")[2]
        return Trust(f"http://localhost:{port}/token", SERVICE, ISSUER, self._bundle)

    @property
    def issued(self) -> tuple[Issued, ...]:
        """All tokens so far."""
        return tuple(self._server.issued)


class _Signer:
    """Signs tokens by a certificate of its own, which is written to a file."""

    def __init__(self, bundle: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]

    def token(self, account: str | None, access: list[dict[str, object]], seconds: int) -> str:
        """A token by ``jwt.md``."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": account or "",
            "aud": SERVICE,
            "exp": now + seconds,
            "nbf": now - 1,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": self._chain})


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, accounts: Accounts, signer: _Signer, seconds: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.accounts = accounts
        self.signer = signer
        self.seconds = seconds
        self.issued: list[Issued] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 20

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    def do_GET(self) -> None:
        """Give a token for Basic credentials, or for none."""
        given = self.headers.get("Authorization")
        account = None if given is None else self._by_password(given)
        if given is not None and account is None:
            self._refuse({"details": "incorrect username or password"})
            return
        query = parse_qs(urlsplit(self.path).query)
        self._give("token", account, query.get("service", []), query.get("scope", []))

    def do_POST(self) -> None:
        """Give a token for an identity token."""
        content = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = parse_qs(content)
        account = self.server.accounts.identity_tokens.get("".join(form.get("refresh_token", [])))
        if form.get("grant_type") != ["refresh_token"] or not form.get("client_id") or account is None:
            self._refuse({"error": "invalid_grant", "error_description": "no such token"}, HTTPStatus.BAD_REQUEST)
            return
        self._give("access_token", account, form.get("service", []), " ".join(form.get("scope", [])).split())

    def _by_password(self, header: str) -> str | None:
        kind, _, encoded = header.partition(" ")
        username, _, password = base64.b64decode(encoded).decode().partition(":")
        known = kind == "Basic" and self.server.accounts.passwords.get(username) == password
        return username if known else None

    def _give(self, key: str, account: str | None, service: list[str], scopes: list[str]) -> None:
        if service != [SERVICE]:
            self._refuse({"details": "unknown service"}, HTTPStatus.BAD_REQUEST)
            return
        server = self.server
        token = server.signer.token(account, server.accounts.granted(account, scopes), server.seconds)
        server.issued.append(Issued(account, tuple(scopes), self.command))
        self._answer(HTTPStatus.OK, {key: token, "expires_in": server.seconds})

    def _refuse(self, document: dict[str, str], status: HTTPStatus = HTTPStatus.UNAUTHORIZED) -> None:
        self._answer(status, document)

    def _answer(self, status: HTTPStatus, document: dict[str, object] | dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
