"""Quotas: what a project may have at most, held against what it has when it asks for more.

`reserved` is what operations that are under way will have taken when they succeed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from instar.control.operations.desk import Desk
from instar.control.store import quotas as store
from instar.wire.errors import NotFound, OverLimit

UNLIMITED = -1


@dataclass(frozen=True)
class Usage:
    """A resource of a project: `ram` is in MiB, `volumes` are the GiB of all its volumes."""

    resource: str
    in_use: int
    reserved: int
    limit: int


def usage(session: Session, desk: Desk, project: str) -> list[Usage]:
    """Tell of each resource how much a project has and may have."""
    limits = {**desk.quotas, **store.limits(session, project)}
    used, reserved = _used(session, desk, project), _reserved(session, desk, project)
    return [
        Usage(resource, used.get(resource, 0), reserved.get(resource, 0), limits[resource])
        for resource in sorted(desk.quotas)
    ]


def refuse_beyond(session: Session, desk: Desk, project: str, wanted: Mapping[str, int]) -> None:
    """Raise OverLimit when a project has no room for what is wanted, in the caller's transaction."""
    limits = {**desk.quotas, **store.limits(session, project)}
    if all(limits[resource] == UNLIMITED for resource, more in wanted.items() if more > 0):
        return
    store.lock(session, project)
    over = [
        each
        for each in usage(session, desk, project)
        if (more := wanted.get(each.resource, 0)) > 0
        and each.limit != UNLIMITED
        and each.in_use + each.reserved + more > each.limit
    ]
    if over:
        raise OverLimit(
            f"Quota exceeded for resources: {[each.resource for each in over]}",
            seen="; ".join(_told(each, wanted[each.resource]) for each in over),
            remedy="Delete what is not needed, or have an administrator raise the quota.",
        )


def put(session: Session, desk: Desk, project: str, wanted: Mapping[str, int]) -> None:
    """Set a project's quotas. Raises NotFound for a resource that there is not."""
    for resource in wanted:
        if resource not in desk.quotas:
            raise NotFound(
                f"Quota resource {resource[:64]!r} cannot be found",
                remedy=f"There are: {', '.join(sorted(desk.quotas))}.",
            )
    store.put(session, project, wanted)


def ram(desk: Desk, flavor_id: str) -> int:
    """Give a flavor's memory in MiB; of one that is on offer no more nobody knows, and it counts for none."""
    return next((flavor.ram for flavor in desk.flavors() if flavor.id == flavor_id), 0)


def _told(each: Usage, more: int) -> str:
    reserved = f", {each.reserved} reserved" if each.reserved else ""
    return f"{each.resource}: {each.in_use} of {each.limit} in use{reserved}, {more} more asked for"


def _used(session: Session, desk: Desk, project: str) -> dict[str, int]:
    sizes = store.sizes(session, project)
    return {
        "instances": sum(count for _, count, _ in sizes),
        "volumes": sum(volumes for _, _, volumes in sizes),
        "ram": sum(count * ram(desk, flavor) for flavor, count, _ in sizes),
    }


def _reserved(session: Session, desk: Desk, project: str) -> dict[str, int]:
    growing = store.under_way(session, project, "resize_volume")
    resized = store.under_way(session, project, "resize")
    return {
        "volumes": sum(max(0, inputs["size"] - instance.volume_size) for inputs, instance in growing),
        "ram": sum(
            max(0, ram(desk, inputs["flavor_id"]) - ram(desk, instance.flavor_id))
            for inputs, instance in resized
        ),
    }
