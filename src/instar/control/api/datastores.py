"""Datastores and their versions, as users see them."""

from instar.control.api.call import Call
from instar.control.api.views import datastores as views
from instar.control.catalog import versions
from instar.control.store import datastores
from instar.control.store.tables import DatastoreVersion
from instar.wire import rest
from instar.wire.errors import NotFound


def index(call: Call) -> rest.DatastoresAnswer:
    """List the datastores with their versions."""
    with call.desk.store.read() as session:
        records = datastores.all_datastores(session)
        return rest.DatastoresAnswer(datastores=[views.datastore(call.viewer, record) for record in records])


def show(call: Call) -> rest.DatastoreAnswer:
    """Show a datastore, by id or name."""
    with call.desk.store.read() as session:
        record = versions.find_datastore(session, call.path["datastore"])
        return rest.DatastoreAnswer(datastore=views.datastore(call.viewer, record))


def delete(call: Call) -> None:
    """Forget a datastore that has no versions."""
    with call.desk.store.begin() as session:
        versions.delete_datastore(session, call.path["datastore"])


def version_index(call: Call) -> rest.VersionsAnswer:
    """List a datastore's versions."""
    with call.desk.store.read() as session:
        records = views.usable(call.viewer, versions.find_datastore(session, call.path["datastore"]))
        return rest.VersionsAnswer(versions=[views.version(call.viewer, record) for record in records])


def version_show(call: Call) -> rest.VersionAnswer:
    """Show a version of a datastore, each by id or name."""
    with call.desk.store.read() as session:
        return _show(call, versions.find(session, call.path["datastore"], call.path["version"]))


def version_show_by_id(call: Call) -> rest.VersionAnswer:
    """Show a version by its id alone."""
    with call.desk.store.read() as session:
        return _show(call, versions.by_id(session, call.path["version_id"]))


def _show(call: Call, record: DatastoreVersion) -> rest.VersionAnswer:
    if not record.active and not call.viewer.is_admin:
        raise NotFound(f"Datastore version '{record.id}' cannot be found")
    return rest.VersionAnswer(version=views.version(call.viewer, record))
