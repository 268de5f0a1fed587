"""The logical databases of an instance; a worker asks the guest."""

from collections.abc import Callable
from typing import Any

from instar.control.api import paging
from instar.control.api.call import Call
from instar.control.catalog import character_sets
from instar.control.operations import inquiry
from instar.control.store.tables import Instance
from instar.wire import rest


def ask(
    call: Call,
    hook: str,
    params: dict[str, Any] | None = None,
    secrets: dict[str, Any] | None = None,
    check: Callable[[Instance], None] = lambda _: None,
) -> dict[str, Any]:
    """Have the guest of the path's instance asked, unless `check` refuses."""
    return inquiry.ask(call.desk, call.caller, call.path["instance_id"], hook, params or {}, secrets, check)


def index(call: Call) -> rest.DatabasesAnswer:
    """List the databases."""
    found = sorted(database["name"] for database in ask(call, "list_databases")["databases"])
    path = f"instances/{call.path['instance_id']}/databases"
    names, links = paging.cut(call, path, paging.behind(call, found, str), str)
    return paging.linked(rest.DatabasesAnswer(databases=[rest.Database(name=name) for name in names]), links)


def create(call: Call, body: rest.CreateDatabasesRequest) -> None:
    """Make databases."""
    wanted = [database.model_dump() for database in body.databases]
    ask(
        call,
        "create_databases",
        {"databases": wanted},
        check=lambda one: character_sets.check(one.version.manager, body.databases, "databases"),
    )


def delete(call: Call) -> None:
    """Drop a database."""
    ask(call, "delete_database", {"name": call.path["database"]})
