"""botocore's model of ECR Public: which requests are valid, and which errors an operation may answer."""

from __future__ import annotations

import base64
import re
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

NAME = "ecr-public"


class InvalidRequest(Exception):
    """A request does not fit the model; the message says which parameter, and how."""


@cache
def service(name: str = NAME) -> Any:
    """The model of a service, as the installed botocore has it."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def operations() -> tuple[str, ...]:
    """All operations of the service."""
    return tuple(service().operation_names)


def errors_of(operation: str) -> frozenset[str]:
    """The errors that an operation may answer."""
    return frozenset(shape.name for shape in service().operation_model(operation).error_shapes)


def error_document(operation: str, code: str, message: str, members: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an error that the model has for an operation.

    Args:
        operation: e.g. ``CreateRepository``.
        code: e.g. ``RepositoryAlreadyExistsException``.
        message: in words.
        members: further members of this error.

    Raises:
        ValueError: the model has no such error for this operation, or no such member in it.
    """
    for shape in service().operation_model(operation).error_shapes:
        if shape.name == code:
            document = {**members, "message": message}
            if unknown := set(document) - set(shape.members):
                raise ValueError(f"{code} has no {', '.join(sorted(unknown))}")
            return {"__type": code, **document}
    raise ValueError(f"{operation} does not answer {code}")


def validate(operation: str, parameters: Any) -> None:
    """Check a request: members, types, lengths, patterns.

    Raises:
        InvalidRequest: it does not fit.
    """
    shape = service().operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise InvalidRequest(report.generate_report())
    check(parameters, shape)


def check_answer(operation: str, document: Any) -> None:
    """Check members and types of an answer: a botocore that changes its model is to fail here.

    Lengths are not looked at: the model has one shape for lists of requests, which hold something, and of answers.

    Raises:
        InvalidRequest: it does not fit.
    """
    shape = service().operation_model(operation).output_shape
    lines = ParamValidator().validate(document, shape).generate_report().splitlines()
    if faults := [line for line in lines if not line.startswith("Invalid length")]:
        raise InvalidRequest("\n".join(faults))


def check(value: Any, shape: Any, name: str = "") -> None:
    """Check lengths, bounds and patterns of a value whose type fits its shape.

    Raises:
        InvalidRequest: one does not fit; the message begins with its ``name``.
    """
    if shape.type_name == "structure":
        for key, member in value.items():
            check(member, shape.members[key], key)
    elif shape.type_name == "list":
        _check_bounds(len(value), shape, name)
        for member in value:
            check(member, shape.member, name)
    elif shape.type_name == "string":
        _check_text(value, shape, name)
    elif shape.type_name == "blob":
        try:
            _check_bounds(len(base64.b64decode(value, validate=True)), shape, name)
        except ValueError as error:
            raise InvalidRequest(f"Invalid parameter at '{name}': {error}") from None
    elif shape.type_name in {"integer", "long"}:
        _check_bounds(value, shape, name, of="value")


def _check_text(value: str, shape: Any, name: str) -> None:
    _check_bounds(len(value), shape, name)
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise InvalidRequest(
            f"Invalid parameter at '{name}' failed to satisfy constraint: 'must satisfy regular expression '{pattern}''"
        )
    if shape.enum and value not in shape.enum:
        raise InvalidRequest(
            f"Invalid parameter at '{name}' failed to satisfy constraint: "
            f"'Member must satisfy enum value set: [{', '.join(shape.enum)}]'"
        )


def _check_bounds(number: int, shape: Any, name: str, of: str = "length") -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        raise InvalidRequest(
            f"Invalid parameter at '{name}' failed to satisfy constraint: "
            f"'Member must have {of} greater than or equal to {least}'"
        )
    if most is not None and number > most:
        raise InvalidRequest(
            f"Invalid parameter at '{name}' failed to satisfy constraint: "
            f"'Member must have {of} less than or equal to {most}'"
        )
