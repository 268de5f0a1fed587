"""Instances of all projects, as operators see them."""

from instar.control.api import instances, paging
from instar.control.api.call import Call
from instar.control.api.views import instances as views
from instar.control.store import instances as store
from instar.wire import rest
from instar.wire.errors import NotFound


class Page(paging.Page):
    """Query of the list: the owning project, and deleted instances instead of living ones."""

    project_id: str | None = None
    deleted: str = "false"


def index(call: Call) -> rest.InstancesAnswer:
    """List the instances of all projects, or of one."""
    deleted = call.query.deleted.lower() == "true"
    query = {"deleted": "true"} if deleted else {}
    query |= {"project_id": call.query.project_id} if call.query.project_id else {}
    with call.desk.store.read() as session:
        after = instances.last_seen(session, call, call.query.project_id)
        rows = store.page(session, call.query.project_id, call.query.size + 1, after, deleted=deleted)
        shown, links = paging.cut(call, "mgmt/instances", rows, lambda row: row.id, **query)
        busy = store.open_operations(session, [row.id for row in shown])
        answer = rest.InstancesAnswer(
            instances=[views.managed(call.viewer, row, busy.get(row.id)) for row in shown]
        )
    return paging.linked(answer, links)


def show(call: Call) -> rest.InstanceAnswer:
    """Show an instance of any project."""
    wanted = call.path["instance_id"]
    with call.desk.store.read() as session:
        row = store.find(session, wanted, None)
        if row is None:
            raise NotFound(f"Instance '{wanted}' cannot be found")
        busy = store.open_operations(session, [wanted])
        return rest.InstanceAnswer(instance=views.managed(call.viewer, row, busy.get(wanted)))
