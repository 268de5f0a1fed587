"""The parameters of datastore versions: as users see them, and an instance's defaults."""

from instar.control.api import instances
from instar.control.api.call import Call
from instar.control.api.views import configurations as views
from instar.control.catalog import catalogues, parameters, versions
from instar.control.store.tables import DatastoreVersion
from instar.wire import rest
from instar.wire.agent import Parameter
from instar.wire.errors import NotFound


def index(call: Call) -> rest.ParametersAnswer:
    """List the parameters of a datastore's version that users may set."""
    with call.desk.store.read() as session:
        version = versions.find(session, call.path["datastore"], call.path["version"])
        return _index(call, version, parameters.read(session, version))


def show(call: Call) -> rest.Parameter:
    """Show one parameter of a datastore's version, without an envelope."""
    with call.desk.store.read() as session:
        version = versions.find(session, call.path["datastore"], call.path["version"])
        return _show(call, version, catalogues.find(session, version.id, call.path["parameter"]))


def index_by_version(call: Call) -> rest.ParametersAnswer:
    """List the parameters of a version, named by its id alone, that users may set."""
    with call.desk.store.read() as session:
        version = versions.by_id(session, call.path["version_id"])
        return _index(call, version, parameters.read(session, version))


def show_by_version(call: Call) -> rest.Parameter:
    """Show one parameter of a version, named by its id alone, without an envelope."""
    with call.desk.store.read() as session:
        version = versions.by_id(session, call.path["version_id"])
        return _show(call, version, catalogues.find(session, version.id, call.path["parameter"]))


def defaults(call: Call) -> rest.DefaultsAnswer:
    """Give the defaults of the parameters that may be set on an instance; empty when they are not known."""
    with call.desk.store.read() as session:
        instance = instances.find(session, call, call.path["instance_id"])
        known = views.defaults(parameters.read(session, instance.version))
    return rest.DefaultsAnswer(instance=rest.Defaults(configuration=known))


def _index(call: Call, version: DatastoreVersion, catalogue: list[Parameter]) -> rest.ParametersAnswer:
    _refuse_hidden(call, version)
    shown = [views.parameter(version, each) for each in catalogue if not each.fixed]
    return rest.ParametersAnswer(parameters=shown)


def _show(call: Call, version: DatastoreVersion, found: Parameter) -> rest.Parameter:
    _refuse_hidden(call, version)
    if found.fixed:
        raise NotFound(f"Parameter '{found.name}' can't be set", remedy="It belongs to what the instance is.")
    return views.parameter(version, found)


def _refuse_hidden(call: Call, version: DatastoreVersion) -> None:
    """An inactive version is there for operators only."""
    if not version.active and not call.viewer.is_admin:
        raise NotFound(f"Datastore version '{version.id}' cannot be found")
