from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.oci.config_key import best_key, read_key, server_of

HOST = "registry.example:5000"
PART = st.sampled_from(["team", "teams", "a", "b"])
PATH = st.lists(PART, max_size=3).map("/".join)
KEYS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "https://", "http://"]),
    st.sampled_from([HOST, HOST.upper(), "other.example"]),
    st.sampled_from(["", "/v1", "/v2"]),
    PATH.map(lambda path: f"/{path}" if path else ""),
)


@pytest.mark.parametrize(
    ("keys", "repository", "expected"),
    [
        ([HOST, f"{HOST}/team"], "team/image", f"{HOST}/team"),
        ([f"{HOST}/team/image/x", f"{HOST}/team", HOST], "team/image", f"{HOST}/team"),
        ([f"{HOST}/team/image"], "team/image", f"{HOST}/team/image"),
        ([f"{HOST}/team"], "teams/image", None),
        ([f"{HOST}/team"], "", None),
        ([f"https://{HOST}/v1/team/"], "team/image", f"https://{HOST}/v1/team/"),
        ([f"https://{HOST}/v1/", HOST], "team/image", HOST),
        (["*.example:5000", HOST], "team/image", HOST),
        ([HOST, "*.example:5000/team"], "team/image", "*.example:5000/team"),
        (["*.example:5000"], "team/image", "*.example:5000"),
        (["registr?.example:5000"], "team/image", "registr?.example:5000"),
        (["*.example"], "team/image", None),
        (["*:5000"], "team/image", None),
        (["*"], "team/image", None),
        ([""], "team/image", None),
    ],
)
def test_which_key_counts(keys: list[str], repository: str, expected: str | None) -> None:
    """The longest path that holds the repository counts, by whole parts; a host goes before a pattern."""
    assert best_key(keys, HOST, repository) == expected


@pytest.mark.parametrize(
    ("host", "key", "fits"),
    [
        ("docker.io", "https://index.docker.io/v1/", True),
        ("registry-1.docker.io", "docker.io/library", True),
        ("docker.io", "docker.io.example", False),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com", "*.dkr.ecr.us-west-2.amazonaws.com", True),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com", "*.dkr.ecr.*.amazonaws.com", True),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com", "*.amazonaws.com", False),
        ("[::1]:5000", "[::1]:5000", True),
        ("[::1]:5001", "[::1]:5000", False),
        ("public.ecr.aws", "public.ecr.aws", True),
    ],
)
def test_hosts(host: str, key: str, fits: bool) -> None:  # noqa: FBT001 - a case of the table
    """A key fits its own host, Docker Hub by any of its names, and as a pattern one part of a name for each."""
    assert (best_key([key], host, "library/image") == key) is fits


@given(st.lists(KEYS, max_size=5), PATH)
def test_any_keys(keys: list[str], repository: str) -> None:
    """What is found fits, nothing that fits has a longer path, and where nothing is found nothing fits."""
    parts = tuple(repository.split("/")) if repository else ()

    def length(key: str) -> int | None:
        place = read_key(key)
        fits = place.host == HOST and parts[: len(place.path)] == place.path
        return len(place.path) if fits else None

    lengths = [found for key in keys if (found := length(key)) is not None]
    best = best_key(keys, HOST, repository)
    assert (None if best is None else length(best)) == max(lengths, default=None)


@given(st.lists(KEYS, max_size=5), PATH)
def test_the_exact_key(keys: list[str], repository: str) -> None:
    """A key that is exactly the repository goes before all others, whatever their order."""
    exact = f"{HOST}/{repository}" if repository else HOST
    assert best_key([*keys, exact], HOST, repository) == exact


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_odd_keys(key: str, host: str, repository: str) -> None:
    """Any text is read without an error, and whatever is found is one of the keys."""
    assert best_key([key], host, repository) in {key, None}


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_servers(host: str) -> None:
    """Helpers know Docker Hub as one address, and every other registry by its host."""
    assert server_of(host) == "https://index.docker.io/v1/"
    assert server_of(HOST) == HOST
