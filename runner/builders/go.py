"""The builder that needs nothing but Go: it cross-compiles each platform and lays out the image itself."""

from __future__ import annotations

import mmap
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runner.builders.archive import COMPRESSION_LEVEL, COMPRESSOR, PROGRAM_MODE, Layer, Member, write_layer
from runner.builders.base import ca_bundle, write_scratch_layer
from runner.builders.builder import BuiltImage
from runner.builders.contents import LISTED_FIELDS, check_held, check_main, read_listed
from runner.builders.elf import MACHINES, Elf
from runner.builders.goerrors import why_go_failed
from runner.builders.gomodule import (
    VARIABLES,
    VERSION_PACKAGE,
    GoModule,
    GoPackage,
    Reach,
    find_module,
    find_workspace,
    go_order,
    string_variables,
    version_packages,
)
from runner.builders.image import LICENCE_FILES, LICENCE_FOLDER, PROGRAM, base_inputs, image_artifact
from runner.errors import BinaryWrong, BuildFailed, GoTooOld, ToolUnusable
from runner.oci.manifest import Platform, digest_of
from runner.pointers import find_pointers, real_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.builders.builder import BuildRequest, Pause
    from runner.runtime.process import Finished, Run

MINIMUM = (1, 26)

KEPT = frozenset(
    {
        *("GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOSUMDB"),
        *("GOCACHE", "GOMODCACHE", "GOCACHEPROG", "GOPATH", "GOTMPDIR"),
    }
)
"""Go's variables that say where modules come from and where files lie; no other one is taken over."""

FIXED: Mapping[str, str] = {
    "GO111MODULE": "on",
    "GOENV": "off",
    "GOEXPERIMENT": "",
    "GOFIPS140": "off",
    "GOFLAGS": "",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "CGO_ENABLED": "0",
}
DEFAULT_LEVELS: Mapping[str, tuple[str, str]] = {
    "386": ("GO386", "sse2"),
    "amd64": ("GOAMD64", "v1"),
    "arm": ("GOARM", "7"),
    "arm64": ("GOARM64", "v8.0"),
    "mips": ("GOMIPS", "hardfloat"),
    "mips64": ("GOMIPS64", "hardfloat"),
    "mips64le": ("GOMIPS64", "hardfloat"),
    "mipsle": ("GOMIPS", "hardfloat"),
    "ppc64": ("GOPPC64", "power8"),
    "ppc64le": ("GOPPC64", "power8"),
    "riscv64": ("GORISCV64", "rva20u64"),
}
"""For each architecture the variable that says what the processor must have, and its value without a variant."""

BUILD_FLAGS = ("-trimpath", "-buildvcs=false")
LISTED = (
    "{{if not .Standard}}"
    "{{with .Module}}{{.Path}}\t{{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}{{else}}\t{{end}}"
    "\t{{.Name}}\t{{.ImportPath}}\t{{.Dir}}{{end}}"
)
SCRATCH_WARNING = "the image is built on scratch: only the next release updates its CA certificates"

PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between the attempts to fetch modules: Go itself asks a proxy once."""


class GoBuilder:
    """Builds images with the Go toolchain: no daemon, no privilege.

    Args:
        executable: a name to be found on the environment's PATH, or a path.
        run: how a program is started.
        environment: of Go; its own variables are taken over as far as KEPT names them, and written from nothing
            beside.
        log: a file to which all of Go's output is appended.
        pause: waits before another attempt; see ``Pause``.
    """

    name = "go"

    def __init__(
        self,
        executable: str,
        run: Run,
        environment: Mapping[str, str],
        log: Path | None = None,
        *,
        pause: Pause,
    ) -> None:
        self._executable = executable
        self._run = run
        self._environment = environment
        self._log = log
        self._pause = pause

    def check(self) -> str:
        """Return Go's version, e.g. ``1.26.8``.

        Raises:
            ToolUnusable: go is missing, cannot be started, or is older than MINIMUM.
        """
        wanted = f"go {MINIMUM[0]}.{MINIMUM[1]} or newer is needed"
        place = shutil.which(self._executable, path=self._environment.get("PATH")) or self._executable
        environment = go_environment(self._environment)
        try:
            finished = self._run((self._executable, "env", "GOVERSION"), env=environment, cwd=Path("/"), log=self._log)
        except OSError as error:
            raise ToolUnusable(f"{wanted}; {place} cannot be started: {error.strerror}") from error
        said = finished.stdout.strip().removeprefix("devel ").removeprefix("go")
        try:
            order = go_order(said)
        except ValueError:
            order = None
        if not finished.ok or order is None:
            raise ToolUnusable(f"{wanted}; {place} prints no version", detail=finished.tail())
        if order[:2] < MINIMUM:
            raise ToolUnusable(f"{wanted}; {place} is {said}")
        return said

    def inspect(self, source: Path, main: str, platforms: Sequence[Platform]) -> None:
        """Find the module, the Go that it asks for, the licences, and what the commit only points to.

        Raises:
            ToolUnusable: go is missing or too old for the runner.
            GoTooOld: go is too old for the module.
            BuildFailed: the module or a file that belongs into the image is missing, or a pointer stands in its place.
        """
        pointers = find_pointers(source)
        check_main(pointers, main, LICENCE_FILES)
        module = find_module(source, main)
        _refuse_newer(module, self.check())
        for name in LICENCE_FILES:
            _licence(source, name)
        if not pointers:
            return
        workspace = find_workspace(source, module)
        for one in (module,) if workspace is None else (module, workspace):
            for platform in platforms:
                options = ("-e", "-deps", "-buildvcs=false", one.mode, LISTED_FIELDS)
                listed = self._go(one, platform, "list", *options, one.main)
                check_held(source, pointers, one, read_listed(source, one, listed.stdout), listed.stderr)

    def build(self, request: BuildRequest) -> BuiltImage:
        """Compile for all platforms at once, check each program, and lay the image out.

        Raises:
            ToolUnusable: go is missing or too old for the runner.
            GoTooOld: go is too old for the module; nothing is compiled.
            BuildFailed: the compiler failed, or a file that belongs into the image is missing.
            OutOfMemory, ModulesUnavailable: it could not be compiled here and now.
            BinaryWrong: a program does not hold version, commit and date, or is of another architecture.
        """
        version = self.check()
        module = find_module(request.source, request.main)
        _refuse_newer(module, version)
        licences = tuple(_licence(request.source, name) for name in LICENCE_FILES)
        request.folder.mkdir(parents=True, exist_ok=True)
        module, packages = self._version_packages(request.source, module, request.platforms[0])
        flags = (*BUILD_FLAGS, module.mode)
        linked = linker_flags(packages, request)

        def program_layer(platform: Platform) -> Layer:
            binary = request.folder / f"controller-{str(platform).replace('/', '-')}"
            options = (*flags, f"-ldflags={linked}", "-o", str(binary))
            finished = self._go(module, platform, "build", *options, module.main)
            if not finished.ok:
                _fail(f"{request.main} does not compile for {platform}", finished)
            check_program(binary, platform, packages, request)
            layer = write_layer((Member(PROGRAM, binary, PROGRAM_MODE),), request.folder)
            binary.unlink()
            return layer

        with ThreadPoolExecutor(len(request.platforms), thread_name_prefix="compile") as pool:
            programs = tuple(pool.map(program_layer, request.platforms))
        shared = write_layer(licences, request.folder)
        lowest = (write_scratch_layer(request.folder),) if request.base.is_scratch else ()
        layers = {
            platform: (*lowest, shared, program) for platform, program in zip(request.platforms, programs, strict=True)
        }
        inputs = {
            "builder": self.name,
            "revision": request.revision,
            "source": request.source_url,
            "created": request.date,
            "version": request.version,
            "main": request.main,
            "platforms": ",".join(map(str, request.platforms)),
            "go": version,
            "flags": " ".join(flags),
            "ldflags": linked,
            "compressor": COMPRESSOR,
            "compression_level": str(COMPRESSION_LEVEL),
            **base_inputs(request.base),
        }
        if module.work is not None:
            inputs["workspace"] = module.work.relative_to(request.source.resolve()).as_posix()
        if request.base.is_scratch:
            inputs["ca_bundle"] = digest_of(ca_bundle())
        warnings = (SCRATCH_WARNING,) if request.base.is_scratch else ()
        return BuiltImage(image_artifact(request, layers, inputs), inputs, warnings)

    def _version_packages(
        self, source: Path, module: GoModule, platform: Platform
    ) -> tuple[GoModule, tuple[GoPackage, ...]]:
        """The packages to set version, commit and date in; this also downloads the modules that are needed.

        The module comes back with the workspace that it needs: one that go.mod describes whole is built without.
        """
        finished = self._list(module, platform)
        workspace = None if finished.ok else find_workspace(source, module)
        if workspace is not None:
            module = workspace
            finished = self._list(module, platform)
        if not finished.ok:
            _fail(f"the packages that {module.main} needs cannot be loaded", finished)
        root = source.resolve()
        packages = [_package(root, line) for line in finished.stdout.splitlines() if line]
        if packages[-1].name != "main":
            raise BuildFailed(
                f"{packages[-1].path} is package {packages[-1].name}, not a main package",
                remedy="Correct main: of the service in jobs.yaml, then rerun.",
            )
        _refuse_outside(packages)
        for reach in Reach:
            found = version_packages(
                package.with_variables(_variables(package.folder))
                for package in packages
                if package.reach(module.path) is reach
            )
            if found:
                return module, found
        wanted = " and ".join((", ".join(VARIABLES[:-1]), VARIABLES[-1]))
        near = [
            f"{package.path} has no {', '.join(name for name in VARIABLES if name not in variables)}"
            for package in packages
            if (variables := _variables(package.folder)).intersection(VARIABLES)
            or package.path == f"{module.path}/{VERSION_PACKAGE}"
        ]
        raise BinaryWrong(
            f"no package that {packages[-1].path} uses declares the string variables {wanted}", detail=near
        )

    def _list(self, module: GoModule, platform: Platform) -> Finished:
        options = ("-deps", "-buildvcs=false", module.mode, "-f", LISTED)
        return self._go(module, platform, "list", *options, module.main)

    def _go(self, module: GoModule, platform: Platform, *arguments: str) -> Finished:
        """Run Go; where modules could not be fetched, again after each of ``PAUSES``."""
        environment = go_environment(self._environment, platform)
        if module.work is not None:
            environment["GOWORK"] = str(module.work)
        pauses = iter(PAUSES)
        while True:
            finished = self._run((self._executable, *arguments), env=environment, cwd=module.folder, log=self._log)
            failure = None if finished.ok else why_go_failed(finished.complaint, finished.returncode)
            seconds = next(pauses, None)
            if failure is None or not failure.fault.transient or seconds is None:
                return finished
            self._pause(seconds, failure.said)


def go_environment(inherited: Mapping[str, str], platform: Platform | None = None) -> dict[str, str]:
    """Return Go's whole environment, so that the same source gives the same program whatever was set before.

    Args:
        inherited: all that is not Go's own is taken over, of Go's own what KEPT names.
        platform: what is compiled for; None where nothing is compiled.
    """
    kept = {key: value for key, value in inherited.items() if key in KEPT or not key.startswith(("GO", "CGO_"))}
    environment = {**kept, **FIXED}
    if platform is not None:
        environment |= {"GOOS": platform.os, "GOARCH": platform.architecture}
        if platform.architecture in DEFAULT_LEVELS:
            variable, level = DEFAULT_LEVELS[platform.architecture]
            environment[variable] = _level(platform, level)
    return environment


def _level(platform: Platform, default: str) -> str:
    if not platform.variant:
        return default
    return {"arm": platform.variant.removeprefix("v"), "arm64": f"{platform.variant}.0"}.get(
        platform.architecture, platform.variant
    )


def linker_flags(packages: Iterable[GoPackage], request: BuildRequest) -> str:
    """What the linker has to write into the program."""
    return " ".join(
        f"-X {package.linked_as}.{variable}={value}"
        for package in packages
        for variable, value in stamps(request).items()
    )


def stamps(request: BuildRequest) -> dict[str, str]:
    """What the version package's variables must hold."""
    return dict(zip(VARIABLES, (request.version, request.revision, request.date), strict=True))


def check_program(binary: Path, platform: Platform, packages: Iterable[GoPackage], request: BuildRequest) -> None:
    """Check that a program runs on its platform and knows which release it is.

    The linker silently accepts a variable that does not exist or that nothing reads, and a version's digits may
    stand in a program for another reason: so the variables themselves are read.

    Raises:
        BinaryWrong: it does not.
    """
    wanted = {
        package.symbol(variable): (f"{package.path}.{variable}", value)
        for package in packages
        for variable, value in stamps(request).items()
    }
    try:
        with binary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            program = Elf(content)
            found = program.string_variables(wanted)
    except ValueError as error:
        raise BinaryWrong(f"the program for {platform} cannot be read: {error}") from error
    if program.machine != MACHINES.get(platform.architecture):
        raise BinaryWrong(f"the program for {platform} is compiled for {program.architecture}")
    wrong = [
        f"{name} is missing, because nothing in the program reads that variable"
        if symbol not in found
        else f"{name} is {found[symbol]!r}, not {value!r}"
        for symbol, (name, value) in wanted.items()
        if found.get(symbol) != value
    ]
    if wrong:
        raise BinaryWrong(f"the program for {platform} does not say which release it is: {'; '.join(wrong)}")


def _refuse_newer(module: GoModule, installed: str) -> None:
    """Raise GoTooOld when go.mod asks for a newer Go than there is."""
    if module.go is None:
        return
    try:
        newer = go_order(module.go) > go_order(installed)
    except ValueError as error:
        raise BuildFailed(f"go.mod cannot be understood: {error}") from error
    if newer:
        raise GoTooOld(f"go.mod asks for Go {module.go}, and Go {installed} is installed")


def _package(root: Path, line: str) -> GoPackage:
    """Read a line that LISTED gives."""
    module, version, name, path, folder = line.split("\t", 4)
    return GoPackage(path, name, module, version, Path(folder), held=real_path(Path(folder)).is_relative_to(root))


def _refuse_outside(packages: Iterable[GoPackage]) -> None:
    """Refuse packages of folders beside the repository: this machine has them, and the commit does not."""
    outside = [
        f"{package.path} lies in {package.folder}, outside of the repository: the commit does not hold it"
        for package in packages
        if not package.version and not package.held
    ]
    if outside:
        raise BuildFailed(
            outside[0],
            remedy="Commit that folder, or require a published version of its module; then tag with the next version.",
            detail=outside,
        )


def _variables(folder: Path) -> frozenset[str]:
    files = (path for path in sorted(folder.glob("*.go")) if not path.name.endswith("_test.go"))
    bodies = (path.read_bytes() for path in files if path.is_file())
    # Most files of a program have none of the names, and to look for them is faster than to read the file as Go.
    near = (body for body in bodies if any(name.encode() in body for name in VARIABLES))
    return frozenset().union(*(string_variables(body.decode("utf-8", "replace")) for body in near))


def _licence(source: Path, name: str) -> Member:
    path = source / name
    # A link that leads out of the tree would put a file of this machine into the image.
    if not path.is_file() or not real_path(path).is_relative_to(source.resolve()):
        raise BuildFailed(
            f"there is no file {name} at the root of the repository, but the image must contain it",
            remedy=f"Commit {name}, then tag that commit with the next version.",
        )
    return Member(f"{LICENCE_FOLDER}/{name}", path.read_bytes())


def _fail(cause: str, finished: Finished) -> NoReturn:
    failure = why_go_failed(finished.complaint, finished.returncode)
    raise failure.fault.error(f"{cause}: {failure.said}", remedy=failure.fault.remedy, detail=finished.tail())
