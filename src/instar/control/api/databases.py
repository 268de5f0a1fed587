"""The logical databases of an instance; a worker asks the guest."""

from typing import Any

from instar.control.api import paging
from instar.control.api.call import Call
from instar.control.operations import inquiry
from instar.wire import rest


def ask(
    call: Call, hook: str, params: dict[str, Any] | None = None, secrets: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Have the guest of the path's instance asked."""
    return inquiry.ask(call.desk, call.caller, call.path["instance_id"], hook, params or {}, secrets)


def index(call: Call) -> rest.DatabasesAnswer:
    """List the databases."""
    found = sorted(database["name"] for database in ask(call, "list_databases")["databases"])
    path = f"instances/{call.path['instance_id']}/databases"
    names, links = paging.cut(call, path, paging.behind(call, found, str), str)
    return paging.linked(rest.DatabasesAnswer(databases=[rest.Database(name=name) for name in names]), links)


def create(call: Call, body: rest.CreateDatabasesRequest) -> None:
    """Make databases."""
    ask(call, "create_databases", {"databases": [database.model_dump() for database in body.databases]})


def delete(call: Call) -> None:
    """Drop a database."""
    ask(call, "delete_database", {"name": call.path["database"]})
