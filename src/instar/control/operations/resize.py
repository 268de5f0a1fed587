"""Resize: the server becomes one of another flavor; its root disk, volume and address stay.

1. stop_database  the guest stops the database cleanly
2. resize         the provider changes the server's size, for which the server may boot again
3. await_agent    its agent answers
4. start          the guest hears of the new size, and starts the database to fit it
5. verify         what runs is read back from machine and database, the size among it
6. finish         the record changes: the instance is of the new flavor now

A failure in 1 starts the database again. A later one takes the way back `restore_size`: the server gets its
old size again, and the database serves as before. Every step may be repeated: a server that has the size is
left alone.
"""

from typing import Any

from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup, quotas, sizes
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.providers.base import FlavorSpec
from instar.control.store.tables import Instance
from instar.wire.errors import BadRequest, Finding, NotFound, NotSupported
from instar.wire.states import InstanceStatus, Stretch


def request(desk: Desk, caller: Caller, instance_id: str, flavor_id: str) -> Submitted:
    """Accept a resize to a flavor.

    Raises NotFound, BadRequest for a flavor that is unknown or the instance's own, NotSupported where the
    provider can't, Busy when an operation is open or the instance is not ACTIVE, OverLimit beyond a quota.
    """
    desk.flavors()  # a cloud is asked before the transaction begins; what it says is kept for a while
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        flavor = sizes.flavor(desk, flavor_id, "resize.flavorRef")
        if flavor.id == instance.flavor_id:
            raise BadRequest(
                "resize.flavorRef: no change was requested in the size of the instance",
                seen=f"it has flavor {flavor.id} already",
            )
        if not desk.abilities.resize_server:
            raise NotSupported("Servers of this provider can't be resized", remedy="Create another instance.")
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        more = flavor.ram - quotas.ram(desk, instance.flavor_id)
        quotas.refuse_beyond(session, desk, instance.project, {"ram": more})
        submission = _submission(caller, instance, flavor)
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def _submission(caller: Caller, instance: Instance, flavor: FlavorSpec) -> Submission:
    inputs = {"flavor_id": flavor.id, "flavor_id_before": instance.flavor_id, "image": instance.image}
    details = {"new_flavor_id": flavor.id, "old_flavor_id": instance.flavor_id, "ram": flavor.ram}
    return Submission(caller.user, caller.request_id, inputs, details=details)


def stop_database(ctx: Context) -> Outcome:
    """Stop the database cleanly."""
    return guest_steps.run_job(ctx, "stop")


def resize(ctx: Context) -> Outcome:
    """Give the server its new size."""
    return _give(ctx, ctx.flavor(ctx.inputs["flavor_id"]))


def restore_size(ctx: Context) -> Outcome:
    """Give the server its old size again."""
    return _give(ctx, ctx.flavor(ctx.inputs["flavor_id_before"]))


def _give(ctx: Context, flavor: FlavorSpec) -> Outcome:
    ctx.work.check_mine()
    return guest_steps.up(ctx.provider.resize_server(ctx.server, flavor), "resize", "resized")


def await_agent(ctx: Context) -> Outcome:
    """Wait for the agent."""
    return guest_steps.await_agent(ctx, ctx.inputs["image"])


def start(ctx: Context) -> Outcome:
    """Tell the guest its new size, and let it start the database."""
    return _start(ctx, ctx.inputs["flavor_id"])


def reinstate(ctx: Context) -> Outcome:
    """Tell the guest its old size, and let it start the database; ends when that is healthy."""
    outcome = _start(ctx, ctx.inputs["flavor_id_before"])
    return guest_steps.healthy(ctx) if isinstance(outcome, Done) else outcome


def _start(ctx: Context, flavor_id: str) -> Outcome:
    """Start the database; one whose agent is of an older release keeps to the size it knows."""
    try:
        ctx.guest.call("resized", {"ram": ctx.flavor(flavor_id).ram})
    except (NotFound, NotSupported) as error:
        outcome = guest_steps.run_job(ctx, "start")
        return Done({"warning": error.body.sentence()}) if isinstance(outcome, Done) else outcome
    return guest_steps.run_job(ctx, "start")


def verify(ctx: Context) -> Outcome:
    """Read back what runs, and hold it against what was asked for."""
    healthy = guest_steps.healthy(ctx)
    if not isinstance(healthy, Done):
        return healthy
    manifest = ctx.provider.image(ctx.inputs["image"]).manifest
    seen, findings = guest_steps.verify_machine(ctx, manifest, ctx.inputs["image"])
    error = guest_steps.verdict([*findings, *_wrong_size(ctx)], "The server is not what was asked for")
    return Fail(error) if error else Done(seen, record=healthy.record)


def _wrong_size(ctx: Context) -> list[Finding]:
    """Find that the provider tells another size; nothing where it tells none."""
    told = ctx.provider.inspect_server(ctx.server).flavor
    return guest_steps.differences({"flavor": ctx.inputs["flavor_id"]}, {"flavor": told}) if told else []


def finish(ctx: Context) -> Outcome:
    """Change the record."""
    changes: dict[str, Any] = {"flavor_id": ctx.inputs["flavor_id"]}
    return Done(record=changes)


STORY: Story[Context] = Story(
    kind="resize",
    status=InstanceStatus.RESIZE,
    steps=(
        Step("stop_database", stop_database, Stretch.SWITCH, patience=180, way_back="reinstate"),
        Step("resize", resize, Stretch.SWITCH, patience=900, way_back="restore_size"),
        Step("await_agent", await_agent, Stretch.SWITCH, patience=300, way_back="restore_size"),
        Step("start", start, Stretch.SWITCH, patience=180, way_back="restore_size"),
        Step("verify", verify, Stretch.SETTLE, patience=60, way_back="restore_size"),
        Step("finish", finish, Stretch.SETTLE),
    ),
    ways_back=(
        (
            Step("restore_size", restore_size, Stretch.SWITCH, patience=900),
            Step("await_return", await_agent, Stretch.SWITCH, patience=300),
            Step("reinstate", reinstate, Stretch.SWITCH, patience=180),
        ),
    ),
)
