"""What is said where a release cannot be restored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.annotations import RELEASE_INPUTS, inputs_text
from runner.errors import ExitCode, ReleaseNotRestorable
from runner.oci.manifest import OCI_INDEX, Manifest
from runner.oci.name import Name
from runner.published.observed import Gone, PublishedImage
from runner.run.plan.changed import NOTHING_RECORDED, ONLY_A_DIGEST, check_restored, what_changed

NAME = Name.parse("registry.example/ack/controller:s3-v1.2.3")
INPUTS = {"go": "1.26.7", "base": "sha256:11", "base_name": "registry.example/base:1", "platforms": "linux/amd64"}
KEYS = st.sampled_from([*INPUTS, "flags"])


def index(inputs: dict[str, str] | str | None = None, seen: str = "", **annotations: str) -> Manifest:
    """An image that says this of its inputs; ``seen`` is content that nothing is said of."""
    text = inputs_text(inputs) if isinstance(inputs, dict) else inputs
    stated = annotations if text is None else {**annotations, RELEASE_INPUTS: text}
    return Manifest.write(OCI_INDEX, {"annotations": stated, "seen": seen})


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        (index(INPUTS), index({**INPUTS, "go": "1.26.8"}), "Go was 1.26.7 and is 1.26.8"),
        (
            index(INPUTS),
            index({**INPUTS, "base": "sha256:22"}),
            "the base image's content was sha256:11 and is sha256:22",
        ),
        (
            index(INPUTS),
            index({key: value for key, value in INPUTS.items() if key != "base_name"}),
            "the base image was registry.example/base:1 and is not given",
        ),
        (index(INPUTS), index({**INPUTS, "flags": "-x"}), "flags was not given and is -x"),
        (index("sha256:33"), index(INPUTS), ONLY_A_DIGEST),
        (index(), index(INPUTS), ONLY_A_DIGEST),
        (
            index(INPUTS, platforms="linux/amd64"),
            index(INPUTS, platforms="linux/arm64"),
            "the platforms was linux/amd64",
        ),
        (index(INPUTS), index(INPUTS, seen="x"), NOTHING_RECORDED),
    ],
)
def test_other_content(before: Manifest, now: Manifest, says: str) -> None:
    """Both digests are named, what is gone, and what of the inputs changed; it is a conflict."""
    with pytest.raises(ReleaseNotRestorable) as raised:
        check_restored(NAME, PublishedImage(before, gone=(Gone("linux/arm64", "sha256:44"),)), now)
    assert raised.value.exit_code is ExitCode.CONFLICT
    cause = raised.value.cause
    assert all(part in cause for part in (str(NAME), before.digest, now.digest, "linux/arm64", says))
    assert raised.value.detail[0] == "gone: linux/arm64 (sha256:44)"
    assert raised.value.detail[1].startswith(f"changed: {says}")


@given(st.dictionaries(KEYS, st.text(min_size=1, max_size=4)), st.dictionaries(KEYS, st.text(min_size=1, max_size=4)))
def test_every_input_that_differs_is_named(before: dict[str, str], now: dict[str, str]) -> None:
    """One sentence for each input that differs, and none for one that does not."""
    differing = {key for key in (*before, *now) if before.get(key) != now.get(key)}
    said = tuple(what_changed(index(before), index(now)))
    assert len(said) == (len(differing) if before else bool(now))


@given(st.dictionaries(KEYS, st.text(max_size=4)))
def test_same_content(inputs: dict[str, str]) -> None:
    """What gives the same digest may be restored."""
    check_restored(NAME, PublishedImage(index(inputs), gone=(Gone("a part", "sha256:55"),)), index(inputs))
