"""The service's own description, OpenAPI 3.1, made of the table of routes and the wire's models."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue, models_json_schema

from instar.control.api.routing import EVENT_STREAM, Access, Route
from instar.wire.events import EventView
from instar.wire.rest import Problem

_REF = "#/components/schemas/{model}"
_Schemas = Mapping[Any, JsonSchemaValue]


def describe(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Make the document."""
    routes = list(routes)
    schemas, definitions = models_json_schema(_models(routes), ref_template=_REF)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Instar", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "responses": {"Problem": _problem(schemas)},
        },
    }


def _models(routes: list[Route]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (Problem, "serialization"): None,
        (EventView, "serialization"): None,
    }
    for route in routes:
        if route.request:
            models[route.request, "validation"] = None
        for answer in (route.answer, route.later):
            if answer:
                models[answer, "serialization"] = None
    return list(models)


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    place = route.handler.__module__.rsplit(".", 1)[-1]
    operation: dict[str, Any] = {
        "operationId": f"{place}.{route.handler.__name__}.{route.method.lower()}",
        "summary": (inspect.getdoc(route.handler) or "").split("\n\n")[0].replace("\n", " "),
        "tags": [place],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            str(route.status): _success(route, schemas),
            "default": {"$ref": "#/components/responses/Problem"},
        },
        "security": [] if route.access is Access.PUBLIC else [{"token": []}],
    }
    if route.later:
        later = {"schema": schemas[route.later, "serialization"]}
        operation["responses"]["202"] = {"description": "Not yet", "content": {route.media: later}}
    if route.request:
        body = {"schema": schemas[route.request, "validation"]}
        operation["requestBody"] = {"content": {"application/json": body}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.template)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    properties = route.query.model_json_schema()["properties"] if route.query else {}
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _success(route: Route, schemas: _Schemas) -> dict[str, Any]:
    if route.answer:
        schema = schemas[route.answer, "serialization"]
        return {"description": "Done", "content": {route.media: {"schema": schema}}}
    if route.media == EVENT_STREAM:
        return {"description": "A stream of events", "content": {route.media: {"schema": _event(schemas)}}}
    return {"description": "Accepted" if route.status == 202 else "Done"}


def _event(schemas: _Schemas) -> dict[str, Any]:
    """One server-sent event: its fields are text, and the text of `data` is JSON."""
    data = {"contentMediaType": "application/json", "contentSchema": schemas[EventView, "serialization"]}
    text = {"type": "string"}
    return {"type": "object", "properties": {"id": text, "event": text, "data": text | data}}


def _problem(schemas: _Schemas) -> dict[str, Any]:
    envelope = {
        "type": "object",
        "description": "One key, the fault's name.",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": schemas[Problem, "serialization"],
    }
    return {"description": "What went wrong", "content": {"application/json": {"schema": envelope}}}
