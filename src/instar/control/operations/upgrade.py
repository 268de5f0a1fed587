"""Upgrade: an instance moves onto another image; its volume, address, hostname and configuration stay.

Prepare: the database serves clients, and whatever fails here leaves the instance as it was.
 1. preflight    the plan is made, and held against the one that was agreed to; a finding that blocks refuses
 2. stage        the image lies, unpacked, where the server runs; or, with strategy replace,
    make_room    what an earlier upgrade kept of servers goes,
    standby      another server is booted from the image, with a port of its own, and waits
Switch: clients are out. Until the rebuild, the way back is to start the database again.
 3. pre_upgrade  the guest checks again, stops the database cleanly, saves configuration to the volume
 4. snapshot     the volume's state is kept, where the plan says so
 5. rebuild      the provider wipes the root disk and puts the new image in its place; or, with replace,
    hand_over    the old server is stopped, and the standby gets its volume and port
 6. await_agent  the new image's agent answers, as the one that was expected
 7. post_upgrade the guest restores configuration, upgrades the data files, starts, checks, runs probes
 8. let_in       the guest lets clients in: from here on they may write to the new version
Settle: clients are served again, on the new image.
 9. verify       what runs is read back from database and machine, and held against what was promised
10. tidy         statistics and old files; the instance does not depend on it
11. forget       what an earlier upgrade kept for its undoing goes
12. finish       the record changes: this is where the instance's version becomes the new one

A failure in 1 or 2 leaves the instance alone; from `standby` the way back `withdraw` deletes the new server.
One in 3 or 4 takes the way back `reinstate`: the old database is started again on the old image. One in 5 to
9 ends in ERROR with a fault, and `resume` runs the failed step again; with `on_failure=rollback`, or when an
operator says so, it leads back onto the old image (see `ways_back`). Every step may be repeated: guest work
is a named job, the rebuild carries the operation's id as its token. The instance's server on record is the
new one from the end of `hand_over` on; the old one is kept, stopped, for as long as the upgrade can be
undone. Clients are let in by a step of their own, so that the record knows for certain whether they may
have written to the new version: what they wrote is never reverted unasked.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from instar.control.catalog import parameters, paths, renames, versions
from instar.control.engine.outcomes import Done, Fail, Goto, Outcome, Step, Story, Wait
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import (
    configuration_move,
    guest_steps,
    lookup,
    planning,
    probes,
    second_server,
    tags,
    undo,
    upgrade_checks,
    ways_back,
)
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.operations.guest_steps import watched
from instar.control.store.tables import DatastoreVersion, Instance
from instar.wire.agent import Manifest, PostUpgradeParams, ReadBack, UpgradeParams
from instar.wire.errors import InstarError
from instar.wire.plans import UpgradeOptions
from instar.wire.states import InstanceStatus, Stretch


def request(
    desk: Desk,
    caller: Caller,
    instance_id: str,
    version_ref: str | None,
    options: UpgradeOptions,
    *,
    image: str | None = None,
) -> Submitted:
    """Accept an upgrade: resolve and freeze the target, take the slot, write operation, event and status.

    Without `version_ref` it is a rebuild: the instance's own version again, on the image that instances of it
    get now, or on `image`.

    Raises NotFound for an unknown instance or version, BadRequest with the versions that can be reached for
    a forbidden one and for a plan that is none of this upgrade's, Busy when an operation is open or the
    instance is not ACTIVE.
    """

    def find(session: Session) -> DatastoreVersion:
        known = lookup.instance(session, caller, instance_id).version
        return versions.find(session, known.datastore_id, version_ref or known.id)

    newest = tags.unasked if image else tags.resolve(desk, find)
    with desk.store.begin() as session:
        instance, target = lookup.instance(session, caller, instance_id), find(session)
        onto = image or versions.image_of(target, newest)
        paths.check(instance.version, target, target.datastore.versions)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        chosen = planning.choose(session, instance, target, options, desk)
        submission = Submission(
            actor=caller.user,
            request_id=caller.request_id,
            inputs=_inputs(instance, target, onto) | chosen.model_dump(),
            details=_details(instance, target, onto) | ({"forced": True} if options.force else {}),
        )
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def _inputs(instance: Instance, target: DatastoreVersion, image: str) -> dict[str, Any]:
    """What an upgrade goes by, whatever becomes of versions meanwhile."""
    return {
        "version_id": target.id,
        "version": target.name,
        "version_id_before": instance.version_id,
        "version_before": instance.version.name,
        "image": image,
        "image_before": instance.image,
    }


def _details(instance: Instance, target: DatastoreVersion, image: str) -> dict[str, Any]:
    """What start, end and error tell of an upgrade."""
    return {
        "datastore_version_id": target.id,
        "version_before": instance.version.name,
        "version_after": target.name,
        "image_before": instance.image,
        "image_after": image,
        "address": instance.address,
    }


# -- prepare ------------------------------------------------------------------------------------------------


def preflight(ctx: Context) -> Outcome:
    """Make the plan while the database serves, and refuse what it blocks or what is not as agreed."""
    wanted = planning.Wanted.of(ctx.inputs)
    sight = planning.look(ctx, wanted)
    plan = planning.make(ctx, wanted, sight)
    force = bool(ctx.inputs.get("force"))
    over = planning.overridden(plan, force=force)
    error = planning.refusal(plan, force=force) or planning.changed_since(ctx, ctx.inputs["plan"], plan)
    if error or sight.image_after is None or sight.read_back is None:
        return Fail(error or InstarError("The upgrade was refused before any downtime"))
    return _branch(
        ctx,
        Done(
            {
                "plan": plan.model_dump(mode="json", exclude={"basis", "text_ordering", "steps", "findings"}),
                "format_changes": plan.format_changes,
                "settings": configuration_move.settings(ctx.instance, plan),
                "manifest": sight.image_after.model_dump(),
                "before": sight.read_back.model_dump(),
                "findings": [finding.model_dump(mode="json") for finding in plan.findings],
                "overridden": [finding.model_dump(mode="json") for finding in over],
            },
            details={"overridden": [finding.seen for finding in over]} if over else {},
        ),
        replace="make_room",
    )


def stage(ctx: Context) -> Outcome:
    """Bring the image to where the server runs."""
    staging = ctx.provider.stage(ctx.server, ctx.inputs["image"])
    if staging.done:
        return Goto("pre_upgrade")
    return Wait(0.1, staging.reason or "the image is being brought to the server", moved=staging.moved)


def make_room(ctx: Context) -> Outcome:
    """Delete the server that an earlier upgrade kept: its undo, until this one succeeds, is by a rebuild."""
    return second_server.make_room(ctx)


def standby(ctx: Context) -> Outcome:
    """Boot the server that is to take over, while the old one serves."""
    return second_server.boot(ctx, ctx.inputs["image"])


def _branch(ctx: Context, outcome: Outcome, *, replace: str) -> Outcome:
    """Have the strategy's own step follow a step that is done."""
    if not isinstance(outcome, Done) or ctx.inputs.get("strategy") != "replace":
        return outcome
    return Goto(replace, outcome.output, details=outcome.details)


# -- switch -------------------------------------------------------------------------------------------------


@watched
def pre_upgrade(ctx: Context) -> Outcome:
    """Let the guest stop its database and give `upgrade_info` for the new image."""
    manifest = Manifest.model_validate(ctx.output("preflight")["manifest"])
    params = UpgradeParams(
        target_engine_version=manifest.engine_version,
        target_image_digest=ctx.inputs["image"],
        source_image_digest=ctx.inputs["image_before"] or "",
        target_glibc=manifest.glibc,
        target_icu=manifest.icu,
        method=ctx.inputs["method"],
        text_ordering=ctx.inputs.get("text_ordering", "rebuild"),
        target_extensions=manifest.extensions,
        target_parameters=_understood(ctx, manifest.engine_version),
    )
    outcome = guest_steps.run_job(ctx, "pre_upgrade", params)
    return Done({"upgrade_info": dict(outcome.output)}) if isinstance(outcome, Done) else outcome


def _understood(ctx: Context, engine_after: str) -> list[str]:
    """List the parameters that the target version takes; empty while they are not known."""
    with ctx.store.read() as session:
        names = parameters.names(session, ctx.inputs["version_id"])
    version = ctx.instance.version
    here = ctx.instance.engine_version or version.number
    return renames.understood(names, version.manager, here, engine_after)


@watched
def snapshot(ctx: Context) -> Outcome:
    """Keep the volume's state while nobody writes, where the plan says so."""
    taken = ctx.output("preflight")["plan"]["snapshot"]["taken"]
    return _branch(ctx, undo.take_snapshot(ctx) if taken else Done(), replace="hand_over")


@watched
def rebuild(ctx: Context) -> Outcome:
    """Replace the root disk by the new image; the port and the volume stay."""
    outcome = guest_steps.rebuild(ctx, ctx.inputs["image"], ctx.work.operation_id)
    return Goto("await_agent", outcome.output, outcome.record) if isinstance(outcome, Done) else outcome


@watched
def hand_over(ctx: Context) -> Outcome:
    """Stop the old server; the port and the volume go to the new one."""
    old, new = (ctx.output("standby")[name] for name in ("before", "server"))
    return second_server.hand_over(ctx, old, new, ctx.work.operation_id)


@watched
def await_agent(ctx: Context) -> Outcome:
    """Wait for the new image's agent."""
    return guest_steps.await_agent(ctx, ctx.inputs["image"])


@watched
def post_upgrade(ctx: Context) -> Outcome:
    """Let the new agent upgrade the data files, start the database, and check; clients are kept out."""
    params = PostUpgradeParams(
        upgrade_info=ctx.output("pre_upgrade")["upgrade_info"],
        configuration=ctx.output("preflight")["settings"],
        probes=probes.registered(ctx.instance),
        text_ordering=ctx.inputs.get("text_ordering", "rebuild"),
        resumed=_resumed_at(ctx, "post_upgrade"),
    )
    outcome = guest_steps.run_job(ctx, "post_upgrade", params)
    if isinstance(outcome, Wait) and ctx.output("preflight")["plan"]["point_of_no_return"] == "post_upgrade":
        return replace(outcome, reason=f"{outcome.reason} (no way leads back from here on)")
    return outcome


@watched
def let_in(ctx: Context) -> Outcome:
    """Let clients in."""
    return guest_steps.run_job(ctx, "start")


# -- settle -------------------------------------------------------------------------------------------------


@watched
def verify(ctx: Context) -> Outcome:
    """Read back what runs, and hold it against what was promised and what was there before.

    What was before and after was read by the guest while clients were out, so that nothing of theirs counts.
    From outside, the address must let clients in again, if it ever did.
    """
    prepared, info = ctx.output("preflight"), ctx.output("pre_upgrade")["upgrade_info"]
    manifest = Manifest.model_validate(prepared["manifest"])
    seen, findings = guest_steps.verify_machine(ctx, manifest, ctx.inputs["image"])
    before = ReadBack.model_validate(info.get("read_back") or prepared["before"])
    after = ReadBack.model_validate(ctx.output("post_upgrade").get("read_back") or seen["read_back"])
    gone = upgrade_checks.lost(before, after)
    findings += upgrade_checks.told_only(gone) if _resumed_at(ctx, "verify") else gone
    other = upgrade_checks.altered(before, after, _moved(ctx))
    findings += upgrade_checks.told_only(other) if _resumed_at(ctx, "post_upgrade", "verify") else other
    error = upgrade_checks.broken_promise(findings)
    if error:
        return Fail(error)
    if guest_steps.is_out(ctx):
        return Wait(guest_steps.LOOK_AGAIN, "from outside, the instance's address lets nobody in yet")
    return Done({**seen, "findings": [finding.model_dump(mode="json") for finding in findings]})


def _resumed_at(ctx: Context, *steps: str) -> bool:
    """Tell whether somebody has read what one of these steps found, and resumed the operation there."""
    return ctx.output("resumed").get("at") in steps


def _moved(ctx: Context) -> set[str]:
    """Name the settings that the API has put in force, and those of which the guest told another value."""
    adjusted = ctx.output("post_upgrade").get("adjusted", [])
    return {*(ctx.instance.settings or {}), *(ctx.output("preflight")["settings"] or {}), *adjusted}


def tidy(ctx: Context) -> Outcome:
    """Let the guest gather statistics and remove old files."""
    return guest_steps.run_job(ctx, "settle")


def forget(ctx: Context) -> Outcome:
    """Delete what an earlier upgrade kept: from here on, this one is what can be undone."""
    return undo.forget(ctx)


def finish(ctx: Context) -> Outcome:
    """Change the record: the instance is of the new version now, and for a while it can go back."""
    ctx.outages.end(ctx.work.operation_id)
    planning.remember(ctx)
    return Done(
        record={
            "version_id": ctx.inputs["version_id"],
            **ways_back.record_of(ctx.output("verify")),
            **configuration_move.record(ctx),
            **undo.record(ctx),
        }
    )


STORY: Story[Context] = Story(
    kind="upgrade",
    status=InstanceStatus.UPGRADE,
    steps=(
        Step("preflight", preflight, Stretch.PREPARE, patience=60, harmless=True),
        Step("stage", stage, Stretch.PREPARE, patience=300, harmless=True),
        Step("make_room", make_room, Stretch.PREPARE, patience=120, harmless=True),
        Step("standby", standby, Stretch.PREPARE, patience=900, way_back="withdraw"),
        Step("pre_upgrade", pre_upgrade, Stretch.SWITCH, patience=180, way_back="reinstate"),
        Step("snapshot", snapshot, Stretch.SWITCH, patience=600, way_back="reinstate"),
        Step("rebuild", rebuild, Stretch.SWITCH, patience=600, way_back=ways_back.choose),
        Step("hand_over", hand_over, Stretch.SWITCH, patience=300, way_back=ways_back.choose),
        Step("await_agent", await_agent, Stretch.SWITCH, patience=300, way_back=ways_back.choose),
        Step("post_upgrade", post_upgrade, Stretch.SWITCH, patience=600, way_back=ways_back.choose),
        Step("let_in", let_in, Stretch.SWITCH, patience=180, way_back=ways_back.choose),
        Step("verify", verify, Stretch.SETTLE, patience=60, way_back=ways_back.choose),
        Step("tidy", tidy, Stretch.SETTLE, patience=600, optional=True),
        Step("forget", forget, Stretch.SETTLE, patience=300, optional=True),
        Step("finish", finish, Stretch.SETTLE),
    ),
    ways_back=(
        (
            Step("reinstate", watched(guest_steps.reinstate), Stretch.SWITCH, patience=180),
            Step("drop_snapshot", ways_back.drop_snapshot, Stretch.SETTLE, patience=300, optional=True),
        ),
        (
            *ways_back.RETURN,
            Step("clear", ways_back.drop_snapshot, Stretch.SETTLE, patience=300, optional=True),
        ),
        (Step("withdraw", ways_back.drop_snapshot, Stretch.PREPARE, patience=300, optional=True),),
    ),
)
