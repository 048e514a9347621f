"""What Kubernetes' API takes in a pod, as ``jobs.yaml`` may hold it: amounts, names, labels, tolerations.

The rules are those of Kubernetes (apimachinery's pkg/util/validation, pkg/apis/core/validation) and, for labels and
annotations, of Prow, which uses the same (pkg/config/config.go).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from runner.config.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_FIELD: Final = "{service}"
"""What stands for a service's name in the values of labels and annotations."""

_DURATION = re.compile(r"(?=[1-9])(?:(?P<h>[0-9]{1,4})h)?(?:(?P<m>[0-9]{1,4})m)?(?:(?P<s>[0-9]{1,5})s)?")
_QUANTITY = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,3})?)(?P<unit>m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_UNITS: Final = {
    unit: Decimal(base) ** power
    for base, step, units in ((10, 3, "kMGT"), (2, 10, ("Ki", "Mi", "Gi", "Ti")))
    for unit, power in zip(units, range(step, 5 * step, step), strict=True)
} | {"m": Decimal("0.001")}
_PART = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = rf"(?=[a-z0-9.-]{{1,253}}(?:/|$)){_PART}(?:\.{_PART})*"
_OBJECT = re.compile(_SUBDOMAIN)
_WORD = r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?"
_LABEL = re.compile(rf"(?:{_WORD})?")
_KEY = re.compile(rf"(?:{_SUBDOMAIN}/)?{_WORD}")
_UNKNOWN_FIELD = re.compile(r"(?<![{$])\{(?!service\})[a-zA-Z_]+\}(?!\})")
_RESERVED_LABELS = ("created-by-prow", "prow.k8s.io/type", "prow.k8s.io/id")
"""Labels that Prow sets itself and refuses in a job (pkg/config/config.go, validateLabels)."""

LABEL_LENGTH: Final = 63
ANNOTATIONS_LENGTH: Final = 256 * 1024
"""Of all keys and values of one object together, in bytes."""


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as ``1h30m``."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a duration such as 1h30m, 15m or 90s")
    return sum(int(match[unit] or 0) * factor for unit, factor in (("h", 3600), ("m", 60), ("s", 1)))


def amount(quantity: str) -> Decimal:
    """Return the number that a Kubernetes quantity such as ``500m`` or ``2Gi`` stands for."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 2, 500m or 4Gi")
    return Decimal(match["number"]) * _UNITS.get(match["unit"], 1)


def filled(values: Mapping[str, str], name: str) -> dict[str, str]:
    """Return labels or annotations with ``{service}`` replaced in every value."""
    return {key: value.replace(SERVICE_FIELD, name) for key, value in values.items()}


def label_problem(key: str, value: str) -> str | None:
    """Say why Kubernetes refuses this label, or nothing where it takes it."""
    if _KEY.fullmatch(key) and _LABEL.fullmatch(value):
        return None
    if len(value) > LABEL_LENGTH:
        return f"{key!r}: {value!r} is not a label: longer than {LABEL_LENGTH} characters"
    return f"{key!r}: {value!r} is not a label"


def annotations_problem(annotations: Mapping[str, str]) -> str | None:
    """Say why Kubernetes refuses these annotations together, or nothing where it takes them."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    return None if size <= ANNOTATIONS_LENGTH else f"larger than {ANNOTATIONS_LENGTH} bytes, keys and values together"


def object_name(text: str) -> str:
    """Return the name of a Kubernetes object.

    Raises:
        ValueError: no object can have it.
    """
    if not _OBJECT.fullmatch(text):
        raise ValueError(f"{text!r} is not a Kubernetes object's name (lower-case letters, digits, - and .)")
    return text


def secret_key(text: str) -> str:
    """Return the key of a Secret.

    Raises:
        ValueError: no Secret can have it.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text) or text == "." or text.startswith(".."):
        raise ValueError(f"{text!r} is not a key of a Secret")
    return text


def _duration(text: str) -> str:
    seconds(text)
    return text


def _quantity(text: str) -> str:
    amount(text)
    return text


def _written_as_text(value: object) -> object:
    return str(value) if type(value) is int and value >= 0 else value


def _no_unknown_field(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        if unknown := _UNKNOWN_FIELD.search(value):
            raise ValueError(f"{key!r}: {unknown[0]} stands for nothing; only {SERVICE_FIELD} can be used")


def _labels(labels: dict[str, str]) -> dict[str, str]:
    _no_unknown_field(labels)
    for key, value in labels.items():
        if label_problem(key, value.replace(SERVICE_FIELD, "s")):
            raise ValueError(f"{key!r}: {value!r} is not a label")
        if key in _RESERVED_LABELS:
            raise ValueError(f"the label {key!r} is set by Prow itself")
    return labels


def _annotations(annotations: dict[str, str]) -> dict[str, str]:
    _no_unknown_field(annotations)
    for key in annotations:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not an annotation's key")
    return annotations


def _node_labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if problem := label_problem(key, value):
            raise ValueError(problem)
    return labels


def _label_key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text!r} is not a taint's key")
    return text


def _label_value(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is not a taint's value")
    return text


Duration = Annotated[str, AfterValidator(_duration), Field(json_schema_extra={"pattern": r"^([0-9]+[hms])+$"})]
Quantity = Annotated[
    str,
    BeforeValidator(_written_as_text),
    AfterValidator(_quantity),
    Field(json_schema_extra={"type": ["string", "integer"]}),
]
ObjectName = Annotated[str, AfterValidator(object_name)]
SecretKey = Annotated[str, AfterValidator(secret_key)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
Annotations = Annotated[dict[str, str], AfterValidator(_annotations)]
NodeLabels = Annotated[dict[str, str], AfterValidator(_node_labels)]


class AmountsSection(Section):
    """Amounts in Kubernetes' notation."""

    cpu: Quantity | None = Field(None, description="Processors.", examples=[2, "500m"])
    memory: Quantity | None = Field(None, description="Memory.", examples=["5Gi"])
    ephemeral_storage: Quantity | None = Field(None, description="Disk for /tmp and the artifacts.", examples=["10Gi"])

    def given(self) -> dict[str, str]:
        """The amounts that are given, by Kubernetes' name of the resource."""
        said = {"cpu": self.cpu, "memory": self.memory, "ephemeral-storage": self.ephemeral_storage}
        return {name: quantity for name, quantity in said.items() if quantity is not None}


class ResourcesSection(Section):
    """What a container asks for, and may have at most."""

    requests: AmountsSection | None = Field(None, description="What the node must have free.")
    limits: AmountsSection | None = Field(None, description="What the container may use at most.")

    @model_validator(mode="after")
    def _no_request_above_its_limit(self) -> ResourcesSection:
        wanted = self.requests.given() if self.requests else {}
        for name, most in (self.limits.given() if self.limits else {}).items():
            if name in wanted and amount(wanted[name]) > amount(most):
                raise ValueError(f"the request for {name}, {wanted[name]}, exceeds the limit {most}")
        return self


class TolerationSection(Section):
    """A taint of nodes that the pod may run on nevertheless, as in a pod's tolerations."""

    key: Annotated[str, AfterValidator(_label_key)] | None = Field(
        None, description="The taint's key; if unset: every taint, with operator Exists.", examples=["dedicated"]
    )
    operator: Literal["Equal", "Exists"] = Field(
        "Equal", description="Whether the taint's value must be this one, or may be any."
    )
    value: Annotated[str, AfterValidator(_label_value)] | None = Field(
        None, description="The taint's value, with operator Equal.", examples=["releases"]
    )
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect; if unset: all three."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        None, description="How long the pod stays on a node that gets the taint; only with effect NoExecute."
    )

    @model_validator(mode="after")
    def _as_kubernetes_takes_it(self) -> TolerationSection:
        if self.key is None and self.operator != "Exists":
            raise ValueError("without a key, operator must be Exists")
        if self.operator == "Exists" and self.value:
            raise ValueError("with operator Exists there is no value")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("toleration_seconds needs effect: NoExecute")
        return self
