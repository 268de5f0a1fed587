"""Upgrade paths: which version of a datastore an instance may go to.

Only to an active version of the same datastore, and never down. The same version is always allowed: its image
may be a newer one. How far up is the target's own word (`upgrade_from`: the present version must lie in one
of the ranges); without one, its manager's default in ``data/managers.toml`` holds.
"""

from collections.abc import Iterable

from instar.control.catalog import managers, numbers
from instar.control.store.tables import DatastoreVersion
from instar.wire.errors import BadRequest


def check(current: DatastoreVersion, target: DatastoreVersion, versions: Iterable[DatastoreVersion]) -> None:
    """Raise BadRequest with the reason, and the versions that can be reached, when the way is closed."""
    obstacle = _obstacle(current, target)
    if obstacle is None:
        return
    names = ", ".join(version.name for version in reachable(current, versions))
    raise BadRequest(
        f"instance.datastore_version: the instance can't be upgraded from {current.name} to {target.name}",
        seen=obstacle,
        remedy=f"It can go to: {names}" if names else "No registered version can be reached from it",
    )


def reachable(current: DatastoreVersion, versions: Iterable[DatastoreVersion]) -> list[DatastoreVersion]:
    """Give those of `versions` that an instance of `current` may go to, lowest first."""
    open_ways = [version for version in versions if _obstacle(current, version) is None]
    return sorted(open_ways, key=lambda version: (numbers.parse(version.number), version.name))


def _obstacle(current: DatastoreVersion, target: DatastoreVersion) -> str | None:
    if current.datastore_id != target.datastore_id:
        return f"{target.name} is a version of another datastore"
    if not target.active:
        return f"{target.name} is not active"
    here, there = numbers.parse(current.number), numbers.parse(target.number)
    if here == there:
        return None
    if there < here:
        return f"{target.number} is older than {current.number}"
    return _too_far(here, current.number, target)


def _too_far(here: numbers.Number, number: str, target: DatastoreVersion) -> str | None:
    if target.upgrade_from:
        if any(numbers.lies_in(here, span) for span in target.upgrade_from):
            return None
        return f"{target.name} can be reached from {' or '.join(target.upgrade_from)}, not from {number}"
    furthest = managers.find(target.manager).furthest
    crossed = numbers.parse(target.number)[0] - here[0]
    if furthest is None or crossed <= furthest:
        return None
    return (
        f"{number} to {target.number} crosses {crossed} major releases, and {furthest} at a time is allowed"
    )
