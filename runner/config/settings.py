"""Which value steers what, and where it came from: option, then environment, then jobs.yaml, then default.

The environment variables kept from the former job (DOCKER_REPOSITORY, AWS_SERVICE_DOCKER_IMG, CONTROLLER_ECR_REGISTRY,
HELM_REGISTRY, QUIET) mean here what they meant there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner.builders.table import BUILDERS
from runner.config.naming import RegistryAddress
from runner.errors import UsageInvalid
from runner.oci.name import Name, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.config.load import Config

T = TypeVar("T")

BAKED_CONFIG = Path("/etc/ack-release/jobs.yaml")
DEFAULT_CONFIG = Path("config/jobs.yaml")
DEFAULT_ARTIFACTS = Path("artifacts")


@dataclass(frozen=True)
class Options:
    """What the command line gave; None or empty where it gave nothing."""

    config: Path | None = None
    workspace: Path | None = None
    registry: str | None = None
    artifacts: Path | None = None
    builder: str | None = None
    base_image: str | None = None
    to_layout: Path | None = None
    services: tuple[str, ...] = ()
    as_tag: str | None = None


@dataclass(frozen=True)
class Setting:
    """A value and where it came from."""

    value: str
    origin: str


@dataclass(frozen=True)
class Settings:
    """The values that steer a run.

    ``production`` is the registry that charts name; ``registry`` the one that is written to: another one makes the
    run a staging release. ``image_repository`` and ``image`` replace what naming gives for the image of a single
    service; None where nothing is replaced. ``table`` says of each value where it came from.
    """

    production: RegistryAddress
    registry: RegistryAddress
    image_repository: Repository | None
    image: Name | None
    builder: str
    base_image: str
    to_layout: Path | None
    services: tuple[str, ...]
    table: Mapping[str, Setting]

    @property
    def is_staging(self) -> bool:
        """Whether another registry than the production one is written to."""
        return self.registry != self.production

    def image_for(self, named: Name) -> Name:
        """Return the primary image name: what naming gives, or what the environment puts in its place.

        Raises:
            UsageInvalid: it is another one, and the chart that names it would go to the production registry.
        """
        repository = named.repository if self.image_repository is None else self.image_repository
        image = Name(repository, named.tag) if self.image is None else self.image
        if image != named and not self.is_staging and self.to_layout is None:
            raise UsageInvalid(
                f"the environment names the image {image} where the naming gives {named}, and the chart that deploys it"
                f" would go to the production registry {self.production}",
                remedy="Give --registry another registry too: a staging release. Or unset DOCKER_REPOSITORY and"
                " AWS_SERVICE_DOCKER_IMG.",
            )
        return image


def config_file(options: Options) -> Setting:
    """Return which jobs.yaml is read: the option's, else the one baked into the runner's image, else the default."""
    if options.config is not None:
        return Setting(str(options.config), "option --config")
    if BAKED_CONFIG.exists():
        return Setting(str(BAKED_CONFIG), "the runner's image")
    return Setting(str(DEFAULT_CONFIG), "default")


def artifacts_folder(options: Options, environment: Mapping[str, str]) -> Setting:
    """Return where reports go."""
    if options.artifacts is not None:
        return Setting(str(options.artifacts), "option --artifacts")
    if environment.get("ARTIFACTS"):
        return Setting(environment["ARTIFACTS"], "environment ARTIFACTS")
    return Setting(str(DEFAULT_ARTIFACTS), "default")


def is_quiet(environment: Mapping[str, str]) -> bool:
    """Whether QUIET asks for warnings and errors only on stdout."""
    return environment.get("QUIET", "").lower() in {"1", "true", "yes"}


def resolve_settings(options: Options, environment: Mapping[str, str], config: Config) -> Settings:
    """Resolve what steers the run.

    Raises:
        UsageInvalid: a value is malformed, or two that must agree do not.
    """
    registry, registry_setting = _registry(options, environment, config)
    repository = _parse(environment, "DOCKER_REPOSITORY", Repository.parse)
    image = _parse(environment, "AWS_SERVICE_DOCKER_IMG", Name.parse)
    if repository is not None and image is not None and image.repository != repository:
        raise UsageInvalid(f"AWS_SERVICE_DOCKER_IMG is {image}, which is not in DOCKER_REPOSITORY {repository}")
    builder = (
        Setting(options.builder, "option --builder")
        if options.builder
        else _configured(config, "build.builder", config.build.builder)
    )
    if builder.value not in BUILDERS:
        raise UsageInvalid(f"{builder.origin} says {builder.value}; this runner builds with {', '.join(BUILDERS)}")
    base = (
        Setting(options.base_image, "option --base-image")
        if options.base_image
        else _configured(config, "build.base_image", config.build.base_image)
    )
    table = {
        "registry": registry_setting,
        "production registry": _configured(config, "registry", str(config.registry)),
        "config digest": Setting(config.digest, str(config.path)),
        "builder": builder,
        "base image": base,
        "platforms": _configured(config, "platforms", ",".join(map(str, config.platforms))),
        "artifacts": artifacts_folder(options, environment),
    }
    optional = {
        "image repository": repository and Setting(str(repository), "environment DOCKER_REPOSITORY"),
        "image": image and Setting(str(image), "environment AWS_SERVICE_DOCKER_IMG"),
        "workspace": options.workspace and Setting(str(options.workspace), "option --workspace"),
        "layout folder": options.to_layout and Setting(str(options.to_layout), "option --to-layout"),
        "services": options.services and Setting(",".join(options.services), "option --service"),
        "as tag": options.as_tag and Setting(options.as_tag, "option --as-tag"),
    }
    return Settings(
        production=config.registry,
        registry=registry,
        image_repository=repository,
        image=image,
        builder=builder.value,
        base_image=base.value,
        to_layout=options.to_layout,
        services=options.services,
        table=table | {key: setting for key, setting in optional.items() if setting},
    )


def _registry(options: Options, environment: Mapping[str, str], config: Config) -> tuple[RegistryAddress, Setting]:
    if options.registry is not None:
        setting = Setting(options.registry, "option --registry")
        return _address(setting), setting
    given = [
        Setting(environment[key], f"environment {key}")
        for key in ("CONTROLLER_ECR_REGISTRY", "HELM_REGISTRY")
        if environment.get(key)
    ]
    addresses = [_address(setting) for setting in given]
    if len(set(addresses)) > 1:
        raise UsageInvalid(
            f"CONTROLLER_ECR_REGISTRY is {given[0].value} and HELM_REGISTRY is {given[1].value}; the two must agree"
        )
    if given:
        return addresses[0], given[0]
    return config.registry, _configured(config, "registry", str(config.registry))


def _configured(config: Config, key: str, value: str) -> Setting:
    """A value of jobs.yaml, or the default where the file does not say it; ``key`` as in ``Config.given``."""
    return Setting(value, str(config.path) if key in config.given else "default")


def _address(setting: Setting) -> RegistryAddress:
    try:
        return RegistryAddress.parse(setting.value)
    except ValueError as error:
        raise UsageInvalid(f"{setting.origin}: {error}") from error


def _parse(environment: Mapping[str, str], key: str, parse: Callable[[str], T]) -> T | None:
    text = environment.get(key)
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise UsageInvalid(f"environment {key}: {error}") from error
