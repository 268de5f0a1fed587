"""The reference of the REST API, made from the table of routes and the description that the service gives."""

from collections.abc import Iterator, Mapping
from typing import Any

import rst

import instar
from instar.control.api.openapi import describe
from instar.control.api.routes import ROUTES
from instar.control.api.routing import Access, Route
from instar.wire.errors import KINDS

_HEAD = """\
This page is made from what ``GET /openapi.json`` of a running service answers. The API is Trove's v1.0 with
resources of its own beside it; :doc:`/compatibility` lists what of Trove is there.

Every path but the public ones lies below ``/v1.0/{project}``. Send the token as ``X-Auth-Token`` and bodies
as ``application/json``, one MiB at most. Requests refuse unknown keys and wrong types with 400, naming the
field. An accepted change answers 202 with an empty body and names its operation in the header
``X-Instar-Operation``. Each answer carries ``X-Openstack-Request-Id``.

Lists take ``limit`` (20 when absent or 0, 1000 at most) and ``marker``; as long as there is another page,
the answer holds ``links`` with one whose ``rel`` is ``next``. Fields that have no value are absent.
"""
_ERRORS = """\
An error's body has one key, the fault's name, and under it ``code``, ``message``, ``details`` (a line for
each finding of a check) and ``error``, the same as data: ``code``, ``brief``, ``seen``, ``remedy``,
``retryable`` and ``findings``.
"""


def make() -> str:
    """Make the page's text."""
    document = describe(ROUTES, instar.__version__)
    parts = [rst.heading("REST API"), _HEAD, rst.heading("Routes", "-"), *_routes(document)]
    parts += [rst.heading("Errors", "-"), _ERRORS, _errors(), rst.heading("Shapes", "-")]
    return "\n".join([*parts, *_shapes(document["components"]["schemas"])])


def _routes(document: Mapping[str, Any]) -> Iterator[str]:
    for route in ROUTES:
        described = document["paths"][route.template][route.method.lower()]
        yield rst.heading(f"{route.method} {route.template}", "~")
        yield rst.prose(described["summary"]) + "\n"
        yield "".join(f":{name}: {value}\n" for name, value in _facts(route))


def _facts(route: Route) -> Iterator[tuple[str, str]]:
    yield (
        "Who may",
        {Access.PUBLIC: "everybody, without a token", Access.ADMIN: "administrators"}.get(
            route.access, f"policy ``{route.policy}``" if route.policy else "the policy of the action"
        ),
    )
    if route.query:
        yield "Query", ", ".join(map(rst.literal, route.query.model_json_schema()["properties"]))
    if route.request:
        yield "Body", _reference(route.request.__name__)
    yield "Answer", f"{route.status}" + (f", {_reference(route.answer.__name__)}" if route.answer else "")
    if route.later:
        yield "Answer, later", f"202, {_reference(route.later.__name__)}"
    if route.media != "application/json":
        yield "Media type", rst.literal(route.media)


def _errors() -> str:
    rows = [
        (str(kind.status), rst.literal(kind.fault), rst.literal(code), rst.prose(kind.__doc__ or ""))
        for code, kind in sorted(KINDS.items(), key=lambda item: item[1].status)
    ]
    return rst.table(("Status", "Fault", "Code", "When"), rows)


def _shapes(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        yield f".. _shape-{name.lower()}:\n"
        yield rst.heading(name, "~")
        if "description" in schema:
            yield rst.prose(schema["description"]) + "\n"
        if "enum" in schema:
            yield "One of " + ", ".join(map(rst.literal, schema["enum"])) + ".\n"
        if "properties" in schema:
            required = schema.get("required", [])
            yield rst.table(
                ("Field", "Type", "Remarks"),
                [
                    (rst.literal(field), _type(kind), _remarks(kind, field in required))
                    for field, kind in schema["properties"].items()
                ],
            )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _reference(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(rst.literal(str(value)) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
    return str(schema.get("type", "anything"))


def _remarks(schema: Mapping[str, Any], required: bool) -> str:
    told = [rst.prose(schema["description"])] if "description" in schema else []
    return "; ".join([*(["required"] if required else []), *told])


def _reference(name: str) -> str:
    return f":ref:`{name} <shape-{name.lower()}>`"
