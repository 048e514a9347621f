"""What was read of one release, as values; what is wrong with them is said in ``checks``. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.published.observed import ABSENT, Published, PublishedChart, PublishedImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.chart.facts import ChartFacts
    from runner.config.load import Service
    from runner.config.naming import RegistryAddress, Scheme
    from runner.oci.manifest import Platform
    from runner.oci.name import Name
    from runner.published.observed import Observation
    from runner.published.program import Program
    from runner.versions import ReleaseVersion


@dataclass(frozen=True)
class Question:
    """What is asked about a release.

    Attributes:
        service: whose it is.
        version: which one.
        address: the registry and the namespace in it.
        chart_names: the names that its Chart.yaml may have.
        platforms: what jobs.yaml asks for today.
        source: how the address of its repository ends, ``/OWNER/REPOSITORY``.
        commit: the commit of its tag; None where it is not known.
    """

    service: Service
    version: ReleaseVersion
    address: RegistryAddress
    chart_names: Sequence[str]
    platforms: Sequence[Platform]
    source: str
    commit: str | None = None

    def images(self, scheme: Scheme) -> tuple[Name, ...]:
        """The image's names under a scheme."""
        return scheme.image_names(self.address, self.service.name, str(self.version))

    def charts(self, scheme: Scheme) -> tuple[Name, ...]:
        """The chart's names under a scheme."""
        return scheme.chart_names(self.address, self.service.name, str(self.version))

    def stables(self, scheme: Scheme) -> tuple[Name, ...]:
        """The names of the stable chart of the version's major under a scheme."""
        return scheme.stable_names(self.address, self.service.name, self.version.major)

    @property
    def names(self) -> tuple[Name, ...]:
        """Every name that the release, or the stable chart of its major, may have, each once."""
        groups = (kind(scheme) for kind in (self.images, self.charts, self.stables) for scheme in self.service.naming)
        return tuple(dict.fromkeys(name for group in groups for name in group))


@dataclass(frozen=True)
class Part:
    """One platform of an image.

    Attributes:
        platform: as the index has it; of an image without an index, as its config says.
        answers: whether its manifest is there.
        stated: what its config says.
        commits: the commits that its annotations and labels say, each once.
        program: the program in it.
        problem: why config or program cannot be read; empty where they can.
    """

    platform: Platform
    answers: bool = True
    stated: Platform | None = None
    commits: tuple[str, ...] = ()
    program: Program | None = None
    problem: str = ""


@dataclass(frozen=True)
class ChartContent:
    """What a chart's archive holds; ``problem`` says why it cannot be read."""

    facts: ChartFacts | None = None
    problem: str = ""


@dataclass(frozen=True)
class Release:
    """What was read of a release.

    Attributes:
        question: what was asked.
        scheme: the scheme of names that it is published under, as far as that is known.
        observed: what is under each of the question's names.
        parts: the platforms of its image.
        content: what its chart's archive holds; None where there is no chart.
        recorded: the digest of each name, as a record has it; None where none was given.
        anonymous: what each name shows without credentials: a digest, or words; None where that was not asked.
    """

    question: Question
    scheme: Scheme
    observed: Mapping[Name, Observation]
    parts: tuple[Part, ...] = ()
    content: ChartContent | None = None
    recorded: Mapping[str, str] | None = None
    anonymous: Mapping[Name, str] | None = field(default=None)

    @property
    def images(self) -> tuple[Name, ...]:
        """The image's names, primary first."""
        return self.question.images(self.scheme)

    @property
    def charts(self) -> tuple[Name, ...]:
        """The chart's names, primary first."""
        return self.question.charts(self.scheme)

    @property
    def image(self) -> PublishedImage | None:
        """What the first of the image's names holds that holds an image."""
        found = (self.at(name) for name in self.images)
        return next((one for one in found if isinstance(one, PublishedImage)), None)

    @property
    def chart(self) -> PublishedChart | None:
        """What the first of the chart's names holds that holds a chart."""
        found = (self.at(name) for name in self.charts)
        return next((one for one in found if isinstance(one, PublishedChart)), None)

    @property
    def is_adopted(self) -> bool:
        """Whether the image says no commit, and a chart that does names its digest."""
        return (
            self.image is not None
            and not self.image.revision
            and self.chart is not None
            and bool(self.chart.revision)
            and self.chart.image_digest == self.image.digest
        )

    def at(self, name: Name) -> Observation:
        """What is under a name."""
        return self.observed.get(name, ABSENT)


def scheme_by_names(question: Question, observed: Mapping[Name, Observation]) -> Scheme:
    """The scheme under which the image is there; else a chart; else the first."""
    for names in (question.images, question.charts):
        for scheme in question.service.naming:
            if any(isinstance(observed.get(name), Published) for name in names(scheme)):
                return scheme
    return question.service.naming[0]


def scheme_by_chart(question: Question, facts: ChartFacts) -> Scheme | None:
    """The scheme whose primary image the chart's values name; None when there is none."""
    return next((scheme for scheme in question.service.naming if str(question.images(scheme)[0]) == facts.image), None)
