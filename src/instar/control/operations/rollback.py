"""Rollback: a successful upgrade is undone while its window is open; the instance goes back.

1. stage         the old image lies, unpacked, where the server runs
2. leave         the guest stops its database cleanly; one that can't is not waited for, the server is stopped
then `ways_back`: power_off, revert, return_image, await_return, come_back, verify_return
then
3. forget        the snapshot goes
4. finish        the record changes: the instance is of the old version again

When the data format did not change, every write is kept. When it did, the volume goes back to the snapshot,
and the request has to accept what that loses. A failure before the server is stopped starts the database
again; a later one ends in ERROR with a fault, and `resume` goes on.
"""

from typing import Any

from sqlalchemy.orm import Session

from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup, undo, ways_back
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.operations.guest_steps import watched
from instar.control.store.tables import DatastoreVersion, Instance
from instar.wire.agent import UpgradeParams
from instar.wire.errors import Busy, GuestError, GuestUnreachable, InstarError
from instar.wire.states import InstanceStatus, Stretch

PATIENCE = 10.0
"""Seconds that a guest has to answer before the undo goes on without it."""


def request(desk: Desk, caller: Caller, instance_id: str, *, discard_writes_since: str | None) -> Submitted:
    """Accept the undoing of the last upgrade.

    Raises NotFound, Busy when an operation is open or there is nothing to undo, saying why, and NeedsConsent
    when writes would be lost and `discard_writes_since` is not the time of the snapshot.
    """
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        now = desk.store.now(session)
        kept = _kept(session, instance, now)
        undo.refuse_loss(kept, now, discard_writes_since)
        submission = Submission(
            actor=caller.user,
            request_id=caller.request_id,
            inputs={
                "version_id": kept["version_id"],
                "version": kept["version"],
                "version_before": instance.version.name,
                "image": instance.image,
                "image_before": kept["image"],
                "discard_writes_since": kept["snapshot_at"],
                "undoes": kept["operation_id"],
            },
            details=_details(instance, kept),
        )
        operation = submit(session, now, STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def _kept(session: Session, instance: Instance, now: float) -> dict[str, Any]:
    kept = instance.undo
    if kept is None or instance.undo_until is None:
        raise Busy(f"Instance {instance.id} has no upgrade that could be undone")
    if instance.undo_until < now:
        raise Busy(
            f"The upgrade of instance {instance.id} can't be undone any more",
            seen="its undo window is closed",
            remedy="Upgrade to the version that is wanted, or restore a backup.",
        )
    if session.get(DatastoreVersion, kept["version_id"]) is None:
        raise Busy(
            f"The upgrade of instance {instance.id} can't be undone",
            seen=f"version {kept['version']} is not registered any more",
        )
    if kept["reason"]:
        raise Busy(f"The upgrade of instance {instance.id} can't be undone", seen=kept["reason"])
    return kept


def _details(instance: Instance, kept: dict[str, Any]) -> dict[str, Any]:
    return {
        "datastore_version_id": kept["version_id"],
        "version_before": instance.version.name,
        "version_after": kept["version"],
        "image_before": instance.image,
        "image_after": kept["image"],
        "address": instance.address,
        "undoes": kept["operation_id"],
        "discarded_writes_since": kept["snapshot_at"],
    }


@watched
def leave(ctx: Context) -> Outcome:
    """Have the database stopped cleanly; a sick one is no obstacle, going back is the cure."""
    manifest = ctx.provider.image(ctx.inputs["image_before"]).manifest
    params = UpgradeParams(
        target_engine_version=manifest.engine_version,
        target_image_digest=ctx.inputs["image_before"],
        source_image_digest=ctx.inputs["image"] or "",
        rolling_back=True,
    )
    try:
        outcome = guest_steps.run_job(ctx, "pre_upgrade", params)
    except (GuestUnreachable, GuestError) as error:
        if error.body.retryable and ctx.work.waited < PATIENCE:
            raise
        return Done({"warning": error.body.sentence()})
    if isinstance(outcome, Fail) and not _would_lose(outcome.error):
        return Done({"warning": outcome.error.body.sentence()})
    return outcome


def _would_lose(error: InstarError) -> bool:
    """Tell a guest that saw something in the way, such as data outside the volume, from one that is sick."""
    return any(finding.check != "healthy" for finding in error.body.findings)


def finish(ctx: Context) -> Outcome:
    """Change the record: the instance is of the old version again, with its old configuration."""
    ctx.outages.end(ctx.work.operation_id)
    kept = ctx.instance.undo or {}
    return Done(
        record={
            "version_id": ctx.inputs["version_id"],
            "settings": kept["settings"],
            "configuration_id": kept["configuration_id"],
            "undo": None,
            "undo_until": None,
            **({} if "forget" in ctx.work.outputs else undo.at_once(ctx)),
        }
    )


STORY: Story[Context] = Story(
    kind="rollback",
    status=InstanceStatus.UPGRADE,
    steps=(
        Step("stage", ways_back.stage_return, Stretch.PREPARE, patience=300, harmless=True),
        Step("leave", leave, Stretch.SWITCH, patience=180, way_back="reinstate"),
        *ways_back.RETURN[1:],
        Step("forget", undo.forget, Stretch.SETTLE, patience=300, optional=True),
        Step("finish", finish, Stretch.SETTLE),
    ),
    ways_back=((Step("reinstate", watched(guest_steps.reinstate), Stretch.SWITCH, patience=180),),),
)
