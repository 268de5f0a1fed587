"""Back onto the image that an instance ran before: the steps that a failed upgrade and an undo share.

1. stage_return  the old image lies, unpacked and whole, where the server runs
2. power_off     the server is stopped, cleanly where its guest still listens
3. revert        the volume is put back to the snapshot, where a newer release has worked on the data files
4. return_image  the provider puts the old image in place of the new one; or, where the old server was kept,
                 that gets its volume and port again, and boots
5. await_return  the old image's agent answers, as the one that was expected
6. come_back     the guest sees that the data are the old release's, starts, checks, lets clients in
7. verify_return what runs is read back and held against the old image

None of them needs the new server's guest. `inputs["image_before"]` is the image to go back to.
"""

from dataclasses import replace
from typing import Any

from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Wait
from instar.control.operations import guest_steps, second_server, undo
from instar.control.operations.context import Context
from instar.control.operations.guest_steps import watched
from instar.control.providers.base import Handle
from instar.control.store.tables import Operation
from instar.wire.agent import ComeBackParams
from instar.wire.errors import NeedsConsent, NoWayBack
from instar.wire.plans import SHARED_FILES
from instar.wire.states import Stretch

BEFORE_DATA = ("rebuild", "hand_over", "await_agent")
"""Steps of an upgrade in which nobody has touched the data yet."""
AFTER_CLIENTS = ("let_in", "verify")
"""Steps of an upgrade in which clients may have written already, so that a snapshot lacks what they wrote."""


def choose(operation: Operation) -> str:
    """Name the way back of an upgrade that has begun to rebuild. Raises NoWayBack, saying why.

    The old image can always be put back. Whether the data files can follow depends on how far the new release
    got with them, and on whether clients have written since.
    """
    if not operation.outputs["preflight"]["format_changes"] or operation.cursor in BEFORE_DATA:
        return "stage_return"
    snapshot = operation.outputs.get("snapshot") or {}
    if operation.cursor in AFTER_CLIENTS:
        return _after_clients(operation, snapshot)
    if snapshot.get("handle") or (operation.error or {}).get("code") == "untouched":
        return "stage_return"
    if operation.inputs["method"] not in SHARED_FILES:
        return "stage_return"
    raise NoWayBack(
        f"Operation {operation.id} is beyond its point of no return",
        seen="the data files are converted in place, and there is no snapshot",
        remedy="Resume the operation.",
    )


def _after_clients(operation: Operation, snapshot: dict[str, object]) -> str:
    if not snapshot.get("handle"):
        raise NoWayBack(
            f"Operation {operation.id} is beyond its point of no return",
            seen="the data files were converted, clients were let in, and there is no snapshot",
            remedy="Resume the operation.",
        )
    since = str(snapshot["taken_at"])
    if (operation.asked_back or {}).get("discard_writes_since") != since:
        raise NeedsConsent(
            f"To go back would lose what clients have written since {since}",
            seen="the data files were converted; the way back is the snapshot of that time",
            remedy=f"Let it go on (resume it if it failed), or roll back with discard_writes_since {since}.",
        )
    return "stage_return"


@watched
def stage_return(ctx: Context) -> Outcome:
    """Bring the old image to where the server runs, before anything is stopped for it."""
    if second_server.before(ctx):
        return Done()
    staging = ctx.provider.stage(ctx.server, ctx.inputs["image_before"])
    if staging.done:
        return Done()
    return Wait(0.1, staging.reason or "the old image is being brought to the server", moved=staging.moved)


@watched
def power_off(ctx: Context) -> Outcome:
    """Stop the server, and the other one that this operation may have given its volume to."""
    for server in second_server.both(ctx):
        stopping = second_server.stop(ctx, server, f"{ctx.work.operation_id}.back")
        if stopping is not None:
            return stopping
    return Done()


@watched
def revert(ctx: Context) -> Outcome:
    """Put the volume back, if a newer release may have worked on it since the snapshot."""
    snapshot = _snapshot_to_revert_to(ctx)
    if snapshot is None:
        return Done({"reverted": False})
    ctx.work.check_mine()
    progress = ctx.provider.revert_volume(ctx.volume, snapshot)
    if progress.done:
        return Done({"reverted": True})
    return Wait(0.1, progress.reason or "the volume is put back to its snapshot", moved=progress.moved)


def _snapshot_to_revert_to(ctx: Context) -> Handle | None:
    """Give the snapshot if the data files may have been converted; for an undo, the one that was kept."""
    if "undoes" in ctx.inputs:
        kept: Handle | None = (ctx.instance.undo or {}).get("snapshot")
        return kept
    left = ctx.output("way_back").get("from")
    taken: Handle | None = ctx.output("snapshot").get("handle")
    if left == "post_upgrade":  # nobody was let in: what the new release did to the data may go
        return taken
    return taken if left in AFTER_CLIENTS and ctx.output("preflight")["format_changes"] else None


@watched
def return_image(ctx: Context) -> Outcome:
    """Have the old server serve again, where it was kept; else put the old image in place."""
    old = second_server.before(ctx)
    if old is not None:
        return _hand_back(ctx, old)
    return guest_steps.rebuild(ctx, ctx.inputs["image_before"], f"{ctx.work.operation_id}.back")


def _hand_back(ctx: Context, old: Handle) -> Outcome:
    token = f"{ctx.work.operation_id}.back"
    giver = next((each for each in second_server.both(ctx) if each != old), old)
    handed = second_server.hand_over(ctx, giver, old, token) if giver != old else Done()
    if not isinstance(handed, Done):
        return handed
    ctx.work.check_mine()
    outcome = guest_steps.up(ctx.provider.reboot_server(old, token), "boot of the old server", "booted")
    return replace(outcome, record={"server": old}) if isinstance(outcome, Done) else outcome


@watched
def await_return(ctx: Context) -> Outcome:
    """Wait for the old image's agent."""
    return guest_steps.await_agent(ctx, ctx.inputs["image_before"])


@watched
def come_back(ctx: Context) -> Outcome:
    """Let the old agent take the data files and let clients in."""
    kept = (ctx.instance.undo or {}) if "undoes" in ctx.inputs else ctx.inputs
    params = ComeBackParams(configuration=_settings(ctx), text_ordering=kept.get("text_ordering", "rebuild"))
    return guest_steps.run_job(ctx, "come_back", params)


def _settings(ctx: Context) -> dict[str, Any] | None:
    """Give the values that the API had put in force on the old image; None leaves alone what is there.

    An undo takes out values that were set since, for the first time.
    """
    if "undoes" not in ctx.inputs:
        return ctx.instance.settings
    kept: dict[str, Any] | None = (ctx.instance.undo or {}).get("settings")
    return kept if kept is not None or ctx.instance.settings is None else {}


@watched
def verify_return(ctx: Context) -> Outcome:
    """Read back what runs, and hold it against the old image."""
    image = ctx.inputs["image_before"]
    manifest = ctx.provider.image(image).manifest
    seen, findings = guest_steps.verify_machine(ctx, manifest, image)
    error = guest_steps.verdict(findings, "The instance does not run as it did before")
    if error:
        return Fail(error)
    if guest_steps.is_out(ctx):
        return Wait(guest_steps.LOOK_AGAIN, "from outside, the instance's address lets nobody in yet")
    return Done(seen, record=record_of(seen))


def record_of(seen: dict[str, object]) -> dict[str, object]:
    """Say what verification saw as columns of the instance."""
    return {
        "image": seen["image"],
        "agent_version": seen["agent version"],
        "engine_version": seen["engine version"],
        "service_status": seen["service"],
        "restart_required": False,
    }


def drop_snapshot(ctx: Context) -> Outcome:
    """Delete the snapshot and the server that a failed upgrade no longer needs, and stop watching."""
    ctx.outages.end(ctx.work.operation_id)
    return undo.discard(ctx, lambda: filter(None, [_own_snapshot(ctx)]), servers=_replaced(ctx))


def _replaced(ctx: Context) -> bool:
    return "make_room" in ctx.work.outputs


def _own_snapshot(ctx: Context) -> Handle | None:
    taken: Handle | None = ctx.output("snapshot").get("handle")
    return taken or ctx.provider.find_snapshot(ctx.volume, ctx.snapshot_name)


RETURN: tuple[Step[Context], ...] = (
    Step("stage_return", stage_return, Stretch.SWITCH, patience=300),
    Step("power_off", power_off, Stretch.SWITCH, patience=120),
    Step("revert", revert, Stretch.SWITCH, patience=600),
    Step("return_image", return_image, Stretch.SWITCH, patience=600),
    Step("await_return", await_return, Stretch.SWITCH, patience=300),
    Step("come_back", come_back, Stretch.SWITCH, patience=180),
    Step("verify_return", verify_return, Stretch.SETTLE, patience=60),
)
