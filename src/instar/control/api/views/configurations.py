"""Configuration groups and parameters in answers."""

from typing import Any

from instar.control.api.views.viewer import present, timestamp
from instar.control.store.tables import Configuration, DatastoreVersion, Instance
from instar.wire import rest
from instar.wire.agent import Parameter
from instar.wire.secrets import HIDDEN, is_secret


def summary(group: Configuration) -> rest.Configuration:
    """Show what a list shows."""
    return rest.Configuration(**_summary(group))


def detail(group: Configuration, instances: int) -> rest.Configuration:
    """Show a group with its values, passwords masked; `instances` says to how many it is attached."""
    values = {name: HIDDEN if is_secret(name) else value for name, value in group.settings.items()}
    return rest.Configuration(
        **_summary(group),
        datastore_version_number=group.version.number,
        values=values,
        instance_count=instances,
    )


def attached(instance: Instance, group: Configuration) -> rest.AttachedInstance:
    """Show an instance that a group is attached to, and whether it has the group's values already."""
    return rest.AttachedInstance(
        id=instance.id,
        name=instance.name,
        in_force=(instance.settings or {}) == group.settings,
        restart_required=instance.restart_required,
    )


def parameter(version: DatastoreVersion, found: Parameter) -> rest.Parameter:
    """Show a parameter to users."""
    return rest.Parameter(
        **_common(version, found),
        **present(min=_whole(found.minimum), max=_whole(found.maximum)),
    )


def managed(version: DatastoreVersion, found: Parameter) -> rest.MgmtParameter:
    """Show a parameter to operators."""
    return rest.MgmtParameter(
        **_common(version, found),
        **present(min_size=_whole(found.minimum), max_size=_whole(found.maximum)),
        fixed=found.fixed,
    )


def defaults(catalogue: list[Parameter]) -> dict[str, Any]:
    """Show the defaults of what users may set, as far as they are known."""
    return {each.name: each.default for each in catalogue if not each.fixed and each.default is not None}


def _summary(group: Configuration) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "created": timestamp(group.created),
        "updated": timestamp(group.updated),
        "datastore_name": group.version.datastore.name,
        "datastore_version_id": group.version_id,
        "datastore_version_name": group.version.name,
    }


def _common(version: DatastoreVersion, found: Parameter) -> dict[str, Any]:
    return present(
        name=found.name,
        type=found.type,
        datastore_version_id=version.id,
        restart_required=found.restart_required,
        unit=found.unit,
        default=found.default,
        values=found.values or None,
        description=found.description or None,
    )


def _whole(number: float | None) -> int | float | None:
    """Write whole numbers without a fraction."""
    return int(number) if number is not None and number.is_integer() else number
