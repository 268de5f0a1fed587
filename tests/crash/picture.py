"""What is there after a story, read back from record, machine and guest, without ids and times."""

from collections import Counter
from typing import Any

from small_world import SmallWorld
from sqlalchemy import select

from instar.control.store.tables import Event, Instance, Operation
from instar.wire.events import STEP
from instar.wire.states import OperationState

JOBS = {"prepare", "pre_upgrade", "post_upgrade", "settle", "come_back", "start", "stop", "restart",
        "apply_configuration"}  # fmt: skip
"""Hooks that act, and so are run as named jobs."""


def take(world: SmallWorld, instance_id: str) -> dict[str, Any]:
    """Take the picture of an instance at rest."""
    row = world.instance(instance_id)
    return {"record": _record(row), "machine": machine(world, row), "leaks": leaks(world, row)}


def deeds(world: SmallWorld, instance_id: str) -> Counter[str]:
    """Count what was done and told: named jobs, rebuilds, resizes, reboots and events."""
    servers = [each for each in world.provider.servers.values() if instance_id in each.name]
    done = Counter(hook for whose, hook in world.guests.calls if whose == instance_id and hook in JOBS)
    with world.house.store.read() as session:
        kinds = session.execute(select(Event.kind).where(Event.instance_id == instance_id)).scalars()
        done.update(kind for kind in kinds if kind != STEP)
    done["rebuild"] = sum(len(server.rebuilds) for server in servers)
    done["resize"] = sum(len(server.sizes) for server in servers)
    done["reboot"] = sum(len(server.reboots) for server in servers)
    return done


def _record(row: Instance) -> dict[str, Any]:
    kept = row.undo or {}
    return {
        "status": row.status,
        "fault": row.fault and row.fault["message"],
        "version": row.version.name,
        "image": row.image,
        "size": (row.flavor_id, row.volume_size),
        "engine_version": row.engine_version,
        "agent_version": row.agent_version,
        "settings": row.settings,
        "access": row.access,
        "configuration": row.configuration_id is not None,
        "restart_required": row.restart_required,
        "undo": (kept.get("version"), kept.get("format_changed"), kept.get("snapshot") is not None),
        "kept server": kept_server(row) is not None,
        "window": row.undo_until is not None,
        "deleted": row.deleted,
        "parts": [part is not None for part in (row.server, row.volume, row.port, row.address)],
    }


def machine(world: SmallWorld, row: Instance) -> dict[str, Any]:
    """Read back the instance's machine and what its guest and its clients see."""
    name, provider, guests = f"instar-{row.id}", world.provider, world.guests
    serving = (row.server or {}).get("name", name)
    server, guest = provider.servers.get(serving), guests.servers.get(serving.removeprefix("instar-"))
    kept = provider.servers.get((kept_server(row) or {}).get("name"))
    volume = provider.find_volume(name)
    database = guests.databases[row.id]
    return {
        "server": (server.image, server.up, server.halted, server.volume is not None) if server else None,
        "at": server.port == name if server else None,
        "kept": (kept.image, kept.up, kept.halted, kept.volume is not None, kept.port) if kept else None,
        "size": (server and server.flavor, volume and provider._volumes[name].info.size),
        "snapshots": len(provider.snapshots(volume)) if volume else None,
        "port": provider.find_port(name) is not None,
        "access": provider.rules.get(name),
        "guest": (guest.manifest.engine_version, guest.image, guest.running) if guest else None,
        "database": (database.engine_version, tuple(database.databases), dict(database.settings)),
    }


def leaks(world: SmallWorld, row: Instance) -> list[str]:
    """Name what is there and should not be: slots, permits and leases that are held, things of nobody."""
    with world.house.store.read() as session:
        operations = list(session.execute(select(Operation)).scalars())
    found = [f"{each.kind} is open" for each in operations if each.state == OperationState.OPEN]
    for each in operations:
        held = (each.slot, each.permit, each.owner, each.lease_until, each.due_at)
        found += [f"{each.kind} holds {held}"] if any(it is not None for it in held) else []
    provider, ours = world.provider, f"instar-{row.id}"
    servers = {server["name"] for server in (row.server, kept_server(row)) if server}
    found += [f"server {name} belongs to nobody" for name in {*provider.servers} - servers]
    found += [f"{name} belongs to nobody" for name in {*provider._volumes, *provider._ports} - {ours}]
    if row.deleted:
        found += [f"{name} was deleted" for name in {*provider.servers, *provider._volumes, *provider._ports}]
    return found


def kept_server(row: Instance) -> dict[str, Any] | None:
    """Name the server that an upgrade has replaced and that its undoing would bring back."""
    return (row.undo or {}).get("server") if not row.deleted else None
