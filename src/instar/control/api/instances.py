"""Instances: list, show, create, change, delete; `actions` has the rest."""

from sqlalchemy.orm import Session

from instar.control.api import paging
from instar.control.api.call import Call
from instar.control.api.views import datastores as version_views
from instar.control.api.views import instances as views
from instar.control.catalog import paths
from instar.control.operations import access, attachment, rename, undo_window, upgrade
from instar.control.operations import create as creation
from instar.control.operations import delete as deletion
from instar.control.store import instances as store
from instar.control.store.tables import Instance
from instar.wire import rest
from instar.wire.errors import BadRequest, NotFound, NotSupported
from instar.wire.ids import is_id

_NOT_BUILT = (
    "restorePoint",
    "replica_of",
    "slave_of",
    "replica_count",
    "modules",
    "locality",
)
_CHANGES = ("access", "configuration", "datastore_version", "undo_window")


def index(call: Call) -> rest.InstancesAnswer:
    """List the project's instances, newest first."""
    return _list(call, "instances", detailed=False)


def detail(call: Call) -> rest.InstancesAnswer:
    """List the project's instances with their details."""
    return _list(call, "instances/detail", detailed=True)


def show(call: Call) -> rest.InstanceAnswer:
    """Show an instance."""
    with call.desk.store.read() as session:
        return _show(session, call, call.path["instance_id"])


def create(call: Call, body: rest.CreateInstanceRequest) -> rest.InstanceAnswer:
    """Create an instance.

    `availability_zone`, `region_name`, `volume.type` and the networks in `nics` are accepted and choose
    nothing: there is one of each. What asks for something that would not be done is refused.
    """
    _refuse_unbuilt(body.instance)
    submitted = creation.request(call.desk, call.caller, body.instance)
    call.accepted(submitted)
    with call.desk.store.read() as session:
        return _show(session, call, submitted.instance_id)


def update(call: Call, body: rest.UpdateInstanceRequest) -> None:
    """Rename an instance, or change one more thing: its version (an upgrade), configuration, access, undo
    window.
    """
    change = body.instance
    _check_change(change)
    if change.datastore_version is not None:
        instance_id, wanted = call.path["instance_id"], change.datastore_version
        call.accepted(upgrade.request(call.desk, call.caller, instance_id, wanted, change.upgrade_options()))
    if "undo_window" in change.model_fields_set:
        undo_window.request(call.desk, call.caller, call.path["instance_id"], change.undo_window)
    if change.access is not None:
        _limit_access(call, change.access)
    if "configuration" in change.model_fields_set or not change.model_fields_set:
        _configure(call, change.configuration)
    if change.name is not None:
        rename.request(call.desk, call.caller, call.path["instance_id"], change.name)


def _limit_access(call: Call, wanted: rest.Access) -> None:
    if submitted := access.request(call.desk, call.caller, call.path["instance_id"], wanted):
        call.accepted(submitted)


def _configure(call: Call, configuration_id: str | None) -> None:
    """Attach a configuration group, or detach the one that is attached."""
    desk, caller, instance_id = call.desk, call.caller, call.path["instance_id"]
    submitted = (
        attachment.detach(desk, caller, instance_id)
        if configuration_id is None
        else attachment.attach(desk, caller, instance_id, configuration_id)
    )
    if submitted:
        call.accepted(submitted)


def delete(call: Call) -> None:
    """Delete an instance with its data."""
    call.accepted(deletion.request(call.desk, call.caller, call.path["instance_id"]))


def versions(call: Call) -> rest.VersionsAnswer:
    """List the datastore versions that the instance can be upgraded to."""
    with call.desk.store.read() as session:
        current = find(session, call, call.path["instance_id"]).version
        ways = paths.reachable(current, current.datastore.versions)
        return rest.VersionsAnswer(versions=[version_views.version(call.viewer, version) for version in ways])


def find(session: Session, call: Call, instance_id: str) -> Instance:
    """Find an instance within the caller's reach. Raises NotFound."""
    row = store.find(session, instance_id, call.caller.reach)
    if row is None:
        raise NotFound(f"Instance '{instance_id}' cannot be found")
    return row


def last_seen(session: Session, call: Call, project: str | None) -> Instance | None:
    """Find the instance that the marker names. Raises BadRequest."""
    if call.query.marker is None:
        return None
    row = store.marker(session, call.query.marker, project) if is_id(call.query.marker) else None
    if row is None:
        raise paging.bad_marker(call.query.marker)
    return row


def _list(call: Call, path: str, *, detailed: bool) -> rest.InstancesAnswer:
    view = views.detail if detailed else views.summary
    project = call.caller.project
    with call.desk.store.read() as session:
        after = last_seen(session, call, project)
        rows = store.page(session, project, call.query.size + 1, after)
        shown, links = paging.cut(call, path, rows, lambda row: row.id)
        busy = store.open_operations(session, [row.id for row in shown])
        answer = rest.InstancesAnswer(instances=[view(call.viewer, row, busy.get(row.id)) for row in shown])
    return paging.linked(answer, links)


def _show(session: Session, call: Call, instance_id: str) -> rest.InstanceAnswer:
    row = find(session, call, instance_id)
    busy = store.open_operations(session, [row.id])
    return rest.InstanceAnswer(instance=views.detail(call.viewer, row, busy.get(row.id), used=True))


def _refuse_unbuilt(wanted: rest.CreateInstance) -> None:
    for field in _NOT_BUILT:
        if getattr(wanted, field):
            raise NotSupported(f"instance.{field}: is not supported")
    if any(nic.ip_address for nic in wanted.nics):
        raise BadRequest("instance.nics.0.ip_address: an address can't be chosen", remedy="Leave it out")


def _check_change(change: rest.UpdateInstance) -> None:
    """One attribute beside the name; an empty change means to detach the configuration."""
    options = {name for name in change.model_fields_set if name.startswith("upgrade_")}
    sent = sorted(change.model_fields_set - {"name"} - options)
    if len(sent) > 1:
        raise BadRequest("Only one attribute (except 'name') is allowed to update", seen=", ".join(sent))
    for field in ("name", "datastore_version", "access"):
        if field in change.model_fields_set and getattr(change, field) is None:
            raise BadRequest(f"Validation error: instance.{field}: must not be null")
    if options and not change.datastore_version:
        named = ", ".join(f"instance.{option}" for option in sorted(options))
        raise BadRequest(f"Validation error: {named}: goes with datastore_version only")
    if sent and sent[0] not in _CHANGES:
        raise NotSupported(f"instance.{sent[0]}: is not supported")
