"""A small controller repository, real in every part: it compiles, its chart renders, its history is git's.

Its files are in ``testbed/sample``; its shape is that of the controllers of aws-controllers-k8s. The same calls give
the same commit ids on any machine: dates and identities are fixed, and no configuration of the user's git is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.git import GitRepository, git
from testbed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = ROOT / "testbed" / "sample"
SHARED = ("go.mod", "pkg", "ATTRIBUTION.md")
"""What stands once in a repository of several services, beside LICENSE; all else is the service's own."""

HOST = "github.com"
OWNER = "aws-controllers-k8s"
PRODUCTION = "public.ecr.aws/aws-controllers-k8s"

CONFIGURATION = """\
registry: {registry}
platforms: [linux/amd64, linux/arm64]
build:
  base_image: scratch
  helm: {helm}
services:
  widget: {{}}
"""
"""The runner's configuration for a sample repository with its default names."""

Edit = str | Callable[[str], str] | None
"""New text of a file, or what makes it from the old, or None to remove it."""


@dataclass(frozen=True)
class Scheme:
    """How a scheme of names writes the image and the chart's version; ``v`` is a prefix or nothing."""

    repository: str
    tag: str
    v: str


SCHEMES: Mapping[str, Scheme] = {
    "seed": Scheme("controller", "{service}-{version}", "v"),
    "repo-per-service-v": Scheme("{service}-controller", "{version}", "v"),
    "repo-per-service": Scheme("{service}-controller", "{version}", ""),
}


@dataclass(frozen=True)
class SampleRepository(GitRepository):
    """A git repository of one controller, with a work tree; or the part that one has of a repository of several.

    Args:
        folder: where it is.
        service: e.g. ``widget``.
        registry: ``HOST/NAMESPACE``, which the chart's values name.
        scheme: one of SCHEMES.
        chart_name: the name in Chart.yaml, ``{service}`` filled in.
        monorepo: the repository's name when several services live in it; None when it is this one's own.
    """

    service: str
    registry: str
    scheme: str
    chart_name: str
    monorepo: str | None = None

    @property
    def name(self) -> str:
        """The repository's name, e.g. ``widget-controller``."""
        return self.monorepo or f"{self.service}-controller"

    @property
    def path(self) -> str:
        """The service's folder in it, e.g. ``services/widget``."""
        return "." if self.monorepo is None else f"services/{self.service}"

    def image(self, version: str) -> tuple[str, str]:
        """Return repository and tag of the image of a version, as the chart's values name them."""
        scheme = SCHEMES[self.scheme]
        repository = scheme.repository.format(service=self.service)
        return f"{self.registry}/{repository}", scheme.tag.format(service=self.service, version=f"{scheme.v}{version}")

    def chart_version(self, version: str) -> str:
        """Return the version that Chart.yaml has for a release."""
        return f"{SCHEMES[self.scheme].v}{version}"

    def write_release(self, version: str) -> None:
        """Write the release artifacts of a version into the work tree, over what is there."""
        repository, tag = self.image(version)
        words = {
            "@HOST@": HOST,
            "@OWNER@": OWNER,
            "@REPOSITORY@": self.name,
            "@SERVICE@": self.service,
            "@CHART_NAME@": self.chart_name,
            "@CHART_VERSION@": self.chart_version(version),
            "@IMAGE_REPOSITORY@": repository,
            "@IMAGE_TAG@": tag,
        }
        for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
            text = source.read_text(encoding="utf-8")
            for word, value in words.items():
                text = text.replace(word, value)
            file = source.relative_to(TEMPLATE)
            self._write(str(file) if file.parts[0] in SHARED else f"{self.path}/{file}", text)
        self._write("LICENSE", (ROOT / "LICENSE").read_text(encoding="utf-8"))

    def edit(self, edits: Mapping[str, Edit]) -> None:
        """Change files of the work tree, by path from the repository's root."""
        for path, change in edits.items():
            if change is None:
                (self.folder / path).unlink()
            elif isinstance(change, str):
                self._write(path, change)
            else:
                self._write(path, change((self.folder / path).read_text(encoding="utf-8")))

    def commit(self, message: str, edits: Mapping[str, Edit] | None = None) -> str:
        """Commit the work tree, changed by ``edits``, on the branch that is checked out; return the commit."""
        self.edit(edits or {})
        return self.commit_all(message)

    def release(self, version: str, *, edits: Mapping[str, Edit] | None = None, annotated: bool = True) -> str:
        """Commit the release artifacts of ``version`` on main and tag them ``v<version>``; return the commit."""
        self.git("checkout", "--quiet", "main")
        self.write_release(version)
        commit = self.commit(f"Release artifacts for release v{version}", edits)
        date = self.git("show", "--no-patch", "--format=%cI", "HEAD")
        kind = ("--annotate", "--message", f"v{version}") if annotated else ()
        git(self.folder, "tag", *kind, f"v{version}", date=date)
        return commit

    def stable(
        self, from_version: str, *, chart_version: str | None = None, edits: Mapping[str, Edit] | None = None
    ) -> str:
        """Point the branch stable at a new commit on top of a release; return the commit.

        Only the version in Chart.yaml changes: to ``v<major>-stable``, as real branches have it, or to
        ``chart_version``.
        """
        version = chart_version or f"v{from_version.partition('.')[0]}-stable"
        self.git("checkout", "--quiet", "-B", "stable", f"refs/tags/v{from_version}")
        released = f"version: {self.chart_version(from_version)}\n"
        chart = f"{self.path}/helm/Chart.yaml"
        self.edit({chart: lambda text: text.replace(f"\n{released}", f"\nversion: {version}\n", 1)})
        commit = self.commit(f"Stable chart from v{from_version}", edits)
        self.git("checkout", "--quiet", "main")
        return commit

    def _write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def slow_to_compile(statements: int = 6000) -> Mapping[str, Edit]:
    """Edits that keep the compiler busy: a function of many variables that live all through it.

    Args:
        statements: of the function; for 6,000 a fast processor needs some 8 seconds, for 12,000 some 20.
    """
    names = [f"y{number}" for number in range(2500)]
    lines = [f"{name} := x + {number}" for number, name in enumerate(names)]
    for number in range(statements):
        name = names[number % len(names)]
        lines.append(f"if x%{number % 89 + 2} == 0 {{ x += {name} }} else {{ {name} ^= x }}")
    lines.append(f"return x + {' + '.join(names)}")
    function = "\n".join(("package main", "", "func slow(x int) int {", *(f"\t{line}" for line in lines), "}", ""))
    return {
        "cmd/controller/slow.go": function,
        "cmd/controller/main.go": lambda text: text.replace("<-ended", "<-ended\n\tfmt.Println(slow(len(os.Args)))"),
    }


def make_repository(
    folder: Path,
    *,
    service: str = "widget",
    registry: str = PRODUCTION,
    scheme: str = "seed",
    version: str | None = "1.2.3",
    chart_name: str = "{service}-chart",
) -> SampleRepository:
    """Make a repository in ``folder``, with a first commit on main and ``version`` released (None: nothing is)."""
    if scheme not in SCHEMES:
        raise ValueError(f"there is no scheme {scheme!r}; there are {', '.join(SCHEMES)}")
    repository = SampleRepository(folder, service, registry, scheme, chart_name.format(service=service))
    folder.mkdir(parents=True, exist_ok=True)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit("Begin", {"README.md": f"# ACK service controller for {service}\n"})
    if version is not None:
        repository.release(version)
    return repository
