"""From a pod to the containers that the engine shall make. Pure: what the apiserver knows is handed in as values."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.node.pod import NotHonoured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testbed.node.pod import Container, KeySelector, Pod, ValueFrom, Variable

    Keys = Callable[[str], Mapping[str, bytes] | None]
    """The keys of the secret, or of the config map, of this name; None where there is none."""


class NotConfigured(Exception):
    """A container cannot be made yet: something that it names is not there. The message says what."""


@dataclass(frozen=True)
class Bind:
    """A path of this machine in a container."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True)
class Limits:
    """What a container may use: memory in bytes, CPU time in billionths of a CPU; 0 is unlimited."""

    memory: int = 0
    nano_cpus: int = 0


@dataclass(frozen=True)
class Launch:
    """One container as the engine shall make it.

    ``entrypoint`` and ``command`` are None where the image's own count. ``user`` is empty where the image's own counts.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    environment: Mapping[str, str]
    working_dir: str
    user: str
    groups: tuple[str, ...]
    must_not_be_root: bool
    """Whether the image's own user, where it counts, must be checked with ``check_not_root``."""
    binds: tuple[Bind, ...]
    read_only_root: bool
    capabilities_added: tuple[str, ...]
    capabilities_dropped: tuple[str, ...]
    security_options: tuple[str, ...]
    limits: Limits


def plan_container(
    pod: Pod, container: Container, *, volumes: Mapping[str, Path], message: Path, secrets: Keys, config_maps: Keys
) -> Launch:
    """Say how a container shall be made.

    Args:
        pod: whose it is.
        container: one of its containers.
        volumes: where each volume of the pod lies on this machine.
        message: the file on this machine that becomes the container's termination message.
        secrets: asks for a secret of the pod's namespace.
        config_maps: asks for a config map of the pod's namespace.

    Raises:
        NotConfigured: a secret, config map or key that it needs is not there.
        NotHonoured: it names a field of the pod that this node does not give out.
    """
    whole, own = pod.spec.security_context, container.security_context
    user = own.run_as_user if own.run_as_user is not None else whole.run_as_user
    group = own.run_as_group if own.run_as_group is not None else whole.run_as_group
    if user is None and group is not None:
        raise NotConfigured("runAsGroup is specified without a runAsUser")
    non_root = own.run_as_non_root if own.run_as_non_root is not None else whole.run_as_non_root
    if non_root and user == 0:
        raise NotConfigured(f"container's runAsUser breaks non-root policy ({_which(pod, container.name)})")
    groups = [*whole.supplemental_groups, *([] if whole.fs_group is None else [whole.fs_group])]
    environment = _environment(pod, container, secrets=secrets, config_maps=config_maps)
    return Launch(
        name=container.name,
        image=container.image,
        entrypoint=tuple(_expand(one, environment) for one in container.command) or None,
        command=tuple(_expand(one, environment) for one in container.args) or None,
        environment=environment,
        working_dir=container.working_dir,
        user="" if user is None else f"{user}" if group is None else f"{user}:{group}",
        groups=tuple(str(one) for one in dict.fromkeys(groups)),
        must_not_be_root=bool(non_root) and user is None,
        binds=_binds(pod, container, volumes, message),
        read_only_root=own.read_only_root_filesystem,
        capabilities_added=own.capabilities.add,
        capabilities_dropped=own.capabilities.drop,
        security_options=_security_options(pod, container),
        limits=Limits(
            memory=int(container.resources.limits.get("memory", 0)),
            nano_cpus=int(container.resources.limits.get("cpu", 0) * 10**9),
        ),
    )


def check_not_root(pod: Pod, container: str, image_user: str) -> None:
    """Check the user of an image whose container must not run as root (kubelet, verifyRunAsNonRoot).

    Raises:
        NotConfigured: it is root, or a name, of which nobody knows who it is.
    """
    user = image_user.partition(":")[0]
    if user and not user.isdigit():
        raise NotConfigured(
            f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
            f" ({_which(pod, container)})"
        )
    if not user or int(user) == 0:
        raise NotConfigured(f"container has runAsNonRoot and image will run as root ({_which(pod, container)})")


def _which(pod: Pod, container: str) -> str:
    return f'pod: "{pod.name}_{pod.namespace}({pod.uid})", container: {container}'


def _binds(pod: Pod, container: Container, volumes: Mapping[str, Path], message: Path) -> tuple[Bind, ...]:
    binds = [Bind(message, container.termination_message_path, read_only=False)]
    only_read = {volume.name for volume in pod.spec.volumes if volume.only_read}
    for mount in container.volume_mounts:
        if mount.name not in volumes:
            raise NotConfigured(f"no volume is called {mount.name!r}")
        below = posixpath.normpath(mount.sub_path) if mount.sub_path else "."
        if below.startswith(("/", "..")):
            raise NotHonoured(f"subPath {mount.sub_path!r} leaves its volume")
        binds.append(Bind(volumes[mount.name] / below, mount.mount_path, mount.read_only or mount.name in only_read))
    return tuple(binds)


def _security_options(pod: Pod, container: Container) -> tuple[str, ...]:
    options = []
    if not container.security_context.allow_privilege_escalation:
        options.append("no-new-privileges")
    seccomp = container.security_context.seccomp_profile or pod.spec.security_context.seccomp_profile
    # A kubelet leaves containers unconfined unless they ask for a profile; dockerd has its own by default.
    if seccomp is None or seccomp.type == "Unconfined":
        options.append("seccomp=unconfined")
    return tuple(options)


def _environment(pod: Pod, container: Container, *, secrets: Keys, config_maps: Keys) -> dict[str, str]:
    environment: dict[str, str] = {}
    for variable in container.env:
        value: str | None
        if variable.value_from is None:
            value = _expand(variable.value, environment)
        else:
            value = _look_up(pod, variable, variable.value_from, secrets=secrets, config_maps=config_maps)
        if value is not None:
            environment[variable.name] = value
    return environment


def _look_up(pod: Pod, variable: Variable, origin: ValueFrom, *, secrets: Keys, config_maps: Keys) -> str | None:
    if origin.field_ref is not None:
        return _field(pod, origin.field_ref.field_path)
    if origin.secret_key_ref is not None:
        return _key(pod, "Secret", origin.secret_key_ref, secrets)
    if origin.config_map_key_ref is not None:
        return _key(pod, "ConfigMap", origin.config_map_key_ref, config_maps)
    raise NotHonoured(f"variable {variable.name}: valueFrom names nothing that this node honours")


def _key(pod: Pod, kind: str, selector: KeySelector, keys: Keys) -> str | None:
    found = keys(selector.name)
    if found is not None and selector.key in found:
        return found[selector.key].decode("utf-8", errors="replace")
    if selector.optional:
        return None
    if found is None:
        raise NotConfigured(f'{kind.lower()} "{selector.name}" not found')
    raise NotConfigured(f"couldn't find key {selector.key} in {kind} {pod.namespace}/{selector.name}")


def _field(pod: Pod, path: str) -> str:
    values = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
    }
    if path in values:
        return values[path]
    chosen = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if chosen is None:
        raise NotHonoured(f"fieldRef {path}")
    kind, key = chosen.groups()
    return (pod.labels if kind == "labels" else pod.annotations).get(key, "")


def _expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace ``$(NAME)``; ``$$`` is a dollar sign, and an unknown name stays as it stands (core/v1, EnvVar)."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else environment.get(name, match.group())

    return re.sub(r"\$\$|\$\(([^()]+)\)", value, text)
