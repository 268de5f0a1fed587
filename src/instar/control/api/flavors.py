"""Flavors: the sizes of server on offer."""

from instar.control.api.call import Call
from instar.control.catalog import versions
from instar.wire import rest
from instar.wire.errors import NotFound


def index(call: Call) -> rest.FlavorsAnswer:
    """List the flavors."""
    return rest.FlavorsAnswer(flavors=_all(call))


def show(call: Call) -> rest.FlavorAnswer:
    """Show a flavor."""
    wanted = call.path["flavor_id"]
    for flavor in _all(call):
        if flavor.str_id == wanted:
            return rest.FlavorAnswer(flavor=flavor)
    raise NotFound(f"Flavor '{wanted}' cannot be found")


def of_version(call: Call) -> rest.FlavorsAnswer:
    """List the flavors that instances of a datastore version may have: all of them."""
    _find_version(call)
    return index(call)


def volume_types(call: Call) -> rest.VolumeTypesAnswer:
    """List the volume types of a datastore version; no provider offers a choice."""
    _find_version(call)
    return rest.VolumeTypesAnswer(volume_types=[])


def _all(call: Call) -> list[rest.Flavor]:
    """`id` is null unless it is a plain number; `str_id` always says it."""
    return [
        rest.Flavor(
            id=int(spec.id) if spec.id.isascii() and spec.id.isdigit() else None,
            str_id=spec.id,
            name=spec.name,
            ram=spec.ram,
            vcpus=spec.vcpus,
            disk=spec.disk,
            ephemeral=0,
            links=call.viewer.links("flavors", spec.id),
        )
        for spec in call.desk.flavors()
    ]


def _find_version(call: Call) -> None:
    with call.desk.store.read() as session:
        versions.find(session, call.path["datastore"], call.path["version"])
