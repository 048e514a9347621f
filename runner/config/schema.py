"""The shape of ``jobs.yaml``: keys, types and what each value may be; its JSON Schema is made of the same models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from runner.builders.table import BUILDERS
from runner.config.aws import AwsSection  # noqa: TC001 - pydantic reads the annotations
from runner.config.naming import PRESETS, SERVICE, RegistryAddress, TemplateKind, check_fields, check_template
from runner.config.prow import ProwSection, ServiceProwSection  # noqa: TC001 - pydantic reads the annotations
from runner.config.section import Listed, Section, nearest
from runner.config.yamlfile import Document, Foreign, Problem
from runner.oci.manifest import Platform
from runner.oci.name import DIGEST, HOST, REPOSITORY_PATH, TAG
from runner.versions import KUBERNETES_VERSIONS, VersionRange, kubernetes_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic_core import ErrorDetails

DEFAULT_BASE_IMAGE: Final = (
    "public.ecr.aws/eks-distro-build-tooling/eks-distro-minimal-base-nonroot:2026-08-18-1787079689.2023"
)
LINUX_ARCHITECTURES: Final = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"),
    *("ppc64", "ppc64le", "riscv64", "s390x"),
)
"""What Go compiles for on Linux, from ``go tool dist list`` of Go 1.26."""


def _registry(text: str) -> str:
    RegistryAddress.parse(text)
    return text


def _repo(text: str) -> str:
    check_fields(text, "service")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", text.replace("{service}", "s")) or text in (".", ".."):
        raise ValueError(f"{text!r} is not a repository's name (letters, digits, . _ and -, without its owner)")
    return text


def _path(text: str) -> str:
    check_fields(text, "service")
    if not text or not text.isprintable() or "\\" in text:
        raise ValueError(f"{text!r} is not a path")
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        raise ValueError(f"{text!r} must be relative and stay inside the repository")
    return text


def _chart_name(text: str) -> str:
    check_fields(text, "service")
    if "{service}" not in text:
        raise ValueError(f"{text!r} does not hold {{service}}")
    if not re.fullmatch(r"[a-zA-Z0-9._-]+", text.replace("{service}", "s")):
        raise ValueError(f"{text!r} is not a chart's name (letters, digits, . _ and -)")
    return text


def _platform(text: str) -> str:
    platform = Platform.parse(text)
    if platform.os != "linux" or platform.architecture not in LINUX_ARCHITECTURES:
        known = [f"linux/{architecture}" for architecture in LINUX_ARCHITECTURES]
        raise ValueError(f"{text!r} is not a platform that Go compiles controllers for{nearest(text, known)}")
    return text


def _base_image(text: str) -> str:
    if text == "scratch" or re.fullmatch(r"oci:\S.*", text):
        return text
    name, at, digest = text.partition("@")
    host, _, rest = name.partition("/")
    repository, colon, tag = rest.partition(":")
    legal = HOST.fullmatch(host) and REPOSITORY_PATH.fullmatch(repository)
    if not legal or (colon and not TAG.fullmatch(tag)) or (at and not DIGEST.fullmatch(digest)):
        raise ValueError(f"{text!r} is none of HOST/REPOSITORY:TAG, HOST/REPOSITORY@sha256:…, oci:DIR and scratch")
    if not (colon or at):
        raise ValueError(f"{text!r} names neither a tag nor a digest, so it is no exact base")
    return text


def _program(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} is not a program's name or path")
    return text


def _service_name(text: str) -> str:
    if not SERVICE.fullmatch(text):
        raise ValueError(f"{text!r} is not a service's name (lower-case letters, digits, and dashes between them)")
    return text


def _versions(text: str) -> str:
    VersionRange.parse(text)
    return text


def _preset(text: str) -> str:
    if text not in PRESETS:
        raise ValueError(f"{text!r} is not a naming scheme{nearest(text, PRESETS)}")
    return text


def _template(kind: TemplateKind) -> Callable[[str], str]:
    def check(text: str) -> str:
        check_template(kind, text)
        return text

    return check


_RELEASE_PATTERN = {"pattern": r"^[^:]+:[^:]*\{version\}[^:]*$"}
_STABLE_PATTERN = {"pattern": r"^[^:]+:[^:]*\{major\}[^:]*$"}
_ImageTemplate = Annotated[str, AfterValidator(_template("image")), Field(json_schema_extra=_RELEASE_PATTERN)]
_ChartTemplate = Annotated[str, AfterValidator(_template("chart")), Field(json_schema_extra=_RELEASE_PATTERN)]
_StableTemplate = Annotated[str, AfterValidator(_template("stable")), Field(json_schema_extra=_STABLE_PATTERN)]


class SchemeSection(Section):
    """A custom naming scheme: templates REPOSITORY:TAG below the registry, the primary one of each list first."""

    image: Listed[_ImageTemplate] = Field(
        description="Names of the controller's image; {service} and {version} are filled in. The chart's values must "
        "name the first.",
        examples=[["{service}-controller:{version}"]],
    )
    chart: Listed[_ChartTemplate] = Field(
        description="Names of the release's chart; {service} and {version} are filled in.",
        examples=[["chart:{service}-v{version}", "{service}-chart:{version}"]],
    )
    stable: Listed[_StableTemplate] = Field(
        description="Names of the stable chart; {service} and {major} are filled in.",
        examples=[["{service}-chart:v{major}-stable"]],
    )


_KubeVersion = Annotated[
    str, AfterValidator(kubernetes_version), Field(json_schema_extra={"pattern": KUBERNETES_VERSIONS})
]

_PRESET, _LISTS, _ONE, _SEVERAL = "<preset>", "<lists>", "<one>", "<several>"
_Preset = Annotated[str, AfterValidator(_preset), Field(json_schema_extra={"enum": list(PRESETS)})]
_Scheme = Annotated[
    Annotated[_Preset, Tag(_PRESET)] | Annotated[SchemeSection, Tag(_LISTS)],
    Discriminator(lambda value: _LISTS if isinstance(value, (dict, SchemeSection)) else _PRESET),
]
_Naming = Annotated[
    Annotated[_Scheme, Tag(_ONE)] | Annotated[Listed[_Scheme], Tag(_SEVERAL)],
    Discriminator(lambda value: _SEVERAL if isinstance(value, (tuple, list)) else _ONE),
]
_Path = Annotated[str, AfterValidator(_path)]
_Program = Annotated[str, AfterValidator(_program)]
if TYPE_CHECKING:
    _Builder = str
else:
    # A type checker takes no names from a table; pydantic, which reads this line, does.
    _Builder = Literal[tuple(BUILDERS)]


class BuildSection(Section):
    """How images are built."""

    builder: _Builder = Field("go", description="What builds images; only go so far, which needs no daemon.")
    base_image: Annotated[str, AfterValidator(_base_image)] = Field(
        DEFAULT_BASE_IMAGE,
        description="The base image: HOST/REPOSITORY:TAG, HOST/REPOSITORY@sha256:…, oci:DIR or scratch.",
        examples=[DEFAULT_BASE_IMAGE, "oci:base", "scratch"],
    )
    go: _Program = Field("go", description="The Go program: a name on PATH, or a path.", examples=["/opt/go/bin/go"])
    helm: _Program = Field("helm", description="The helm program: a name on PATH, or a path.", examples=["helm3"])
    parallel: int = Field(2, ge=1, le=64, description="How many services are built and published at once.")


class ChartSection(Section):
    """What charts are checked for."""

    kube_versions: Listed[_KubeVersion] | None = Field(
        None,
        description="The versions of Kubernetes that every chart is linted and rendered for, but for those that its "
        "kubeVersion does not allow; if unset: one version, or the newest that kubeVersion allows.",
        examples=[["1.33", "1.36.2"]],
    )


class ServiceSection(Section):
    """One service; {service} is its name."""

    repo: Annotated[str, AfterValidator(_repo)] = Field(
        "{service}-controller",
        description="The repository that it lives in, without owner.",
        examples=["{service}-controller", "community"],
    )
    path: _Path = Field(".", description="Its folder in the repository.", examples=[".", "services/{service}"])
    chart: _Path = Field("helm", description="The chart's folder, relative to path.", examples=["helm"])
    main: _Path = Field(
        "./cmd/controller",
        description="The folder of the Go main package, relative to path.",
        examples=["./cmd/controller"],
    )
    naming: _Naming | None = Field(None, description="Accepted naming schemes of this service; if unset: those above.")
    prow: ServiceProwSection | None = Field(None, description="What is different for the jobs of this service.")


_ChartName = Annotated[str, AfterValidator(_chart_name), Field(json_schema_extra={"pattern": r"\{service\}"})]
_Platform = Annotated[str, AfterValidator(_platform), Field(json_schema_extra={"pattern": "^linux/"})]
_ServiceName = Annotated[
    str, AfterValidator(_service_name), Field(json_schema_extra={"pattern": f"^{SERVICE.pattern}$"})
]
_Services = Annotated[
    dict[_ServiceName, ServiceSection | None], Field(json_schema_extra={"additionalProperties": False})
]


_ALL, _LISTED = "<all>", "<listed>"


def _all_or_listed(value: object) -> str:
    return _LISTED if isinstance(value, (tuple, list)) else _ALL


_All = Annotated[Literal["all"], Tag(_ALL)]
_Versions = Annotated[str, AfterValidator(_versions), Field(json_schema_extra={"pattern": r"^[<>=v0-9]"})]
_AdoptedServices = Annotated[
    _All | Annotated[Listed[_ServiceName], Tag(_LISTED)],
    Discriminator(_all_or_listed),
]
_AdoptedVersions = Annotated[
    _All | Annotated[Listed[_Versions], Tag(_LISTED)],
    Discriminator(_all_or_listed),
]


class AdoptSection(Section):
    """Releases of the former job: an image that carries no commit is taken as it is, after a check, never replaced.

    What is left out is not restricted; a section that holds nothing adopts nothing.
    """

    services: _AdoptedServices | None = Field(
        None, description="Whose releases may be adopted: all, or a list.", examples=["all", ["s3", "sns"]]
    )
    versions: _AdoptedVersions | None = Field(
        None,
        description="Which versions: all, or a list of versions and ranges, any of which may fit.",
        examples=["all", ["1.2.3", "<=1.10.0", ">=1.0.0 <2.0.0"]],
    )


_Adopt = Annotated[
    Annotated[AdoptSection, Tag(_ONE)] | Annotated[Listed[AdoptSection], Tag(_SEVERAL)],
    Discriminator(lambda value: _SEVERAL if isinstance(value, (tuple, list)) else _ONE),
]


class VerifySection(Section):
    """How what was published is checked in the end."""

    anonymous: bool | None = Field(
        None,
        description="Read every name that was written once more without credentials, as its users do; if unset: where "
        "the registry is ecr-public (see aws.kind).",
    )


PREPARE_FIELDS: Final = ("service", "version", "tag", "path", "chart", "registry", "clone", "tree")
"""What a command that writes a release's artifacts is told by: its fields, and those of its environment."""

FILES_FIELDS: Final = ("service", "path", "chart")
"""The fields of a pattern of release files."""


def _argument(text: str) -> str:
    check_fields(text, *PREPARE_FIELDS)
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL character, which no program can be given")
    return text


def _command(arguments: tuple[str, ...]) -> tuple[str, ...]:
    if not arguments or not arguments[0].strip():
        raise ValueError("its first entry must be a program's name or path")
    return arguments


def _files_pattern(text: str) -> str:
    check_fields(text, *FILES_FIELDS)
    if not text or text.startswith("/") or not text.isprintable() or ".." in text.split("/"):
        raise ValueError(f"{text!r} must be a path relative to the repository; * and ** stand for any names in it")
    return text


_Argument = Annotated[str, AfterValidator(_argument)]
_Command = Annotated[tuple[_Argument, ...], AfterValidator(_command), Field(json_schema_extra={"minItems": 1})]
_VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class PrepareSection(Section):
    """How an author's ack-release prepare writes the release artifacts of a service."""

    command: _Command = Field(
        ("scripts/build-controller-release.sh", "{service}", "{tag}"),
        description="The program that overwrites a service's chart, and its arguments; it runs without a shell, in a "
        "copy of the repository. {service}, {version} (1.2.3), {tag} (v1.2.3), {path} and {chart} (the service's and "
        "the chart's folder, from that copy), {registry}, {clone} (the author's clone) and {tree} (the copy) are "
        "filled in.",
        examples=[["scripts/build-controller-release.sh", "{service}", "{tag}"]],
    )
    environment: dict[_VariableName, _Argument] = Field(
        {},
        description="Variables that it is given beside the author's own and RELEASE_VERSION; the same fields.",
        examples=[{"SERVICE_CONTROLLER_SOURCE_PATH": "{tree}/{path}"}],
    )
    files: Listed[Annotated[str, AfterValidator(_files_pattern)]] = Field(
        ("{chart}/**", "{path}/config/controller/kustomization.yaml", "{path}/apis/*/ack-generate-metadata.yaml"),
        description="What it may change of a service: paths from the repository's root, in which * stands for "
        "anything within a name and ** for any folders. {service}, {path} and {chart} are filled in.",
        examples=[["{chart}/**", "{path}/config/**"]],
    )
    timeout_minutes: int = Field(60, ge=1, le=1440, description="How long it may take for one service.")


class JobsFile(Section):
    """What the release runner publishes, where, and under which names."""

    registry: Annotated[str, AfterValidator(_registry)] = Field(
        description="The production registry and the namespace in it: HOST/NAMESPACE.",
        examples=["public.ecr.aws/aws-controllers-k8s"],
    )
    naming: _Naming = Field(
        ("seed", "repo-per-service-v", "repo-per-service"),
        description="How names are made: one scheme or a list of accepted ones; the chart's own values choose among "
        "them. A scheme is a preset's name or three lists of templates.",
        examples=["seed", ["seed", "repo-per-service"]],
    )
    chart_names: Listed[_ChartName] = Field(
        ("{service}-chart", "ack-{service}-controller"),
        description="The names that a Chart.yaml may have; {service} is filled in.",
        examples=[["{service}-chart"]],
    )
    platforms: Listed[_Platform] = Field(
        ("linux/amd64", "linux/arm64"),
        description="The platforms that every image is built for.",
        examples=[["linux/amd64", "linux/arm64"]],
    )
    build: BuildSection | None = Field(None, description="How images are built.")
    chart: ChartSection | None = Field(None, description="What charts are checked for.")
    services: _Services | None = Field(
        None,
        description="Every service that is released, by name; nothing after the colon means all defaults.",
        examples=[{"s3": None, "sns": {"repo": "community", "path": "services/{service}"}}],
    )
    adopt: _Adopt | None = Field(
        None,
        description="Releases of the former job that are taken as they are: one rule or several. If unset: none.",
        examples=[{"services": "all", "versions": ["<=1.10.0"]}],
    )
    aws: AwsSection | None = Field(
        None, description="What AWS is asked for; if unset: what the registry's host needs, by the job's own identity."
    )
    verify: VerifySection | None = Field(None, description="How what was published is checked in the end.")
    prepare: PrepareSection | None = Field(None, description="How authors prepare a release (ack-release prepare).")
    prow: ProwSection | None = Field(
        None, description="How the release jobs run in Prow; if unset: none are generated."
    )


def read_jobs(document: Document) -> tuple[JobsFile | None, tuple[Problem, ...]]:
    """Return the file's checked values, or all that is wrong with them."""
    try:
        return JobsFile.model_validate(document.value), ()
    except ValidationError as error:
        return None, problems_of(document, error, JobsFile)


def problems_of(document: Document, error: ValidationError, root: type[BaseModel]) -> tuple[Problem, ...]:
    """Say with line and key what a document has that its model, ``root``, does not allow."""
    return tuple(_problem(document, detail, root) for detail in error.errors(include_url=False))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``jobs.yaml``, for editors."""
    schema = JobsFile.model_json_schema(schema_generator=Untitled)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "jobs.yaml of the ACK release runner"}


class Untitled(GenerateJsonSchema):
    """Leaves out titles, which only repeat each key's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        """Never."""
        return False


def _problem(document: Document, detail: ErrorDetails, root: type[BaseModel]) -> Problem:
    keys: list[str | int] = []
    for part in detail["loc"]:
        if (*keys, part) in document.lines:
            keys.append(part)
    return Problem(document.line(tuple(keys)), _message(detail, tuple(keys), root))


def _message(detail: ErrorDetails, keys: tuple[str | int, ...], root: type[BaseModel]) -> str:
    where, kind, value = _dotted(keys), detail["type"], detail["input"]
    context = detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            valid = _keys_beside(detail["loc"], root)
            hint = nearest(str(keys[-1]), valid) if valid else "; nothing can be set here yet"
            text = f"unknown key {keys[-1]!r}{_inside(keys[:-1])}{hint}"
        case "missing":
            text = f"the key {detail['loc'][-1]!r} is missing{_inside(keys)}"
        case "literal_error":
            text = f"{where}: {value!r} is not supported; supported: {context['expected']}"
        case "value_error":
            text = f"{where}: {context['error']}"
        case _ if kind in _WANTED:
            text = f"{where} must be {_WANTED[kind]}, not {_described(value)}"
        case _:
            text = f"{where}: {detail['msg']}, not {_described(value)}"
    return text


_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "bool_type": "true or false",
}


def _described(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int():
            return f"the number {value}"
        case str():
            return f"the text {value!r}"
        case Foreign():
            return str(value)
    return "a list" if isinstance(value, tuple) else "a mapping"


def _dotted(keys: tuple[str | int, ...]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".") or "the file"


def _inside(keys: tuple[str | int, ...]) -> str:
    return f" in {_dotted(keys)}" if keys else ""


def _keys_beside(location: tuple[str | int, ...], root: type[BaseModel]) -> list[str]:
    """The keys that are valid where this unknown one stands."""
    model = root
    parts = iter(location[:-1])
    for part in parts:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        within = list(_parts(field.annotation))
        if any(get_origin(type_) is dict for type_ in within):
            next(parts, None)
        model = next((type_ for type_ in within if isinstance(type_, type) and issubclass(type_, BaseModel)), model)
    return list(model.model_fields)


def _parts(annotation: object) -> Iterator[object]:
    yield annotation
    for argument in get_args(annotation):
        yield from _parts(argument)
