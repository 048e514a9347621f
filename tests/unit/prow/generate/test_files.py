from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from runner.config.load import load_config, parse_config
from runner.errors import ConfigurationInvalid
from runner.prow.generate.document import to_yaml
from runner.prow.generate.files import prow_files
from runner.prow.generate.folder import MARK, Compared, check_folder
from runner.prow.generate.jobs import job_config
from runner.prow.generate.lenses import deck_config
from testbed.paths import ROOT
from testbed.prow.job_configs import IMAGE, with_prow

if TYPE_CHECKING:
    from pathlib import Path


def jobs_file(tmp_path: Path, text: str = "services: {s3: }\n") -> Path:
    path = tmp_path / "config" / "jobs.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"registry: registry.example/ack\nprow: {{image: '{IMAGE}'}}\n{text}", encoding="utf-8")
    return path


def test_every_file_says_from_what_it_was_made_and_how_to_make_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines name jobs.yaml, the same whether it was given by a full or a relative path, and the command."""
    config = jobs_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    absolute = prow_files(load_config(config), tmp_path / "prowjobs")
    relative = prow_files(load_config(config.relative_to(tmp_path)), (tmp_path / "prowjobs").relative_to(tmp_path))
    assert absolute == relative
    for text in absolute.values():
        first, second = text.splitlines()[:2]
        assert first == f"{MARK} from config/jobs.yaml: do not edit."
        assert second == "# To change it, change config/jobs.yaml, then run: ack-release prowjobs generate"


def test_a_configuration_from_elsewhere_is_called_by_its_name(tmp_path: Path) -> None:
    """No path of one machine gets into the files."""
    files = prow_files(load_config(jobs_file(tmp_path)), tmp_path / "other" / "place" / "prowjobs")
    assert str(tmp_path) not in "".join(files.values())
    assert files["deck.yaml"].startswith(f"{MARK} from jobs.yaml")


def test_the_checked_in_folder_is_up_to_date() -> None:
    """prowjobs/ is what config/jobs.yaml gives, and holds nothing else."""
    files = prow_files(load_config(ROOT / "config/jobs.yaml"), ROOT / "prowjobs")
    assert check_folder(ROOT / "prowjobs", files) == Compared(None, ())


@pytest.mark.exclusive
def test_all_services_take_less_than_a_second() -> None:
    """The jobs of the 77 checked-in services are made in under a second of processor time, reading included."""
    began = time.process_time()
    files = prow_files(load_config(ROOT / "config/jobs.yaml"), ROOT / "prowjobs")
    assert time.process_time() - began < 1
    assert len(files) == 80


def test_one_file_for_each_repository(tmp_path: Path) -> None:
    """Beside Deck's lenses and the operators' roles there is one file of jobs for each repository, called as it is."""
    services = "s3: {}, sns: {repo: community}, sqs: {repo: community, path: sqs}"
    assert prow_files(with_prow(services=services), tmp_path).keys() == {
        "deck.yaml",
        "rbac.yaml",
        "jobs/s3-controller.yaml",
        "jobs/community.yaml",
    }


def test_every_file_holds_what_was_decided(tmp_path: Path) -> None:
    """Below its comments each file is the document of its module, and nothing else."""
    config = with_prow("operators: {users: [alice]}")
    files = prow_files(config, tmp_path)
    bodies = {
        path: "".join(f"{line}\n" for line in text.splitlines() if line[:1] != "#") for path, text in files.items()
    }
    assert bodies["deck.yaml"] == to_yaml(deck_config())
    assert bodies["jobs/s3-controller.yaml"] == to_yaml(job_config(config)["s3-controller"])
    kinds = [document["kind"] for document in yaml.safe_load_all(files["rbac.yaml"])]
    assert kinds == ["Role", "RoleBinding"] * 2


def test_configuration_without_jobs(tmp_path: Path) -> None:
    """Without the section prow there is nothing to generate, and it is said what to add."""
    config = parse_config(b"registry: registry.example/ack\nservices: {s3: }\n", tmp_path / "jobs.yaml")
    with pytest.raises(ConfigurationInvalid, match="the key 'prow', which configures the release jobs, is missing"):
        prow_files(config, tmp_path)
