"""The parameters of datastore versions, as operators see, add, change and remove them."""

from instar.control.api.call import Call
from instar.control.api.views import configurations as views
from instar.control.catalog import catalogues, parameters, versions
from instar.wire import rest
from instar.wire.agent import Parameter
from instar.wire.errors import BadRequest


def index(call: Call) -> rest.MgmtParametersAnswer:
    """List the whole catalogue of a version, with what users may not set."""
    with call.desk.store.read() as session:
        version = versions.by_id(session, call.path["version_id"])
        shown = [views.managed(version, each) for each in parameters.read(session, version)]
    return rest.MgmtParametersAnswer(parameters=shown)


def show(call: Call) -> rest.MgmtParameter:
    """Show one parameter, without an envelope."""
    with call.desk.store.read() as session:
        version = versions.by_id(session, call.path["version_id"])
        return views.managed(version, catalogues.find(session, version.id, call.path["parameter"]))


def create(call: Call, body: rest.ParameterRequest) -> rest.MgmtParameter:
    """Add a parameter to a version's catalogue; images that come later do not change it."""
    if body.parameter.name is None:
        raise BadRequest("Validation error: configuration-parameter.name: must be given")
    parameter = _parameter(body.parameter, body.parameter.name)
    with call.desk.store.begin() as session:
        version = versions.by_id(session, call.path["version_id"])
        catalogues.create(session, version.id, parameter)
        return views.managed(version, parameter)


def update(call: Call, body: rest.ParameterRequest) -> rest.MgmtParameter:
    """Change a parameter of a version's catalogue; images that come later do not change it back."""
    name = call.path["parameter"]
    if body.parameter.name not in (None, name):
        raise BadRequest("Validation error: configuration-parameter.name: a parameter can't be renamed")
    parameter = _parameter(body.parameter, name)
    with call.desk.store.begin() as session:
        version = versions.by_id(session, call.path["version_id"])
        catalogues.update(session, version.id, parameter)
        return views.managed(version, parameter)


def delete(call: Call) -> None:
    """Take a parameter out of a version's catalogue, so that no group may set it."""
    with call.desk.store.begin() as session:
        version = versions.by_id(session, call.path["version_id"])
        catalogues.remove(session, version.id, call.path["parameter"])


def _parameter(wanted: rest.NewParameter, name: str) -> Parameter:
    return Parameter(
        name=name,
        type=wanted.data_type,
        minimum=wanted.min_size,
        maximum=wanted.max_size,
        **wanted.model_dump(
            include={"default", "unit", "values", "restart_required", "fixed", "description"}
        ),
    )
