"""Configuration groups: list, show, create, change, delete; attaching one is a change of the instance."""

from sqlalchemy.orm import Session

from instar.control.api import paging
from instar.control.api.call import Call
from instar.control.api.views import configurations as views
from instar.control.operations import groups
from instar.control.store import configurations as store
from instar.control.store.tables import Configuration
from instar.wire import rest
from instar.wire.ids import is_id


def index(call: Call) -> rest.ConfigurationsAnswer:
    """List the project's configuration groups, newest first."""
    with call.desk.store.read() as session:
        after = _last_seen(session, call)
        rows = store.page(session, call.caller.project, call.query.size + 1, after)
        shown, links = paging.cut(call, "configurations", rows, lambda row: row.id)
        answer = rest.ConfigurationsAnswer(configurations=[views.summary(row) for row in shown])
    return paging.linked(answer, links)


def show(call: Call) -> rest.ConfigurationAnswer:
    """Show a configuration group with its values."""
    with call.desk.store.read() as session:
        return _show(session, call, call.path["configuration_id"])


def create(call: Call, body: rest.CreateConfigurationRequest) -> rest.ConfigurationAnswer:
    """Create a configuration group for a datastore version; its values are checked against the catalogue."""
    configuration_id = groups.create(call.desk, call.caller, body.configuration)
    with call.desk.store.read() as session:
        return _show(session, call, configuration_id)


def replace(call: Call, body: rest.UpdateConfigurationRequest) -> None:
    """Replace a group's values; the instances that it is attached to follow, each in its own operation."""
    submitted = groups.replace(call.desk, call.caller, call.path["configuration_id"], body.configuration)
    if len(submitted) == 1:
        call.accepted(submitted[0])


def edit(call: Call, body: rest.UpdateConfigurationRequest) -> None:
    """Merge values into a group's, null taking one out; answers when all its instances have followed."""
    groups.edit(call.desk, call.caller, call.path["configuration_id"], body.configuration)


def delete(call: Call) -> None:
    """Delete a configuration group that is attached to no instance."""
    groups.delete(call.desk, call.caller, call.path["configuration_id"])


def instances(call: Call) -> rest.AttachedInstancesAnswer:
    """List the instances that a group is attached to."""
    with call.desk.store.read() as session:
        group = groups.find(session, call.caller, call.path["configuration_id"])
        rows = paging.behind(call, store.attached(session, group.id), lambda row: row.id)
        path = f"configurations/{group.id}/instances"
        shown, links = paging.cut(call, path, rows, lambda row: row.id)
        answer = rest.AttachedInstancesAnswer(instances=[views.attached(row, group) for row in shown])
    return paging.linked(answer, links)


def _show(session: Session, call: Call, configuration_id: str) -> rest.ConfigurationAnswer:
    group = groups.find(session, call.caller, configuration_id)
    return rest.ConfigurationAnswer(
        configuration=views.detail(group, store.count_attached(session, group.id))
    )


def _last_seen(session: Session, call: Call) -> Configuration | None:
    marker = call.query.marker
    if marker is None:
        return None
    row = store.find(session, marker, call.caller.project) if is_id(marker) else None
    if row is None:
        raise paging.bad_marker(marker)
    return row
