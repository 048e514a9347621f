from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config.load import parse_config
from runner.prow.generate.files import prow_files
from testbed.prow.documents import (
    STANDARD,
    Limits,
    Place,
    generated_files,
    installation,
    jobs_yaml,
    merged,
    plugins,
    storage_secret,
)

FOLDER = Path("/somewhere")
PLACE = Place(
    registry="127.0.0.1:5000/demo",
    image="localhost/ack-release:local",
    utility_images={name: f"prow-{name}:local" for name in ("clonerefs", "entrypoint", "initupload", "sidecar")},
    bucket="s3://prow",
    repositories="git://127.0.0.1:9418",
    deck="http://127.0.0.1:8080",
    cache=FOLDER / "cache",
    cpus=2,
)
documents = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
)
mappings = st.dictionaries(st.sampled_from("abcd"), documents, max_size=4)


def generated(limits: Limits = STANDARD) -> dict[str, str]:
    return generated_files(jobs_yaml(PLACE, ["widget", "gadget"], limits), FOLDER / "jobs.yaml", PLACE)


def test_the_jobs_are_the_generated_ones_but_for_the_clones_address() -> None:
    """Beside the address of its clone, each file says exactly what the generator writes."""
    config = parse_config(jobs_yaml(PLACE, ["widget", "gadget"]).encode(), FOLDER / "jobs.yaml")
    wanted = prow_files(config, FOLDER / "prowjobs")
    files = generated()
    assert set(files) == set(wanted)
    assert (files["deck.yaml"], files["rbac.yaml"]) == (wanted["deck.yaml"], wanted["rbac.yaml"])
    for service in ("widget", "gadget"):
        document = yaml.safe_load(files[f"jobs/{service}-controller.yaml"])
        for kind in ("presubmits", "postsubmits"):
            (job,) = document[kind][f"aws-controllers-k8s/{service}-controller"]
            assert job.pop("clone_uri") == f"git://127.0.0.1:9418/aws-controllers-k8s/{service}-controller.git"
        assert document == yaml.safe_load(wanted[f"jobs/{service}-controller.yaml"])


def test_limits_are_those_of_the_job() -> None:
    """Timeout and grace period stand in the postsubmit's decoration."""
    document = yaml.safe_load(generated(Limits("5m", "20s"))["jobs/widget-controller.yaml"])
    (job,) = document["postsubmits"]["aws-controllers-k8s/widget-controller"]
    assert job["decoration_config"] == {
        "timeout": "5m",
        "grace_period": "20s",
        "censor_secrets": True,
        "upload_ignores_interrupts": True,
    }


def test_the_installation_has_the_generated_lenses() -> None:
    """The generated deck.yaml is merged into Prow's own configuration, beside what else Deck is given."""
    files = generated()
    deck = installation(PLACE, files["deck.yaml"])["deck"]
    assert deck["spyglass"] == yaml.safe_load(files["deck.yaml"])["deck"]["spyglass"]
    assert deck["rerun_auth_configs"] == {"*": {"allow_anyone": True}}


def test_pods_find_the_buckets_credentials() -> None:
    """The Secret that decoration names is the one that is created, with the key that Prow mounts."""
    (entry,) = installation(PLACE, generated()["deck.yaml"])["plank"]["default_decoration_config_entries"]
    secret = storage_secret(b"{}")
    assert entry["config"]["s3_credentials_secret"] == secret["metadata"]["name"]
    assert secret["stringData"] == {"service-account.json": "{}"}


@given(below=mappings, above=mappings)
def test_merged(below: dict[str, Any], above: dict[str, Any]) -> None:
    """What is above is all there, and what stands below alone stays."""
    both = merged(below, above)
    assert set(both) == {*below, *above}
    for key, value in both.items():
        if key not in above:
            assert value == below[key]
        elif key not in below or not (isinstance(above[key], dict) and isinstance(below[key], dict)):
            assert value == above[key]
        else:
            assert value == merged(below[key], above[key])


def test_the_plugin_is_on_for_each_repository() -> None:
    """Hook starts jobs in the repositories that are named, and in no others."""
    assert plugins(["widget-controller"]) == {
        "plugins": {"aws-controllers-k8s/widget-controller": {"plugins": ["trigger"]}}
    }
