"""Every value that steers a run: how it is given, which source wins, and where it came from.

An option of ``run`` and ``plan`` is declared once, as a field of ``Options``; the command line's options, the value
that wins and its row in the record's ``settings`` are made from that. The order of sources stands in ``find``.

The environment variables kept from the former job (DOCKER_REPOSITORY, AWS_SERVICE_DOCKER_IMG, CONTROLLER_ECR_REGISTRY,
HELM_REGISTRY, QUIET) mean here what they meant there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from runner.builders.table import BUILDERS
from runner.config.adopt import EVERYTHING
from runner.config.naming import RegistryAddress
from runner.errors import UsageInvalid
from runner.oci.name import Name, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from runner.config.adopt import AdoptRule
    from runner.config.load import Config

T = TypeVar("T")

BAKED_CONFIG = Path("/etc/ack-release/jobs.yaml")
DEFAULT_CONFIG = Path("config/jobs.yaml")
DEFAULT_ARTIFACTS = Path("artifacts")

OptionKind = Literal["text", "texts", "file", "folder", "flag"]
"""What an option takes: text; text, and it may be repeated; the path of a file or of a folder; nothing."""


@dataclass(frozen=True)
class Setting:
    """A value and where it came from."""

    value: str
    origin: str


NOTHING = Setting("", "default")


def _default_config() -> Setting:
    if BAKED_CONFIG.exists():
        return Setting(str(BAKED_CONFIG), "the runner's image")
    return Setting(str(DEFAULT_CONFIG), "default")


@dataclass(frozen=True)
class Declared:
    """A value that steers a run: all the ways in which it can be given, and what it is called.

    Attributes:
        flag: the option of the command line, e.g. ``--registry``; empty where there is none.
        kind: what the option takes.
        metavar: what the option's help shows in the place of a value; by its kind where it is left out.
        choices: the values that the option takes; any where it is empty.
        help: what the option's help says.
        commands: the commands that have the option.
        variables: the environment's variables, at most two; the first counts, and if both are set they must agree.
        key: the key of jobs.yaml, as in ``Config.given``.
        default: what it is where nothing gives it: empty, unless said otherwise.
        parse: reads the value; raises ValueError where it is malformed.
        row: what the record's ``settings`` call it; None where they leave it out.
        may_be_empty: whether an empty option counts as one that is not given.
    """

    flag: str = ""
    kind: OptionKind = "text"
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    help: str = ""
    commands: tuple[str, ...] = ("run", "plan")
    variables: tuple[str, ...] = ()
    key: str | None = None
    default: Callable[[], Setting] = lambda: NOTHING
    parse: Callable[[str], Hashable] = str
    row: str | None = None
    may_be_empty: bool = False


def _option(declared: Declared, *, nothing: object = None) -> Any:  # noqa: ANN401 - a field of any type
    """Declare an option; ``nothing`` is what it is where the command line does not give it."""
    return field(default=nothing, metadata={"declared": declared})


@dataclass(frozen=True)
class Options:
    """What the command line gave; None, False or empty where it gave nothing."""

    config: Path | None = _option(
        Declared(
            flag="--config",
            kind="file",
            help="jobs.yaml. [default: the image's own, else config/jobs.yaml]",
            default=_default_config,
            row="config",
        )
    )
    workspace: Path | None = _option(
        Declared(
            flag="--workspace",
            kind="folder",
            help="Folder that holds the clones. [default: from JOB_SPEC]",
            row="workspace",
        )
    )
    registry: str | None = _option(
        Declared(
            flag="--registry",
            metavar="HOST/NAMESPACE",
            help="Publish here: a staging release.",
            variables=("CONTROLLER_ECR_REGISTRY", "HELM_REGISTRY"),
            key="registry",
            parse=RegistryAddress.parse,
            row="registry",
        )
    )
    artifacts: Path | None = _option(
        Declared(
            flag="--artifacts",
            kind="folder",
            help="Folder for the reports. [default: $ARTIFACTS, ./artifacts]",
            variables=("ARTIFACTS",),
            default=lambda: Setting(str(DEFAULT_ARTIFACTS), "default"),
            row="artifacts",
        )
    )
    builder: str | None = _option(
        Declared(
            flag="--builder",
            choices=tuple(BUILDERS),
            help="How the image is built.",
            key="build.builder",
            row="builder",
        )
    )
    base_image: str | None = _option(
        Declared(
            flag="--base-image",
            metavar="REF|oci:DIR|scratch",
            help="What the image is built on.",
            key="build.base_image",
            row="base image",
            may_be_empty=True,
        )
    )
    to_layout: Path | None = _option(
        Declared(
            flag="--to-layout",
            kind="folder",
            help="Publish nothing: write an OCI layout folder, replacing its index.",
            row="layout folder",
        )
    )
    services: tuple[str, ...] = _option(
        Declared(
            flag="--service",
            kind="texts",
            metavar="NAME",
            help="Release only this service; repeatable.",
            row="services",
        ),
        nothing=(),
    )
    adopt_existing: bool = _option(
        Declared(
            flag="--adopt-existing",
            kind="flag",
            help="Take an image of the former job that is there, after a check; for all services that are released.",
            key="adopt",
            row="adopt existing",
        ),
        nothing=False,
    )
    as_tag: str | None = _option(
        Declared(
            flag="--as-tag",
            metavar="VERSION|from-chart",
            help="Plan HEAD as if it had this tag, also in a presubmit. from-chart: use each chart's version, or plan"
            " the move of stable.",
            commands=("plan",),
            row="as tag",
        )
    )
    as_json: bool = _option(
        Declared(
            flag="--json",
            kind="flag",
            help="Print one JSON document on stdout; the log goes to stderr.",
            commands=("plan",),
        ),
        nothing=False,
    )


OPTIONS: Mapping[str, Declared] = {one.name: one.metadata["declared"] for one in fields(Options)}
"""Every option of ``run`` and ``plan``, by its field of ``Options``, in the order of their help."""

DECLARED: Mapping[str, Declared] = {
    **OPTIONS,
    "production": Declared(key="registry", row="production registry"),
    "platforms": Declared(key="platforms", row="platforms"),
    "image_repository": Declared(variables=("DOCKER_REPOSITORY",), parse=Repository.parse, row="image repository"),
    "image": Declared(variables=("AWS_SERVICE_DOCKER_IMG",), parse=Name.parse, row="image"),
}
"""Every value that steers a run, with or without an option."""

DIGEST_ROW = "config digest"
FIRST_ROWS = (
    *("config", "registry", "production registry", DIGEST_ROW, "builder", "base image", "platforms", "artifacts"),
    *("image repository", "image"),
)
"""The rows with which the record's ``settings`` begin; the others follow, in the order in which they are declared."""


def find(name: str, options: Options, environment: Mapping[str, str], config: Config | None = None) -> Setting:
    """Return a value and where it came from: the option, else the environment, else jobs.yaml, else the default.

    An empty variable counts as absent, and an empty option as given unless it may be empty. What nothing gives, and has
    no default, is empty.

    Args:
        name: one of ``DECLARED``.
        options: what the command line gave.
        environment: the process's environment.
        config: what jobs.yaml says, its own defaults filled in; None before it is read.

    Raises:
        UsageInvalid: the value is malformed, or two variables that must agree do not.
    """
    declared = DECLARED[name]
    given = getattr(options, name, None)
    if not (given is None or given is False or given == () or (given == "" and declared.may_be_empty)):
        return _checked(declared, Setting(_text(given), f"option {declared.flag}"))
    in_environment = [
        _checked(declared, Setting(environment[variable], f"environment {variable}"))
        for variable in declared.variables
        if environment.get(variable)
    ]
    if in_environment:
        return _agreed(in_environment, declared)
    if config is not None and declared.key is not None:
        origin = str(config.path) if declared.key in config.given else "default"
        return Setting(_text(attrgetter(declared.key)(config)), origin)
    return declared.default()


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
    adopt: tuple[AdoptRule, ...] = ()

    @property
    def is_staging(self) -> bool:
        """Whether another registry than the production one is written to."""
        return self.registry != self.production

    def adopts(self, service: str, version: str) -> bool:
        """Whether the image of this release may be taken although it carries no commit."""
        return any(rule.takes(service, version) for rule in self.adopt)

    def image_for(self, named: Name) -> Name:
        """Return the primary image name: what naming gives, or what the environment puts in its place.

        Raises:
            UsageInvalid: it is another one, and the chart that names it would go to the production registry.
        """
        repository = named.repository if self.image_repository is None else self.image_repository
        image = Name(repository, named.tag) if self.image is None else self.image
        if image != named and not self.is_staging and self.to_layout is None:
            raise UsageInvalid(
                f"the environment sets the image {image}, but the naming gives {named}, and the chart that deploys it"
                f" would go to the production registry {self.production}",
                remedy="Also pass another registry with --registry, which makes a staging release, or unset"
                " DOCKER_REPOSITORY and AWS_SERVICE_DOCKER_IMG.",
            )
        return image


def config_file(options: Options) -> Setting:
    """Return which jobs.yaml is read: the option's, else the one baked into the runner's image, else the default."""
    return find("config", options, {})


def artifacts_folder(options: Options, environment: Mapping[str, str]) -> Setting:
    """Return where reports go."""
    return find("artifacts", options, environment)


def is_quiet(environment: Mapping[str, str]) -> bool:
    """Whether QUIET asks for warnings and errors only on stdout."""
    return environment.get("QUIET", "").lower() in {"1", "true", "yes"}


def resolve_settings(options: Options, environment: Mapping[str, str], config: Config) -> Settings:
    """Resolve what steers the run.

    Raises:
        UsageInvalid: a value is malformed, or two that must agree do not.
    """
    found = {name: find(name, options, environment, config) for name in DECLARED}
    repository = _parsed(found["image_repository"], Repository.parse)
    image = _parsed(found["image"], Name.parse)
    if repository is not None and image is not None and image.repository != repository:
        raise UsageInvalid(f"AWS_SERVICE_DOCKER_IMG is {image}, which is not in DOCKER_REPOSITORY {repository}")
    builder = found["builder"]
    if builder.value not in BUILDERS:
        raise UsageInvalid(f"{builder.origin} says {builder.value}; this runner builds with {', '.join(BUILDERS)}")
    return Settings(
        production=config.registry,
        registry=RegistryAddress.parse(found["registry"].value),
        image_repository=repository,
        image=image,
        builder=builder.value,
        base_image=found["base_image"].value,
        to_layout=options.to_layout,
        services=options.services,
        table=_table(found, config),
        adopt=(EVERYTHING,) if options.adopt_existing else config.adopt,
    )


def _table(found: Mapping[str, Setting], config: Config) -> dict[str, Setting]:
    rows = {row: setting for name, setting in found.items() if setting.value and (row := DECLARED[name].row)}
    rows[DIGEST_ROW] = Setting(config.digest, str(config.path))
    order = {row: place for place, row in enumerate(FIRST_ROWS)}
    return dict(sorted(rows.items(), key=lambda item: order.get(item[0], len(order))))


def _agreed(given: Sequence[Setting], declared: Declared) -> Setting:
    if len({declared.parse(setting.value) for setting in given}) > 1:
        said = " and ".join(f"{setting.origin.removeprefix('environment ')} is {setting.value}" for setting in given)
        raise UsageInvalid(f"{said}; the two must agree")
    return given[0]


def _checked(declared: Declared, setting: Setting) -> Setting:
    try:
        declared.parse(setting.value)
    except ValueError as error:
        raise UsageInvalid(f"{setting.origin}: {error}") from error
    return setting


def _parsed(setting: Setting, parse: Callable[[str], T]) -> T | None:
    return parse(setting.value) if setting.value else None


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
