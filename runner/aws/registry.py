"""A registry of AWS's that a run writes to: its logins, and its repositories, which must be there before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from runner.aws.problem import Operation
from runner.aws.services import SERVICES
from runner.aws.token import TokenLogins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.aws.calls import Caller
    from runner.aws.identity import Identity
    from runner.config.aws import AwsKind
    from runner.config.catalog import CatalogData
    from runner.oci.credentials import Login

AT_ONCE: Final = 4
"""How many repositories are looked after at the same time."""


class AwsRegistry:
    """One registry of AWS's. Thread-safe; AWS is asked for nothing before the first login or ``prepare``.

    Args:
        kind: ``ecr-public`` or ``ecr``.
        host: the registry's host, with port.
        identity: as whom AWS is asked.
        caller: calls AWS.
        report: called with what was done: an event in words, and its values.
    """

    def __init__(
        self,
        kind: AwsKind,
        host: str,
        identity: Identity,
        caller: Caller,
        *,
        report: Callable[..., object] = lambda *_, **__: None,
    ) -> None:
        self._host = host
        self._identity = identity
        self._caller = caller
        self._report = report
        self._service = SERVICES[kind](host, identity.region)
        self._logins = TokenLogins(host, self._service, identity, caller)

    @property
    def host(self) -> str:
        """The registry's host, with port."""
        return self._host

    @property
    def identity(self) -> str:
        """As whom AWS is asked, in words: the role once it is known."""
        return self._identity.name

    def login(self, host: str, repository: str = "") -> Login | None:
        """Return the login for this registry's host, None for any other; see ``TokenLogins``."""
        return self._logins.login(host, repository)

    def prepare(self, repositories: Mapping[str, CatalogData | None]) -> None:
        """Get a token, then make sure that the repositories are there.

        Args:
            repositories: by path in the registry, what the gallery shall show of each; None to leave that as it is.

        Raises:
            AwsPermissionMissing, AwsCredentialsUnusable, AwsSettingWrong, AwsFailed: it is not ready; what was created
                until then stays.
        """
        named = {self._service.repository_name(path): wanted for path, wanted in repositories.items()}
        self._logins.check()
        client = self._identity.client(self._service.endpoint)

        def ensure(name: str) -> None:
            outcome = self._service.ensure(client, name, named[name], self._ask)
            self._report(f"repository {outcome}", registry=self._host, repository=name)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="repositories") as pool:
            for outcome in [pool.submit(ensure, name) for name in named]:
                outcome.result()

    def _ask(self, action: str, about: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the call gives it
        return self._caller.ask(Operation(action, self._identity.name, about), call)
