"""The only caller of dockerd: makes, starts, inspects, signals and removes containers, and reads their logs."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker.types.daemon import CancellableStream

    from testbed.node.plan import Launch

NODE_LABEL = "dev.ack.release.node"
POD_LABEL = "dev.ack.release.pod"
REQUEST_SECONDS = 120
KILLED = 128 + signal.SIGKILL
REASON_SECONDS = 0.3
"""How long after a container was killed the engine may still learn that memory was the reason."""
NEVER = "0001-01-01T00:00:00Z"
"""What dockerd says of a moment that has not come."""


class ImageMissing(Exception):
    """The engine has no image of this name."""


class NoContainer(Exception):
    """The engine has no such container."""


class NotStarted(Exception):
    """The engine cannot start a container; the message is the engine's own."""


@dataclass(frozen=True)
class Look:
    """What the engine says of a container. Times are RFC 3339; ``started`` and ``ended`` are empty until then."""

    id: str
    image_id: str
    running: bool
    exit_code: int
    out_of_memory: bool
    started: str
    ended: str
    error: str

    @property
    def over(self) -> bool:
        """Whether it ran, or could not be started, and will not run again."""
        return not self.running and bool(self.ended)


class Engine:
    """The containers of one node, in one dockerd."""

    def __init__(self, host: str, node: str) -> None:
        self._client = docker.DockerClient(base_url=host, timeout=REQUEST_SECONDS, max_pool_size=50)
        self._host, self._node = host, node
        self._killed: set[str] = set()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    @property
    def version(self) -> str:
        """What the node says its container runtime is."""
        return f"docker://{self._client.version()['Version']}"

    def create(self, pod: str, launch: Launch) -> None:
        """Make a container, or leave the one that is there.

        Args:
            pod: the pod's uid.
            launch: what is wanted.

        Raises:
            ImageMissing: its image is not here.
            NotStarted: the engine does not take it.
        """
        mounts = [
            Mount(target=bind.target, source=str(bind.source), type="bind", read_only=bind.read_only)
            for bind in launch.binds
        ]
        try:
            self._client.api.create_container_from_config(
                self._configuration(pod, launch, mounts), name=_name(pod, launch.name)
            )
        except ImageNotFound as error:
            raise ImageMissing(launch.image) from error
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # it is there already
                raise NotStarted(str(error.explanation or error)) from error

    def _configuration(self, pod: str, launch: Launch, mounts: list[Mount]) -> dict[str, Any]:
        api = self._client.api
        host = api.create_host_config(
            network_mode="host",
            mounts=mounts,
            read_only=launch.read_only_root,
            cap_add=list(launch.capabilities_added),
            cap_drop=list(launch.capabilities_dropped),
            security_opt=list(launch.security_options),
            group_add=list(launch.groups),
            mem_limit=launch.limits.memory or None,
            nano_cpus=launch.limits.nano_cpus or None,
        )
        configuration: dict[str, Any] = api.create_container_config(
            image=launch.image,
            command=list(launch.command or ()),
            entrypoint=None if launch.entrypoint is None else list(launch.entrypoint),
            environment=dict(launch.environment),
            working_dir=launch.working_dir or None,
            user=launch.user or None,
            labels={NODE_LABEL: self._node, POD_LABEL: pod},
            host_config=host,
        )
        return configuration

    def image_user(self, image: str) -> str:
        """The user that an image's containers run as by its own configuration; empty for root.

        Raises:
            ImageMissing: there is no such image.
        """
        try:
            found: Mapping[str, Any] = self._client.api.inspect_image(image)
        except ImageNotFound as error:
            raise ImageMissing(image) from error
        return str(found["Config"].get("User") or "")

    def start(self, pod: str, container: str) -> None:
        """Start a container that was made.

        Raises:
            NotStarted: the engine cannot; it says why.
        """
        try:
            self._client.api.start(_name(pod, container))
        except APIError as error:
            raise NotStarted(str(error.explanation or error)) from error

    def look(self, pod: str, container: str) -> Look | None:
        """What the engine knows of a container; None where there is none."""
        try:
            found = self._client.api.inspect_container(_name(pod, container))
            if _was_killed(found["State"]) and found["Id"] not in self._killed:
                # The engine learns of the kernel's reason by an event of its own, which may come after the end.
                self._killed.add(found["Id"])
                time.sleep(REASON_SECONDS)
                found = self._client.api.inspect_container(_name(pod, container))
        except NotFound:
            return None
        state = found["State"]
        failed = state["Status"] == "created" and bool(state["Error"])
        return Look(
            id=f"docker://{found['Id']}",
            image_id=f"docker://{found['Image']}",
            running=bool(state["Running"]),
            exit_code=int(state["ExitCode"]),
            out_of_memory=bool(state["OOMKilled"]),
            started="" if state["StartedAt"] == NEVER else _seconds(state["StartedAt"]),
            ended=_seconds(found["Created"]) if failed else _ended(state),
            error=str(state["Error"]),
        )

    def signal(self, pod: str, container: str, name: str) -> None:
        """Send a signal to a container's first process; one that has ended meanwhile gets none."""
        try:
            self._client.api.kill(_name(pod, container), signal=name)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # it does not run any more
                raise

    def remove(self, pod: str) -> None:
        """Remove a pod's containers, ending those that run."""
        self._remove(f"{POD_LABEL}={pod}")

    def remove_all(self) -> None:
        """Remove all containers of this node, ending those that run."""
        self._remove(f"{NODE_LABEL}={self._node}")

    def _remove(self, label: str) -> None:
        for found in self._client.api.containers(all=True, filters={"label": label}):
            try:
                self._client.api.remove_container(found["Id"], force=True, v=True)
            except NotFound:
                continue

    @contextlib.contextmanager
    def logs(
        self,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int | Literal["all"] = "all",
    ) -> Iterator[Iterator[bytes]]:
        """Open what a container printed: stdout and stderr in the order in which it came.

        Args:
            pod: the pod's uid.
            container: its name.
            follow: go on until it ends.
            tail: begin so many lines before the end.

        Raises:
            NoContainer: there is no such container.
        """
        if self.look(pod, container) is None:
            raise NoContainer(container)
        if not follow:
            yield iter([self._client.api.logs(_name(pod, container), tail=tail)])
            return
        # A client of its own: closing what is read half must not touch a connection that others use.
        client = docker.APIClient(base_url=self._host, timeout=REQUEST_SECONDS)
        try:
            chunks = client.logs(_name(pod, container), stream=True, follow=True, tail=tail)
            with contextlib.closing(_Followed(chunks)) as followed:
                yield iter(followed)
        finally:
            client.close()


class _Followed:
    """A log that is followed; one that is not read to its end is cut off when it is closed."""

    def __init__(self, chunks: CancellableStream[bytes]) -> None:
        self._chunks, self._over = chunks, False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        self._over = True

    def close(self) -> None:
        if not self._over:
            self._chunks.close()


def _was_killed(state: Mapping[str, Any]) -> bool:
    return not state["Running"] and state["ExitCode"] == KILLED and not state["OOMKilled"]


def _name(pod: str, container: str) -> str:
    return f"{container}_{pod}"


def _ended(state: Mapping[str, Any]) -> str:
    return "" if state["FinishedAt"] == NEVER or state["Running"] else _seconds(state["FinishedAt"])


def _seconds(time: str) -> str:
    # The apiserver keeps whole seconds.
    return f"{time[:19]}Z"
