"""Instances in answers: the summary of lists, the detail, and what operators see beside it."""

import time
from typing import Any

from instar.control.api.views.viewer import Viewer, present, timestamp
from instar.control.catalog import managers
from instar.control.store.tables import Instance, Operation
from instar.wire import rest
from instar.wire.states import USABLE, InstanceStatus

_GIB = 2**30
_SILENT = {
    InstanceStatus.BUILD,
    InstanceStatus.REBOOT,
    InstanceStatus.RESIZE,
    InstanceStatus.UPGRADE,
    InstanceStatus.SHUTDOWN,
}


def summary(viewer: Viewer, instance: Instance, operation: Operation | None) -> rest.Instance:
    """Show what a list shows; `operation` is the open one."""
    return rest.Instance(**_summary(viewer, instance, operation))


def detail(
    viewer: Viewer, instance: Instance, operation: Operation | None, *, used: bool = False
) -> rest.Instance:
    """Show everything the owner may see; `used` adds how full the volume was when the guest last told."""
    return rest.Instance(**_detail(viewer, instance, operation, used=used))


def managed(viewer: Viewer, instance: Instance, operation: Operation | None) -> rest.Instance:
    """Show what operators see."""
    fields = _detail(viewer, instance, operation, used=True)
    fields |= {
        "server_id": _id_of(instance.server),
        "server": _server(instance),
        "volume": fields["volume"] | _volume(instance),
        "task_description": f"{operation.kind}: {operation.cursor}"
        if operation
        else "No tasks for the instance.",
        "service_status": instance.service_status,
        "guest_status": {"state_description": instance.service_reason or instance.service_status},
        "deleted": instance.deleted,
        "deleted_at": timestamp(instance.deleted_at),
        "root_enabled": instance.root_enabled is not None,
        "root_enabled_by": instance.root_enabled_by,
    }
    return rest.Instance(**fields)


def _server(instance: Instance) -> dict[str, Any] | None:
    """Tell of the server what is on record; how it is, only its provider knows."""
    if instance.server is None:
        return None
    name = f"instar-{instance.id}"
    return {"id": _id_of(instance.server), "name": name, "tenant_id": instance.project}


def _volume(instance: Instance) -> dict[str, Any]:
    """Tell of the volume what owners are not told."""
    attachments = [{"server_id": _id_of(instance.server)}] if instance.server else []
    return {"id": instance.volume_id, "total": instance.volume_size, "attachments": attachments}


def _id_of(handle: dict[str, Any] | None) -> str | None:
    """Give what a provider calls the thing; a handle is its own affair, and has an id or a name."""
    return (handle.get("id") or handle.get("name")) if handle else None


def _summary(viewer: Viewer, instance: Instance, operation: Operation | None) -> dict[str, Any]:
    version = instance.version
    return present(
        id=instance.id,
        name=instance.name,
        status=instance.status,
        operating_status=instance.service_status if instance.status in USABLE else "",
        region="RegionOne",
        links=viewer.links("instances", instance.id),
        flavor={"id": instance.flavor_id, "links": viewer.links("flavors", instance.flavor_id)},
        datastore={"type": version.datastore.name, "version": version.name},
        access=instance.access or {},
        volume={"size": instance.volume_size},
        hostname=instance.hostname,
        port=managers.find(version.manager).port,
        ip=[instance.address] if instance.address else None,
        addresses=[rest.Address(address=instance.address, type="private")] if instance.address else None,
        tenant_id=instance.project if viewer.is_admin else None,
        operation=_underway(operation) if operation else None,
    )


def _detail(viewer: Viewer, instance: Instance, operation: Operation | None, *, used: bool) -> dict[str, Any]:
    fields = _summary(viewer, instance, operation)
    fields["datastore"]["version_number"] = instance.version.number
    if used and instance.volume_used is not None and instance.status not in _SILENT:
        fields["volume"] |= _usage(instance.volume_used / _GIB, instance.volume_size)
    return fields | present(
        created=timestamp(instance.created),
        updated=timestamp(instance.updated),
        service_status_updated=timestamp(instance.service_updated),
        fault=_fault(viewer, instance.fault) if instance.fault else None,
        configuration=_configuration(viewer, instance),
        volume_id=instance.volume_id if viewer.is_admin else None,
        image=instance.image,
        agent_version=instance.agent_version,
        engine_version=instance.engine_version,
        undo=_undo(instance) if instance.undo and instance.undo_until else None,
        undo_window=instance.undo_window,
    )


def _undo(instance: Instance) -> rest.Undo:
    kept = instance.undo or {}
    closed = "its window is closed" if (instance.undo_until or 0) < time.time() else ""
    return rest.Undo(
        **present(
            version=kept["version"],
            until=timestamp(instance.undo_until),
            possible=not (kept["reason"] or closed),
            reason=kept["reason"] or closed,
            loses_writes_since=kept["snapshot_at"],
        )
    )


def _configuration(viewer: Viewer, instance: Instance) -> dict[str, Any] | None:
    group = instance.configuration
    if group is None:
        return None
    return {"id": group.id, "name": group.name, "links": viewer.links("configurations", group.id)}


def _underway(operation: Operation) -> dict[str, Any]:
    return present(
        id=operation.id,
        kind=operation.kind,
        step=operation.cursor,
        reason=operation.reason,
        percent=operation.percent,
    )


def _usage(used: float, size: int) -> dict[str, float]:
    return {"used": round(used, 3), "used_percent": round(100 * used / size, 2)}


def _fault(viewer: Viewer, fault: dict[str, Any]) -> rest.Fault:
    """`details` are the operators' own: for others the key is there and null."""
    return rest.Fault(
        message=fault["message"],
        created=timestamp(fault["created"]) or "",
        details=fault.get("details") if viewer.is_admin else None,
    )
