"""What an upgrade keeps for its undoing, for as long as the window is open.

`Instance.undo` holds where it leads back to (version, image, configuration), and the snapshot if the data
format changed, and the old server if it was replaced; `reason` is set when nothing leads back. When the
window closes, the volume's snapshots and the instance's second server go.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from instar.control.engine.outcomes import Done, Fail, Outcome, Wait
from instar.control.operations import second_server
from instar.control.operations.context import Context
from instar.control.providers.base import Handle
from instar.wire.errors import InstarError, NeedsConsent

PATIENCE = 60.0
"""Seconds that an attempt to delete a snapshot is repeated for, where that may help."""


def take_snapshot(ctx: Context) -> Outcome:
    """Take the snapshot, with the database stopped; `taken_at` is when clients were shut out."""
    ctx.work.check_mine()
    taken = ctx.provider.snapshot_volume(ctx.volume, ctx.snapshot_name)
    if not taken.ready:
        return Wait(0.1, "the volume's snapshot is being made", moved=taken.moved)
    closed = ctx.output("pre_upgrade")["upgrade_info"].get("saved_at", time.time())
    since = datetime.fromtimestamp(float(closed), UTC).isoformat(timespec="milliseconds")
    return Done({"handle": taken.handle, "taken_at": since.replace("+00:00", "Z")})


def record(ctx: Context) -> dict[str, Any]:
    """Say what the upgraded instance keeps, as columns of its row."""
    window = ctx.instance.undo_window if ctx.instance.undo_window is not None else ctx.undo_window
    snapshot = ctx.output("snapshot")
    crosses = bool(ctx.output("preflight")["format_changes"])
    handle = snapshot.get("handle")
    kept = {
        "operation_id": ctx.work.operation_id,
        "version_id": ctx.inputs["version_id_before"],
        "version": ctx.inputs["version_before"],
        "image": ctx.inputs["image_before"],
        "format_changed": crosses,
        "snapshot": handle if crosses else None,
        "snapshot_at": snapshot.get("taken_at") if crosses else None,
        "server": ctx.output("standby").get("before"),
        "configuration_id": ctx.instance.configuration_id,
        "settings": ctx.instance.settings,
        "text_ordering": ctx.inputs.get("text_ordering", "rebuild"),
        "reason": _reason(crosses=crosses, has_snapshot=handle is not None),
    }
    with ctx.store.read() as session:
        return {"undo": kept, "undo_until": ctx.store.now(session) + window}


def _reason(*, crosses: bool, has_snapshot: bool) -> str:
    if crosses and not has_snapshot:
        return "the upgrade changed the data format and no snapshot was taken"
    return ""


def forget(ctx: Context) -> Outcome:
    """Delete every snapshot of the volume but the one that this operation took, and the instance's second
    server but the one that this operation replaced.
    """
    kept = ctx.output("snapshot").get("handle")
    return discard(
        ctx, lambda: [one.handle for one in ctx.provider.snapshots(ctx.volume) if one.handle != kept]
    )


def discard(ctx: Context, find: Callable[[], Iterable[Handle]], *, servers: bool = True) -> Outcome:
    """Delete snapshots and servers. What can't be deleted now is left to the periodic closing of undo
    windows.
    """
    try:
        for handle in find():
            ctx.provider.destroy_snapshot(handle)
        if servers and ctx.provider.abilities.replace:
            second_server.clear(ctx, kept=ctx.output("standby").get("before"))
    except InstarError as error:
        if error.body.retryable and ctx.work.waited < PATIENCE:
            raise
        return Fail(error, record=leftover(ctx))
    return Done()


def leftover(ctx: Context) -> dict[str, Any]:
    """Have snapshots that are left deleted as if an undo window had just closed, unless one is open."""
    return at_once(ctx) if ctx.instance.undo_until is None else {}


def at_once(ctx: Context) -> dict[str, Any]:
    """Have the periodic closing of undo windows look at the instance next time."""
    with ctx.store.read() as session:
        return {"undo_until": ctx.store.now(session)}


def lost_seconds(undo: dict[str, Any], now: float) -> float:
    """Tell how many seconds of writes going back to the snapshot would lose."""
    return max(0.0, round(now - datetime.fromisoformat(undo["snapshot_at"]).timestamp(), 1))


def refuse_loss(undo: dict[str, Any], now: float, accepted: str | None) -> None:
    """Raise NeedsConsent unless exactly the loss of what was written since the snapshot was accepted."""
    since = undo["snapshot_at"]
    if since is None or accepted == since:
        return
    seen = f"{lost_seconds(undo, now):g} seconds of writes would be lost"
    if accepted is not None:
        seen = f"{seen}; the request accepts to lose what was written since {accepted}"
    raise NeedsConsent(
        f"To go back is to return to the snapshot of {since}: what clients have written since would be lost",
        seen=seen,
        remedy=f"Accept exactly that with discard_writes_since {since} "
        f"(`instar rollback ... --discard-writes-since {since}`), or stay.",
    )
