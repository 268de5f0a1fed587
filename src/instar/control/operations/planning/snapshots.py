"""Whether an upgrade takes a snapshot of the volume, and what that costs."""

from collections.abc import Iterator

from instar.control.operations.planning.wanted import Wanted
from instar.control.providers.base import Abilities, VolumeInfo
from instar.wire.errors import Finding
from instar.wire.plans import PlannedSnapshot


def decide(
    wanted: Wanted, abilities: Abilities, volume: VolumeInfo | None, *, format_changes: bool
) -> PlannedSnapshot:
    """Decide by policy: `auto` means when the data format changes, or when it costs no time."""
    taken, reason = _decision(wanted, abilities, format_changes=format_changes)
    instant = taken and abilities.instant_snapshots
    cost = 0 if instant else volume.used if volume else None
    return PlannedSnapshot(
        policy=wanted.snapshot,
        taken=taken,
        instant=instant,
        bytes=cost if taken else None,
        seconds=0.0 if instant else None,
        reason=reason,
    )


def _decision(wanted: Wanted, abilities: Abilities, *, format_changes: bool) -> tuple[bool, str]:
    if wanted.snapshot == "never":
        return False, "none is wanted"
    if not abilities.snapshots:
        return False, "the provider's volumes have none"
    if wanted.snapshot == "always":
        return True, "one is wanted"
    if format_changes:
        return True, "the data format changes"
    if abilities.instant_snapshots:
        return True, "it takes no time"
    return False, "the data format stays, and it would be copied while clients are out"


def findings(snapshot: PlannedSnapshot, volume: VolumeInfo | None) -> Iterator[Finding]:
    """Find what stands against the snapshot."""
    if snapshot.policy == "always" and not snapshot.taken:
        remedy = "Use snapshot policy auto or never, or a provider that has snapshots."
        yield Finding(check="snapshot", seen=f"a snapshot is wanted, and {snapshot.reason}", remedy=remedy)
    needed, room = snapshot.bytes or 0, volume.room if volume else None
    if room is not None and needed > room:
        seen = f"a snapshot copies {needed} bytes and {room} are free where it would lie"
        yield Finding(check="snapshot", seen=seen, remedy="Make room there, or use snapshot policy never.")
