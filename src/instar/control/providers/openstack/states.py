"""Nova's words for how a server is, in ours."""

from typing import Any

from instar.control.providers.base import ServerInfo
from instar.control.providers.openstack import handles
from instar.control.providers.openstack.wishes import DUE, Wishes
from instar.wire.states import ServerState

_STATES = {
    "ACTIVE": ServerState.ACTIVE,
    "SHUTOFF": ServerState.STOPPED,
    "PAUSED": ServerState.STOPPED,
    "SUSPENDED": ServerState.STOPPED,
    "SHELVED": ServerState.STOPPED,
    "SHELVED_OFFLOADED": ServerState.STOPPED,
    "ERROR": ServerState.ERROR,
    "DELETED": ServerState.MISSING,
    "SOFT_DELETED": ServerState.MISSING,
}
"""Anything else is on its way to one of these."""
_HARMLESS_TASKS = {"image_snapshot", "image_snapshot_pending", "image_pending_upload", "image_uploading"}


def info(server: Any, wishes: Wishes, flavor: str | None) -> ServerInfo:
    """Tell what Nova says of a server, `flavor` being the id of the one that it names."""
    state = _STATES.get(server.status, ServerState.BUILDING)
    reason = _reason(server)
    image = str(server.image.id) if server.image and server.image.id else None
    if state in (ServerState.ACTIVE, ServerState.STOPPED) and is_busy(server):
        state = ServerState.BUILDING
    elif state == ServerState.ACTIVE and wishes.start == DUE:
        state, reason = ServerState.BUILDING, "it is to be started yet"
    return ServerInfo(
        handle=handles.make("server", server.id, name_of(server)),
        state=state,
        image=image,
        token=wishes.token if image == wishes.image else "",
        reason=reason,
        flavor=flavor,
    )


def name_of(server: Any) -> str:
    """Give the name that we know a server by. What Nova calls its name is for people."""
    return Wishes.read(server.metadata).name or str(server.name)


def is_busy(server: Any) -> bool:
    """Tell whether Nova is at work on a server in a way that changes how it is."""
    return bool(server.task_state) and server.task_state not in _HARMLESS_TASKS


def is_stopped(server: Any) -> bool:
    """Tell whether no process of a server is left."""
    return server.status == "SHUTOFF" and not is_busy(server)


def _reason(server: Any) -> str:
    if server.status == "ERROR":
        fault = str((server.fault or {}).get("message", "")).strip()
        return f"Nova says: {fault}" if fault else "Nova says that it is in error"
    if is_busy(server):
        return f"Nova says: {server.status}, {server.task_state}"
    return "" if server.status in ("ACTIVE", "SHUTOFF") else f"Nova says: {server.status}"
