"""A pod as the apiserver gives it: the parts that this node honours, and no others.

A field that stands in none of these models is an error, so that nothing a job asks for is silently left out. The fields
without a meaning on a single node are marked as such. Names and defaults are those of the Kubernetes API, core/v1.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from kubernetes.utils.quantity import parse_quantity
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_GRACE = 30
READ_BY_ALL = 0o644


class NotHonoured(Exception):
    """The pod asks for something that this node does not do; the message names each field."""


class Part(BaseModel):
    """A part of a pod; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


Quantity = Annotated[Decimal, BeforeValidator(parse_quantity)]


def _written_quantity(text: object) -> str:
    parse_quantity(text)
    return str(text)


WrittenQuantity = Annotated[str, BeforeValidator(_written_quantity)]
"""A quantity as it was written, which a kubelet repeats in its messages."""


class KeySelector(Part):
    """One key of a secret or config map."""

    name: str = ""
    key: str
    optional: bool = False


class FieldSelector(Part):
    """A field of the pod itself."""

    api_version: Literal["v1"] = "v1"
    field_path: str


class ValueFrom(Part):
    """Where a variable's value comes from; exactly one is given."""

    field_ref: FieldSelector | None = None
    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None


class Variable(Part):
    """One variable of a container's environment."""

    name: str
    value: str = ""
    value_from: ValueFrom | None = None


class Mount(Part):
    """Where a volume stands in a container."""

    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""


class Resources(Part):
    """Requests say nothing to a node that has one pod's worth of work; limits are dockerd's to keep."""

    requests: dict[Literal["cpu", "memory", "ephemeral-storage"], Quantity] = Field(default_factory=dict)
    limits: dict[Literal["cpu", "memory"], Quantity] = Field(default_factory=dict)


class Capabilities(Part):
    """Linux capabilities beside the engine's default ones."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Seccomp(Part):
    """The system calls that are let through: the engine's own list, or all."""

    type: Literal["RuntimeDefault", "Unconfined"]


class Security(Part):
    """What pod and container say alike; the container wins."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    seccomp_profile: Seccomp | None = None


class PodSecurity(Security):
    """What holds for the whole pod."""

    fs_group: int | None = None
    fs_group_change_policy: Literal["Always", "OnRootMismatch"] = "Always"
    supplemental_groups: tuple[int, ...] = ()


class ContainerSecurity(Security):
    """What holds for one container."""

    read_only_root_filesystem: bool = False
    allow_privilege_escalation: bool = True
    privileged: Literal[False] = False
    capabilities: Capabilities = Capabilities()


class Container(Part):
    """One container, of either kind."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[Variable, ...] = ()
    resources: Resources = Resources()
    volume_mounts: tuple[Mount, ...] = ()
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] = "File"
    security_context: ContainerSecurity = ContainerSecurity()
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """Nothing is ever pulled: the images are those that the engine has."""


class EmptyDir(Part):
    """A folder that lives as long as the pod. Memory gives a folder on disk all the same."""

    medium: Literal["", "Memory"] = ""
    size_limit: WrittenQuantity | None = None

    @property
    def limit(self) -> Decimal | None:
        """The limit in bytes."""
        return None if self.size_limit is None else parse_quantity(self.size_limit)


class Item(Part):
    """One key of a secret or config map as a file."""

    key: str
    path: str
    mode: int | None = None


class SecretSource(Part):
    """A secret's keys as files."""

    secret_name: str
    items: tuple[Item, ...] = ()
    default_mode: int = READ_BY_ALL
    optional: bool = False


class ConfigMapSource(Part):
    """A config map's keys as files."""

    name: str
    items: tuple[Item, ...] = ()
    default_mode: int = READ_BY_ALL
    optional: bool = False


class HostPath(Part):
    """A path of this machine."""

    path: str
    type: Literal["", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"] = ""


class Volume(Part):
    """One volume, of exactly one kind."""

    name: str
    empty_dir: EmptyDir | None = None
    secret: SecretSource | None = None
    config_map: ConfigMapSource | None = None
    host_path: HostPath | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Volume:
        kinds = (self.empty_dir, self.secret, self.config_map, self.host_path)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("a volume is one of emptyDir, secret, configMap, hostPath")
        return self

    @property
    def only_read(self) -> bool:
        """Whether no container can write into it, whatever it asks for."""
        return self.secret is not None or self.config_map is not None


class Spec(Part):
    """What shall run."""

    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    security_context: PodSecurity = PodSecurity()
    restart_policy: Literal["Never"]
    termination_grace_period_seconds: int = DEFAULT_GRACE
    active_deadline_seconds: int | None = None
    node_name: str = ""
    service_account_name: str = ""
    automount_service_account_token: Literal[False] | None = None

    # Without a meaning where there is one node, on the host's network, that runs whatever it is given.
    service_account: str = ""
    dns_policy: str = ""
    enable_service_links: bool = True
    preemption_policy: str = ""
    priority: int = 0
    scheduler_name: str = ""
    tolerations: tuple[dict[str, Any], ...] = ()


class Pod(BaseModel):
    """A pod and who it is."""

    model_config = ConfigDict(frozen=True)

    namespace: str
    name: str
    uid: str
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Spec

    @property
    def mounted(self) -> tuple[Volume, ...]:
        """The volumes that a container mounts; a kubelet makes no others."""
        names = {mount.name for container in self.containers for mount in container.volume_mounts}
        return tuple(volume for volume in self.spec.volumes if volume.name in names)

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers, those that come first first."""
        return (*self.spec.init_containers, *self.spec.containers)


def read_pod(document: Mapping[str, Any]) -> Pod:
    """Read a pod from the apiserver's JSON.

    Raises:
        NotHonoured: it asks for something that this node does not do.
    """
    about = document["metadata"]
    try:
        spec = Spec.model_validate(document["spec"])
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, ('spec', *one['loc'])))}: {one['msg']}" for one in error.errors())
        raise NotHonoured(f"this node does not honour {'; '.join(sorted(wrong))}") from error
    return Pod(
        namespace=about["namespace"],
        name=about["name"],
        uid=about["uid"],
        labels=about.get("labels") or {},
        annotations=about.get("annotations") or {},
        spec=spec,
    )
