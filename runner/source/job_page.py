"""Where Prow's Deck shows a job's run, as far as JOB_SPEC says so: pure.

Prow makes the address of the prefix, the bucket and the run's path in it (pkg/pjutil/pjutil.go, JobURL;
pkg/pod-utils/gcs/target.go, PathForSpec). The prefix stands in JOB_SPEC only where the job's decoration names it, as
``gcs_configuration.job_url_prefix``; what Prow's own configuration says of it, no job is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_PROVIDER = "gs"
PROVIDERS = {"gs": {"gs", "gcs"}, "s3": {"s3"}}
"""Where a bucket can be, and what Deck calls that in an address (cmd/deck/main.go, handleRequestJobViews)."""

_PREFIX = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?")
_BUCKET = re.compile(r"(?:(?P<provider>[a-z0-9]+)://)?(?P<path>[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)/?")
_PART = re.compile(r"[A-Za-z0-9._-]+")


def job_page(specification: Mapping[str, Any]) -> str | None:
    """Return the address of the page that shows this run.

    It is None where JOB_SPEC does not say all that the address is made of, or says something of which no address that
    certainly leads there can be made.

    Args:
        specification: JOB_SPEC, of which nothing but that it is an object has been checked.
    """
    storage = _object(_object(specification, "decoration_config"), "gcs_configuration")
    prefix, bucket = _PREFIX.fullmatch(_text(storage, "job_url_prefix")), _BUCKET.fullmatch(_text(storage, "bucket"))
    run = _path_of_run(specification, storage)
    # A job that leaves its files on the node has none that Deck could show.
    if prefix is None or bucket is None or run is None or _text(storage, "local_output_dir"):
        return None
    provider = bucket["provider"] or DEFAULT_PROVIDER
    above = prefix[0].rstrip("/")
    last = above.rpartition("/")[2]
    if last not in {"view", *PROVIDERS.get(provider, ())}:
        return None
    # Where Prow does not write the provider (job_url_prefix_disable_append_storage_provider), the prefix has it.
    parts = [*([provider] if last == "view" else []), bucket["path"], *run]
    address = "/".join((above, *parts))
    # Two dots would lead elsewhere.
    return None if {".", ".."} & set(address.split("/")) else address


def _path_of_run(specification: Mapping[str, Any], storage: Mapping[str, Any]) -> list[str] | None:
    """The parts of the path of a run's files in the bucket; None where it is not known."""
    above = _above(specification, storage)
    prefix = [part for part in _text(storage, "path_prefix").split("/") if part]
    own = [_text(specification, "job"), _text(specification, "buildid")]
    if above is None or not all(map(_PART.fullmatch, (*prefix, *above, *own))):
        return None
    return [*prefix, *above, *own]


def _above(specification: Mapping[str, Any], storage: Mapping[str, Any]) -> list[str] | None:
    kind = _text(specification, "type")
    if kind == "presubmit":
        refs = _object(specification, "refs")
        pulls = refs.get("pulls")
        number = pulls[0].get("number") if isinstance(pulls, list) and pulls and isinstance(pulls[0], dict) else None
        repository = _repository(refs, storage)
        if repository is None or not isinstance(number, int):
            return None
        return ["pr-logs", "pull", *([repository] if repository else []), str(number)]
    return {"postsubmit": ["logs"], "periodic": ["logs"], "batch": ["pr-logs", "pull", "batch"]}.get(kind)


def _repository(refs: Mapping[str, Any], storage: Mapping[str, Any]) -> str | None:
    """What a repository is called in a path; empty where it is the one that goes without saying."""
    owner, name = _text(refs, "org"), _text(refs, "repo")
    full = f"{owner}_{name}"
    is_default = (owner == _text(storage, "default_org"), name == _text(storage, "default_repo"))
    strategies: Mapping[str, Callable[[], str]] = {
        "explicit": lambda: full,
        "single": lambda: "" if all(is_default) else full,
        "legacy": lambda: full if not is_default[0] else "" if is_default[1] else name,
    }
    strategy = strategies.get(_text(storage, "path_strategy"))
    return strategy() if owner and name and strategy is not None else None


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
