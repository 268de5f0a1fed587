"""Upgrade: an instance moves onto another image; its volume, address, hostname and configuration stay.

Prepare: the database serves clients, and whatever fails here leaves the instance as it was.
 1. preflight    the agent and the database are healthy, the image is there, the guest sees nothing in the way
 2. stage        the image lies, unpacked, where the server runs
Switch: clients are out. Until the rebuild, the way back is to start the database again.
 3. pre_upgrade  the guest checks again, stops the database cleanly, saves configuration to the volume
 4. rebuild      the provider wipes the root disk and puts the new image in its place
 5. await_agent  the new image's agent answers, as the one that was expected
 6. post_upgrade the guest restores configuration, upgrades the data files, checks, lets clients in
Settle: clients are served again, on the new image.
 7. verify       what runs is read back from database and machine, and held against what was promised
 8. tidy         statistics and old files; the instance does not depend on it
 9. finish       the record changes: this is where the instance's version becomes the new one

A failure in 1 or 2 leaves the instance alone. One in 3 takes the way back `reinstate`: the old database is
started again on the old image. One in 4 to 7 ends in ERROR with a fault; `resume` runs the failed step again.
Every step may be repeated: guest work is a named job, the rebuild carries the operation's id as its token.
"""

from typing import Any

from instar.control.catalog import paths, versions
from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Story, Wait
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup, upgrade_checks
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.store.tables import DatastoreVersion, Instance
from instar.wire.agent import Manifest, PostUpgradeParams, ReadBack, UpgradeCheck, UpgradeParams
from instar.wire.errors import BadRequest, Finding, InstarError
from instar.wire.states import InstanceStatus, ServerState, Stretch

METHODS = ("link", "clone", "copy")


def request(
    desk: Desk, caller: Caller, instance_id: str, version_ref: str, *, method: str = "link"
) -> Submitted:
    """Accept an upgrade: resolve and freeze the target, take the slot, write operation, event and status.

    Raises NotFound for an unknown instance or version, BadRequest with the versions that can be reached for
    a forbidden one, Busy when an operation is open or the instance is not ACTIVE.
    """
    if method not in METHODS:
        raise BadRequest(f"method must be one of {', '.join(METHODS)}", seen=f"method is {method!r}")
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        target = versions.find(session, instance.version.datastore_id, version_ref)
        paths.check(instance.version, target, target.datastore.versions)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        submission = Submission(
            actor=caller.user,
            request_id=caller.request_id,
            inputs={
                "version_id": target.id,
                "version": target.name,
                "version_before": instance.version.name,
                "image": _image_of(target),
                "image_before": instance.image,
                "method": method,
            },
            details=_details(instance, target),
        )
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def _details(instance: Instance, target: DatastoreVersion) -> dict[str, Any]:
    """What start, end and error tell of an upgrade."""
    return {
        "datastore_version_id": target.id,
        "version_before": instance.version.name,
        "version_after": target.name,
        "image_before": instance.image,
        "image_after": target.image,
        "address": instance.address,
    }


def _image_of(target: DatastoreVersion) -> str:
    if not target.image:
        raise BadRequest(
            f"Datastore version {target.name} names no image",
            remedy="Register an image with it: `instar version set`.",
        )
    return target.image


# -- prepare ------------------------------------------------------------------------------------------------


def preflight(ctx: Context) -> Outcome:
    """Gather everything that stands in the way, while the database serves."""
    manifest = ctx.provider.image(ctx.inputs["image"]).manifest
    findings = upgrade_checks.machine(ctx, manifest)
    before = None
    if not any(finding.check in ("server", "database") for finding in findings):
        checked = ctx.guest.call("check_upgrade", _params(ctx, manifest).model_dump())
        findings += [Finding.model_validate(each) for each in UpgradeCheck.model_validate(checked).findings]
        before = guest_steps.read_back(ctx)
        findings += upgrade_checks.extensions(before, manifest)
    error = upgrade_checks.refusal(findings)
    if error or before is None:
        return Fail(error or InstarError("The upgrade was refused"))
    return Done(
        {
            "manifest": manifest.model_dump(),
            "before": before.model_dump(),
            "agent_before": ctx.guest.info().model_dump(),
            "findings": [finding.model_dump() for finding in findings],
        }
    )


def _params(ctx: Context, manifest: Manifest) -> UpgradeParams:
    return UpgradeParams(
        target_engine_version=manifest.engine_version,
        target_image_digest=ctx.inputs["image"],
        source_image_digest=ctx.inputs["image_before"] or "",
        target_glibc=manifest.glibc,
        target_icu=manifest.icu,
        method=ctx.inputs["method"],
    )


def stage(ctx: Context) -> Outcome:
    """Bring the image to where the server runs."""
    staging = ctx.provider.stage(ctx.server, ctx.inputs["image"])
    if staging.done:
        return Done()
    return Wait(0.1, staging.reason or "the image is being brought to the server", moved=staging.moved)


# -- switch -------------------------------------------------------------------------------------------------


def pre_upgrade(ctx: Context) -> Outcome:
    """Let the guest stop its database and give `upgrade_info` for the new image."""
    manifest = Manifest.model_validate(ctx.output("preflight")["manifest"])
    outcome = guest_steps.run_job(ctx, "pre_upgrade", _params(ctx, manifest))
    return Done({"upgrade_info": dict(outcome.output)}) if isinstance(outcome, Done) else outcome


def rebuild(ctx: Context) -> Outcome:
    """Replace the root disk by the new image; the port and the volume stay."""
    ctx.work.check_mine()
    token = ctx.work.operation_id
    info = ctx.provider.rebuild_server(ctx.server, ctx.inputs["image"], ctx.files(), token)
    if info.state == ServerState.BUILDING:
        return Wait(guest_steps.LOOK_AGAIN, f"the server is being rebuilt: {info.reason}".rstrip(": "))
    if info.state != ServerState.ACTIVE:
        return Fail(
            InstarError(
                "The rebuild did not leave a running server",
                seen=f"the provider says {info.state}: {info.reason}",
                remedy="Mend the cause at the provider and resume the operation.",
            )
        )
    return Done({"image": info.image}, record={"server": info.handle})


def await_agent(ctx: Context) -> Outcome:
    """Wait for the new image's agent."""
    return guest_steps.await_agent(ctx, ctx.inputs["image"])


def post_upgrade(ctx: Context) -> Outcome:
    """Let the new agent upgrade the data files, check, and let clients in."""
    params = PostUpgradeParams(upgrade_info=ctx.output("pre_upgrade")["upgrade_info"])
    return guest_steps.run_job(ctx, "post_upgrade", params)


# -- settle -------------------------------------------------------------------------------------------------


def verify(ctx: Context) -> Outcome:
    """Read back what runs, and hold it against what was promised and what was there before.

    What was before and after was read by the guest while clients were out, so that nothing of theirs counts.
    """
    prepared, info = ctx.output("preflight"), ctx.output("pre_upgrade")["upgrade_info"]
    manifest = Manifest.model_validate(prepared["manifest"])
    seen, findings = guest_steps.verify_machine(ctx, manifest, ctx.inputs["image"])
    before = ReadBack.model_validate(info.get("read_back") or prepared["before"])
    after = ReadBack.model_validate(ctx.output("post_upgrade").get("read_back") or seen["read_back"])
    findings += upgrade_checks.lost(before, after)
    findings += upgrade_checks.changed(before, after, resumed=ctx.work.resumes > 0)
    error = upgrade_checks.broken_promise(findings)
    told = [finding.model_dump() for finding in findings]
    return Fail(error) if error else Done({**seen, "findings": told})


def tidy(ctx: Context) -> Outcome:
    """Let the guest gather statistics and remove old files."""
    return guest_steps.run_job(ctx, "settle")


def finish(ctx: Context) -> Outcome:
    """Change the record: the instance is of the new version now."""
    seen = ctx.output("verify")
    return Done(
        record={
            "version_id": ctx.inputs["version_id"],
            "image": seen["image"],
            "agent_version": seen["agent version"],
            "engine_version": seen["engine version"],
            "service_status": seen["service"],
        }
    )


STORY: Story[Context] = Story(
    kind="upgrade",
    status=InstanceStatus.UPGRADE,
    steps=(
        Step("preflight", preflight, Stretch.PREPARE, patience=60, harmless=True),
        Step("stage", stage, Stretch.PREPARE, patience=300, harmless=True),
        Step("pre_upgrade", pre_upgrade, Stretch.SWITCH, patience=180, way_back="reinstate"),
        Step("rebuild", rebuild, Stretch.SWITCH, patience=600),
        Step("await_agent", await_agent, Stretch.SWITCH, patience=300),
        Step("post_upgrade", post_upgrade, Stretch.SWITCH, patience=600),
        Step("verify", verify, Stretch.SETTLE, patience=60),
        Step("tidy", tidy, Stretch.SETTLE, patience=600, optional=True),
        Step("finish", finish, Stretch.SETTLE),
    ),
    ways_back=(Step("reinstate", guest_steps.reinstate, Stretch.SWITCH, patience=180),),
)
