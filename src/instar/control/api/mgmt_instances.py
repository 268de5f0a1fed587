"""Instances of all projects, as operators see them."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from instar.control.api import instances, paging
from instar.control.api.call import Call
from instar.control.api.views import instances as views
from instar.control.api.views.viewer import timestamp
from instar.control.store import instances as store
from instar.control.store.tables import Instance
from instar.wire import rest
from instar.wire.errors import NotFound


class Living(BaseModel):
    """Query of one instance: whether it is a deleted one instead of a living one."""

    deleted: str = "false"


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
    """Show an instance of any project; with `deleted`, one that is gone."""
    wanted = call.path["instance_id"]
    with call.desk.store.read() as session:
        row = find(session, wanted, deleted=call.query.deleted.lower() == "true")
        busy = store.open_operations(session, [wanted])
        return rest.InstanceAnswer(instance=views.managed(call.viewer, row, busy.get(wanted)))


def root_history(call: Call) -> rest.RootHistoryAnswer:
    """Tell when the superuser was last let in over the network, and by whom."""
    with call.desk.store.read() as session:
        row = find(session, call.path["instance_id"])
        told = rest.RootHistory(
            id=row.id, enabled=timestamp(row.root_enabled) or "Never", user=row.root_enabled_by or "Nobody"
        )
        return rest.RootHistoryAnswer(root_history=told)


def find(session: Session, instance_id: str, *, deleted: bool = False) -> Instance:
    """Find an instance of any project. Raises NotFound."""
    row = store.find(session, instance_id, None, deleted=deleted)
    if row is None:
        raise NotFound(f"Instance '{instance_id}' cannot be found")
    return row
