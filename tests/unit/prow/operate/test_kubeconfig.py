from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from runner.errors import ClusterUnusable
from runner.prow.operate import kubeconfig
from runner.prow.operate.kubeconfig import reach, reach_context

if TYPE_CHECKING:
    from pathlib import Path


def written(file: Path, *contexts: str, current: str | None = None, namespace: str | None = None) -> Path:
    """A kubeconfig with these contexts, of clusters of the same names."""
    file.parent.mkdir(parents=True, exist_ok=True)
    of_context = {} if namespace is None else {"namespace": namespace}
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}} for name in contexts],
        "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in contexts],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **of_context}} for name in contexts],
    }
    if current is not None:
        document["current-context"] = current
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def host(reached: kubeconfig.Reached) -> str:
    return str(reached.api.configuration.host)


def test_the_file_that_is_named(tmp_path: Path) -> None:
    """The option wins over the variable, and that over the user's own file."""
    named = written(tmp_path / "named", "a", current="a")
    listed = written(tmp_path / "listed", "b", current="b")
    written(tmp_path / ".kube" / "config", "c", current="c", namespace="releases")
    environment = {"HOME": str(tmp_path), "KUBECONFIG": str(listed)}
    assert host(reach(environment, kubeconfig=str(named))) == "https://a.example"
    assert host(reach(environment)) == "https://b.example"
    own = reach({"HOME": str(tmp_path)})
    assert (host(own), own.name, own.namespace) == ("https://c.example", "c", "releases")


def test_a_list_of_files(tmp_path: Path) -> None:
    """As in kubectl the contexts of all files of the list are there, and the first current context counts."""
    first, second = written(tmp_path / "1", "a"), written(tmp_path / "2", "b", current="b")
    third = written(tmp_path / "3", "a", "c", current="c")
    files = ":".join(map(str, (tmp_path / "missing", first, second, third)))
    reached = reach({"KUBECONFIG": files})
    assert (reached.name, reached.contexts) == ("b", frozenset("abc"))
    assert host(reach({"KUBECONFIG": files}, context="c")) == "https://c.example"
    assert host(reach_context(reached.files, "a")) == "https://a.example"


@pytest.mark.parametrize(
    ("text", "context", "says"),
    [
        (None, None, "there is no kubeconfig"),
        ("", None, "names no current context"),
        ("{", None, "cannot be used"),
        ("[1]", None, "cannot be used"),
        ("apiVersion: v1\n", None, "names no current context"),
        ("contexts: [{}]\n", None, "cannot be used"),
    ],
)
def test_no_kubeconfig(tmp_path: Path, text: str | None, context: str | None, says: str) -> None:
    """A file that is not there, or is no kubeconfig, is told by its name."""
    if text is not None:
        (tmp_path / "config").write_text(text, encoding="utf-8")
    with pytest.raises(ClusterUnusable, match=says) as refused:
        reach({}, kubeconfig=str(tmp_path / "config"), context=context)
    assert str(tmp_path / "config") in refused.value.cause


def test_no_context(tmp_path: Path) -> None:
    """A context that is not there is told with those that are."""
    file = written(tmp_path / "config", "a", "b")
    with pytest.raises(ClusterUnusable, match="names no current context"):
        reach({"KUBECONFIG": str(file)})
    assert reach({"KUBECONFIG": str(file)}, context="b").name == "b"
    with pytest.raises(ClusterUnusable, match="has no context z") as refused:
        reach({"KUBECONFIG": str(file)}, context="z")
    assert refused.value.detail == ("context a", "context b")


def test_inside_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod without a kubeconfig asks its own cluster, and a kubeconfig wins over that."""
    asked: list[Any] = []
    (tmp_path / "namespace").write_text("releases\n", encoding="utf-8")
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT_NAMESPACE", tmp_path / "namespace")

    def load(*, client_configuration: object) -> None:
        asked.append(client_configuration)

    monkeypatch.setattr("kubernetes.config.load_incluster_config", load)
    environment = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    reached = reach(environment)
    assert (reached.name, reached.namespace, reached.contexts) == ("this cluster", "releases", frozenset())
    assert len(asked) == 1
    with pytest.raises(ClusterUnusable):
        reach(environment, context="a")
    written(tmp_path / ".kube" / "config", "c", current="c")
    assert reach(environment).name == "c"


def test_a_service_account_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod whose token is not mounted is told so."""
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT_NAMESPACE", tmp_path / "namespace")
    with pytest.raises(ClusterUnusable, match="service account cannot be used"):
        reach({"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
