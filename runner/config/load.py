"""``jobs.yaml``, the one file that people edit, as frozen values; every problem in it comes with its line.

The file is read in three steps, each of which reports all that it finds: its YAML (``runner.config.yamlfile``), the
shape of its values (``runner.config.schema``), and here what only the whole can show: charts that are shared and names
that collide.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from runner.config.adopt import ALL, AdoptRule
from runner.config.aws import AwsSection, kind_of_host
from runner.config.catalog import Catalog, read_catalog
from runner.config.collisions import Use, find_collisions, find_overlong
from runner.config.naming import PRESETS, TAG_LENGTH, RegistryAddress, Scheme
from runner.config.prow import (
    AUDIT_JOB,
    NAME_LENGTH,
    ProwSection,
    ServiceProwSection,
    check_job,
    contradictions,
    filled_problems,
    merged,
    release_job,
)
from runner.config.schema import (
    AdoptSection,
    BuildSection,
    JobsFile,
    PrepareSection,
    SchemeSection,
    ServiceSection,
    VerifySection,
    json_schema,
    read_jobs,
)
from runner.config.yamlfile import Document, Problem, read_yaml
from runner.errors import ConfigurationInvalid, ServiceUnknown
from runner.oci.manifest import Platform, digest_of
from runner.versions import VersionRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "BuildConfig",
    "Config",
    "Service",
    "json_schema",
    "load_config",
    "parse_config",
    "service_named",
    "services_in",
]

_SIZE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Service:
    """Where one service lives and how its releases are named; ``chart`` and ``main`` are relative to ``path``.

    ``prow`` is what its jobs have of their own.
    """

    name: str
    repo: str
    path: str
    chart: str
    main: str
    naming: tuple[Scheme, ...]
    prow: ServiceProwSection | None = None

    @property
    def chart_folder(self) -> str:
        """The chart's folder, relative to the repository's root, normalised."""
        return posixpath.normpath(posixpath.join(self.path, self.chart))

    @property
    def main_folder(self) -> str:
        """The folder of the Go main package, relative to the repository's root, normalised."""
        return posixpath.normpath(posixpath.join(self.path, self.main))


@dataclass(frozen=True)
class BuildConfig:
    """How images are built: with what, on which base; ``parallel`` services at once."""

    builder: str
    base_image: str
    go: str
    helm: str
    parallel: int

    @property
    def programs(self) -> Mapping[str, str]:
        """The programs that are named, by their key: each a name on PATH, or a path."""
        return {"go": self.go, "helm": self.helm}


@dataclass(frozen=True)
class Config:
    """All that ``jobs.yaml`` says, defaults filled in.

    ``digest`` is that of the file's bytes. ``given`` are the keys that stand in the file (``registry``, ``build.helm``
    …), so that the plan can tell a setting from a default. ``catalog`` is what ``aws.catalog`` names;
    ``catalog_absent`` the error for whoever needs it where there is no such file. ``kube_versions``
    are those of Kubernetes that charts are rendered for, MAJOR.MINOR.PATCH; empty where the file has none.
    """

    registry: RegistryAddress
    naming: tuple[Scheme, ...]
    chart_names: tuple[str, ...]
    platforms: tuple[Platform, ...]
    build: BuildConfig
    services: Mapping[str, Service]
    path: Path
    digest: str
    given: frozenset[str] = frozenset()
    prow: ProwSection | None = None
    adopt: tuple[AdoptRule, ...] = ()
    aws: AwsSection = field(default_factory=AwsSection)
    catalog: Catalog | None = None
    catalog_absent: ConfigurationInvalid | None = field(default=None, compare=False)
    verify: VerifySection = field(default_factory=VerifySection)
    kube_versions: tuple[str, ...] = ()
    prepare: PrepareSection = field(default_factory=PrepareSection)


def load_config(path: Path) -> Config:
    """Read and check ``jobs.yaml``, and the catalog that it names.

    Raises:
        ConfigurationInvalid: the cause is the first problem, as FILE:LINE; the detail holds all of them.
    """
    try:
        body = _read(path)
    except OSError as error:
        raise ConfigurationInvalid(
            f"{path}: cannot be read: {error.strerror}",
            remedy="Pass the path of jobs.yaml with --config, then run again.",
        ) from error
    return parse_config(body, path)


def parse_config(body: bytes, path: Path) -> Config:
    """Check the bytes of a ``jobs.yaml`` that stands at ``path``; raises as ``load_config`` does."""
    if len(body) > _SIZE_LIMIT:
        _refuse(path, [Problem(1, f"larger than {_SIZE_LIMIT} bytes")])
    document = read_yaml(body)
    if not document.readable:
        _refuse(path, document.problems)
    jobs, problems = read_jobs(document)
    if jobs is None or document.problems:
        _refuse(path, (*document.problems, *problems))
    schemes = _Schemes()
    config = _config(jobs, schemes, path, digest_of(body))
    conflicts = [
        *_shared_charts(config, document),
        *_name_conflicts(config, document, schemes),
        *_job_conflicts(config, document),
        *_unknown_adopted(config, jobs, document),
        *_aws_conflicts(config, document),
    ]
    if conflicts:
        _refuse(path, conflicts)
    catalog = _catalog(config, document)
    if isinstance(catalog, ConfigurationInvalid):
        return replace(config, catalog_absent=catalog)
    return replace(config, catalog=catalog)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SIZE_LIMIT + 1)


def _catalog(config: Config, document: Document) -> Catalog | ConfigurationInvalid | None:
    """What ``aws.catalog`` names; the error where there is no such file, which matters only where AWS is asked."""
    if config.aws.catalog is None:
        return None
    file = config.path.parent / config.aws.catalog
    line = document.line(("aws", "catalog"))
    try:
        body = _read(file)
    except FileNotFoundError as error:
        return _refusal(config.path, [Problem(line, f"aws.catalog: {file} cannot be read: {error.strerror}")])
    except OSError as error:
        _refuse(config.path, [Problem(line, f"aws.catalog: {file} cannot be read: {error.strerror}")])
    if len(body) > _SIZE_LIMIT:
        _refuse(file, [Problem(1, f"larger than {_SIZE_LIMIT} bytes")])
    catalog, problems = read_catalog(body, config.services)
    if catalog is None:
        _refuse(file, problems)
    return catalog


def services_in(config: Config, repository: str) -> tuple[Service, ...]:
    """The services that live in the repository of this name, sorted by name; possibly none."""
    found = (service for service in config.services.values() if service.repo == repository)
    return tuple(sorted(found, key=lambda service: service.name))


def service_named(config: Config, name: str) -> Service:
    """The service of this name.

    Raises:
        ServiceUnknown: there is none; the cause has the nearest names.
    """
    if name in config.services:
        return config.services[name]
    near = get_close_matches(name, config.services, n=3)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise ServiceUnknown(f"{config.path} has no service {name!r}{hint}")


def _refuse(path: Path, problems: Iterable[Problem]) -> NoReturn:
    raise _refusal(path, problems)


def _refusal(path: Path, problems: Iterable[Problem]) -> ConfigurationInvalid:
    lines = [f"{path}:{problem.line}: {problem.message}" for problem in sorted(set(problems))]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return ConfigurationInvalid(lines[0] + more, detail=lines)


class _Schemes:
    """Makes schemes of what the file says, and remembers where those of its own stand."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[str | int, ...]] = {}

    def make(self, naming: str | SchemeSection | tuple[str | SchemeSection, ...], *keys: str) -> tuple[Scheme, ...]:
        label = ".".join(keys)
        if isinstance(naming, tuple):
            return tuple(self._one(item, f"{label}[{i}]", (*keys, i)) for i, item in enumerate(naming))
        return (self._one(naming, label, keys),)

    def _one(self, item: str | SchemeSection, label: str, place: tuple[str | int, ...]) -> Scheme:
        if isinstance(item, str):
            return PRESETS[item]
        self.places[label] = place
        return Scheme(label, image=item.image, chart=item.chart, stable=item.stable)

    def line(self, document: Document, use: Use) -> int:
        """The line of a template; of a preset's, that of the service."""
        place = self.places.get(use.scheme)
        if place is None:
            return document.line(("services", use.service))
        written = document.value
        for key in (*place, use.kind):
            written = written[key]
        return document.line((*place, use.kind, written.index(use.template)))


def _config(jobs: JobsFile, schemes: _Schemes, path: Path, digest: str) -> Config:
    build = jobs.build or BuildSection()
    naming = schemes.make(jobs.naming, "naming")
    return Config(
        registry=RegistryAddress.parse(jobs.registry),
        naming=naming,
        chart_names=jobs.chart_names,
        platforms=tuple(Platform.parse(platform) for platform in jobs.platforms),
        build=BuildConfig(build.builder, build.base_image, build.go, build.helm, build.parallel),
        services=MappingProxyType(
            {
                name: _service(name, section or ServiceSection(), schemes, naming)
                for name, section in sorted((jobs.services or {}).items())
            }
        ),
        path=path,
        digest=digest,
        given=frozenset({*jobs.model_fields_set, *(f"build.{key}" for key in build.model_fields_set)}),
        prow=jobs.prow,
        aws=jobs.aws or AwsSection(),
        verify=jobs.verify or VerifySection(),
        adopt=tuple(_adopt_rule(section) for _, section in _adopt_sections(jobs) if section != AdoptSection()),
        kube_versions=(jobs.chart and jobs.chart.kube_versions) or (),
        prepare=jobs.prepare or PrepareSection(),
    )


def _adopt_sections(jobs: JobsFile) -> tuple[tuple[tuple[str | int, ...], AdoptSection], ...]:
    """The rules of ``adopt``, each with its place in the file."""
    if jobs.adopt is None:
        return ()
    if isinstance(jobs.adopt, AdoptSection):
        return ((("adopt",), jobs.adopt),)
    return tuple((("adopt", place), section) for place, section in enumerate(jobs.adopt))


def _adopt_rule(section: AdoptSection) -> AdoptRule:
    services, versions = section.services, section.versions
    return AdoptRule(
        None if services in (None, ALL) else tuple(services),
        None if versions in (None, ALL) else tuple(VersionRange.parse(text) for text in versions),
    )


def _service(name: str, section: ServiceSection, schemes: _Schemes, naming: tuple[Scheme, ...]) -> Service:
    def filled(text: str) -> str:
        return text.replace("{service}", name)

    path, chart, main = (posixpath.normpath(filled(text)) for text in (section.path, section.chart, section.main))
    own = schemes.make(section.naming, "services", name, "naming") if section.naming else naming
    return Service(name, filled(section.repo), path, chart, main, own, section.prow)


def _shared_charts(config: Config, document: Document) -> Iterator[Problem]:
    owners: dict[tuple[str, str], str] = {}
    for service in config.services.values():
        owner = owners.setdefault((service.repo, service.chart_folder), service.name)
        if owner != service.name:
            yield Problem(
                document.line(("services", service.name)),
                f"services {owner} and {service.name} share one chart, {service.chart_folder} in {service.repo}:"
                " give each its own path",
            )


def _unknown_adopted(config: Config, jobs: JobsFile, document: Document) -> Iterator[Problem]:
    for place, section in _adopt_sections(jobs):
        named = section.services if isinstance(section.services, tuple) else ()
        for index, name in enumerate(named):
            if name not in config.services:
                near = get_close_matches(name, config.services, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                line = document.line((*place, "services", index))
                yield Problem(line, f"adopt names the service {name!r}, which is not under services{hint}")


def _job_conflicts(config: Config, document: Document) -> Iterator[Problem]:
    prow = config.prow
    if prow is None:
        for service in config.services.values():
            if service.prow is not None:
                line = document.line(("services", service.name, "prow"))
                yield Problem(line, f"services.{service.name}.prow overrides prow, which is missing")
        return
    yield from (Problem(document.line(("prow",)), f"prow: {text}") for text in contradictions(prow))
    jobs: dict[str, str] = {}
    for service in config.services.values():
        one_job = prow.monorepo == "one-job" and len(services_in(config, service.repo)) > 1
        if service.prow is not None:
            line = document.line(("services", service.name, "prow"))
            problems = _own_job_problems(service, merged(prow, service.prow), one_job=one_job)
            yield from (Problem(line, f"services.{service.name}.prow: {text}") for text in problems)
        name = service.repo if one_job else service.name
        line = document.line(("services", service.name))
        if name not in jobs:
            problems = filled_problems(prow if one_job else merged(prow, service.prow), name)
            yield from (Problem(line, f"the jobs of {name}: {text}") for text in problems)
        if len(check_job(name)) > NAME_LENGTH:
            yield Problem(line, f"the job name {check_job(name)} would be longer than {NAME_LENGTH} characters")
        owner = jobs.setdefault(name, service.repo)
        if prow.audit is not None and service.repo == AUDIT_JOB:
            yield Problem(line, f"the jobs of the repository {service.repo} would be in the file of prow.audit's job")
        if owner != service.repo:
            yield Problem(
                line, f"the repositories {owner} and {service.repo} would each have a job {release_job(name)}"
            )


def _aws_conflicts(config: Config, document: Document) -> Iterator[Problem]:
    configured, own = config.aws.kind, kind_of_host(config.registry.host)
    if configured not in {None, "none", own} and own != "none":
        line = document.line(("aws", "kind"))
        yield Problem(line, f"aws.kind is {configured}, but the registry {config.registry.host} is {own}")


def _own_job_problems(service: Service, prow: ProwSection, *, one_job: bool) -> Iterator[str]:
    yield from contradictions(prow)
    if one_job:
        yield f"the services of {service.repo} share one job (prow.monorepo), which uses the top-level prow"


def _name_conflicts(config: Config, document: Document, schemes: _Schemes) -> Iterator[Problem]:
    services = {service.name: service.naming for service in config.services.values()} or {"example": config.naming}
    for use, length in find_overlong(services):
        yield Problem(
            schemes.line(document, use),
            f"the {use.kind} template {use.template!r} can give service {use.service} a tag of {length} characters"
            f"; a registry takes {TAG_LENGTH}",
        )
    for collision in find_collisions(services):
        first, second, example = collision.first, collision.second, collision.example
        lines = {schemes.line(document, use) for use in (first, second)}
        lines |= {document.line(("services", use.service)) for use in (first, second)} if len(lines) == 1 else set()
        yield Problem(
            max(lines),
            f"names collide: the {first.kind} template {first.template!r} for service {first.service} and the"
            f" {second.kind} template {second.template!r} for service {second.service} can both give {example}",
        )
