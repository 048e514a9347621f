"""Docker's credential helpers: programs ``docker-credential-NAME`` that give the login for a server.

Protocol: docker/docker-credential-helpers ``client`` and ``credentials``. The argument is ``get``; stdin is the server;
stdout is ``{"ServerURL": …, "Username": …, "Secret": …}``, or after a failure the reason.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from runner.errors import CredentialsRefused
from runner.foreign.documents import read_json
from runner.oci.credentials import Login

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.runtime.process import Finished, Run

SECONDS = 10.0
"""How long a helper may take: one that waits for a person, as desktops' do, never answers in a job."""
KEPT_SECONDS = 600.0
"""How long a login serves before the helper is asked again: it does not say when the login expires."""
SHARED_SECONDS = 30.0
"""How long an answer serves all repositories that ask; a login that is refused later than that is asked for anew."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NOT_FOUND = "credentials not found in native keychain"
IDENTITY_TOKEN = "<token>"  # noqa: S105 - the user name that says that the secret is an identity token

PASSED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "DOCKER_CONFIG"),
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What every helper is given of the runner's own environment: where it finds its settings, and how it reaches others.

Other children get a HOME of their own; a helper's settings and stores lie in the user's.
"""

PASSED_TO: Mapping[str, tuple[str, ...]] = {
    "ecr-login": (
        *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        *("AWS_STS_REGIONAL_ENDPOINTS", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_SDK_LOAD_CONFIG"),
        *("AWS_ECR_CACHE_DIR", "AWS_ECR_DISABLE_CACHE", "AWS_ECR_IGNORE_CREDS_STORAGE"),
    ),
    "gcloud": ("CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME", "CLOUDSDK_PYTHON", "GOOGLE_APPLICATION_CREDENTIALS"),
    "gcr": ("CLOUDSDK_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS"),
    "acr-env": (
        *("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_ENVIRONMENT", "AZURE_AUTHORITY_HOST"),
        *("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH"),
    ),
    "pass": ("GNUPGHOME", "PASSWORD_STORE_DIR", "GPG_TTY"),
    "secretservice": ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY"),
}
"""What one helper is given besides, by its name: the identity that it turns into a login.

This is the one exception from the rule that no child sees credentials: the helper exists to use them, and only the one
that the administrator has named in Docker's config file for a registry is started. No other helper sees them.
"""


def helper_environment(name: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the helper of this name, of the runner's own."""
    return {key: inherited[key] for key in (*PASSED, *PASSED_TO.get(name, ())) if inherited.get(key)}


class CredentialHelpers:
    """Asks credential helpers; thread-safe. Nothing that one prints is logged, or stands in an error.

    Args:
        run: starts them.
        environment: the runner's own, of which a helper is given what is listed for it.
        clock: the present time, in seconds since the epoch.
    """

    def __init__(self, run: Run, environment: Mapping[str, str], *, clock: Callable[[], float] = time.time) -> None:
        self._run = run
        self._environment = dict(environment)
        self._clock = clock
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, str], threading.Lock] = {}
        self._answers: dict[tuple[str, str], tuple[float, Login | None]] = {}

    def __call__(self, name: str, server: str) -> Login | None:
        """The login for a server, or None where the helper has none.

        Raises:
            CredentialsRefused: there is no such helper, it fails, takes too long, or answers something else.
            RunEnded: the run was ended.
        """
        asked = (name, server)
        with self._lock:
            asking = self._asking.setdefault(asked, threading.Lock())
        with asking:
            found = self._answers.get(asked)
            now = self._clock()
            if found is None or not 0 <= now - found[0] < SHARED_SECONDS:
                found = self._answers[asked] = (now, self._ask(name, server))
            return found[1]

    def _ask(self, name: str, server: str) -> Login | None:
        if NAME.fullmatch(name) is None:
            raise _failed(server, repr(name), "is not a helper's name")
        program = f"docker-credential-{name}"
        try:
            finished = self._run(
                [program, "get"],
                env=helper_environment(name, self._environment),
                stdin=server.encode(),
                seconds=SECONDS,
            )
        except FileNotFoundError:
            raise _failed(server, program, "is not on PATH") from None
        except TimeoutError:
            raise _failed(server, program, f"did not answer within {SECONDS:.0f} s") from None
        except OSError as error:
            raise _failed(server, program, f"cannot be started: {error.strerror}") from None
        return self._read(finished, server, program)

    def _read(self, finished: Finished, server: str, program: str) -> Login | None:
        if not finished.ok:
            if finished.stdout.strip() == NOT_FOUND:
                return None
            raise _failed(server, program, f"failed with exit code {finished.returncode}")
        try:
            document = read_json(finished.stdout)
        except ValueError:
            document = None
        match document:
            case {"Username": str(username), "Secret": str(secret)}:
                return self._login(username, secret)
        raise _failed(server, program, "did not answer with a user name and a secret")

    def _login(self, username: str, secret: str) -> Login | None:
        expires = self._clock() + KEPT_SECONDS
        if username == IDENTITY_TOKEN:
            return Login("", "", expires, identity_token=secret)
        return Login(username, secret, expires) if username or secret else None


def _failed(server: str, program: str, what: str) -> CredentialsRefused:
    return CredentialsRefused(
        f"{server} asks for credentials, and the credential helper {program} {what}",
        remedy=f"Try it by hand (echo {server} | {program} get); correct it, or credHelpers and credsStore in Docker's"
        " config file, then rerun.",
    )
