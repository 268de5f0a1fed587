"""Which calls of Trove's v1.0 API there are, told by the table of routes."""

import re
from collections.abc import Iterable, Iterator, Mapping

import rst

from instar.control.api.actions import ACTIONS, Action
from instar.control.api.instances import _CHANGES, _NOT_BUILT
from instar.control.api.mgmt_actions import ACTIONS as MGMT_ACTIONS
from instar.control.api.routes import ROUTES
from instar.control.api.routing import Route
from instar.control.api.unbuilt import UNBUILT

TROVE = {
    "Versions, limits, health": ("GET /", "GET /v1.0", "GET /healthcheck", "GET /limits"),
    "Instances": (
        "GET /instances", "GET /instances/detail", "POST /instances", "GET /instances/{id}",
        "PUT /instances/{id}", "PATCH /instances/{id}", "DELETE /instances/{id}",
        "POST /instances/{id}/action", "GET /instances/{id}/configuration", "GET /instances/{id}/backups",
    ),
    "Databases, users, root": (
        "GET /instances/{id}/databases", "POST /instances/{id}/databases",
        "DELETE /instances/{id}/databases/{name}", "GET /instances/{id}/users", "POST /instances/{id}/users",
        "PUT /instances/{id}/users", "GET /instances/{id}/users/{user}", "PUT /instances/{id}/users/{user}",
        "DELETE /instances/{id}/users/{user}", "GET /instances/{id}/users/{user}/databases",
        "PUT /instances/{id}/users/{user}/databases", "DELETE /instances/{id}/users/{user}/databases/{name}",
        "GET /instances/{id}/root", "POST /instances/{id}/root", "DELETE /instances/{id}/root",
    ),
    "Datastores, versions, flavors": (
        "GET /datastores", "GET /datastores/{ds}", "DELETE /datastores/{ds}", "GET /datastores/{ds}/versions",
        "GET /datastores/{ds}/versions/{v}", "GET /datastores/versions/{v}",
        "GET /datastores/{ds}/versions/{v}/flavors", "GET /datastores/{ds}/versions/{v}/volume-types",
        "GET /flavors", "GET /flavors/{id}",
    ),
    "Management": (
        "GET /mgmt/datastore-versions", "POST /mgmt/datastore-versions", "GET /mgmt/datastore-versions/{v}",
        "PATCH /mgmt/datastore-versions/{v}", "DELETE /mgmt/datastore-versions/{v}", "GET /mgmt/instances",
        "GET /mgmt/instances/{id}", "GET /mgmt/instances/{id}/root", "POST /mgmt/instances/{id}/action",
        "GET /mgmt/instances/{id}/diagnostics", "GET /mgmt/instances/{id}/hwinfo",
        "GET /mgmt/instances/{id}/rpc_ping", "GET /mgmt/quotas/{project}", "PUT /mgmt/quotas/{project}",
    ),
    "Configuration groups": (
        "GET /configurations", "POST /configurations", "GET /configurations/{id}", "PUT /configurations/{id}",
        "PATCH /configurations/{id}", "DELETE /configurations/{id}", "GET /configurations/{id}/instances",
        "GET /datastores/{ds}/versions/{v}/parameters", "GET /datastores/{ds}/versions/{v}/parameters/{name}",
    ),
    "Backups, logs, modules, clusters": (
        "GET /backups", "POST /backups", "GET /backups/{id}", "DELETE /backups/{id}",
        "GET /backup_strategies", "POST /backup_strategies", "DELETE /backup_strategies",
        "GET /instances/{id}/log", "POST /instances/{id}/log", "GET /instances/{id}/ssl",
        "POST /instances/{id}/ssl", "GET /modules", "POST /modules", "GET /modules/{id}", "PUT /modules/{id}",
        "DELETE /modules/{id}", "GET /modules/{id}/instances", "PUT /modules/{id}/instances",
        "GET /instances/{id}/modules", "POST /instances/{id}/modules", "DELETE /instances/{id}/modules/{m}",
        "GET /clusters", "POST /clusters", "GET /clusters/{id}", "POST /clusters/{id}",
        "DELETE /clusters/{id}", "GET /clusters/{id}/root", "POST /clusters/{id}/root",
    ),
}  # fmt: skip


def make() -> str:
    """Make the page's second half: tables of calls, then actions and fields."""
    parts = [part for area, calls in TROVE.items() for part in (rst.heading(area, "-"), _table(calls))]
    return "\n".join([*parts, rst.heading("Actions and fields", "-"), *_parts_of_calls()])


def route_of(call: str) -> Route | None:
    """Give the route that answers a call of Trove's."""
    known = {_shape(f"{route.method} {route.path}"): route for route in (*ROUTES, *UNBUILT)}
    return known.get(_shape(call))


def _table(calls: Iterable[str]) -> str:
    rows = [(rst.literal(call), _answer(route_of(call))) for call in calls]
    return rst.table(("Call", "Answer"), rows, "70 30")


def _answer(route: Route | None) -> str:
    if route is None:
        return "404"
    return f"served, {route.status}" if route.status != 501 else "501"


def _parts_of_calls() -> Iterator[str]:
    yield "Actions of ``POST /instances/{id}/action``; others answer 400:\n"
    yield _actions(ACTIONS)
    yield "Actions of ``POST /mgmt/instances/{id}/action``, for administrators; others answer 400:\n"
    yield _actions(MGMT_ACTIONS)
    fields = ", ".join(rst.literal(field) for field in _NOT_BUILT)
    yield f"``POST /instances`` answers 501 to a request with one of: {fields}.\n"
    changes = ", ".join(rst.literal(field) for field in ("name", *_CHANGES))
    yield f"``PUT`` and ``PATCH`` of an instance take {changes}; 501 to others.\n"


def _actions(known: Mapping[str, Action]) -> str:
    rows = [(rst.literal(verb), "served, 202" if action.run else "501") for verb, action in known.items()]
    return rst.table(("Action", "Answer"), rows, "70 30")


def _shape(call: str) -> str:
    return re.sub(r"{\w+}", "{}", call)
