"""Reboot: the server goes down and boots again from the same root disk; the database comes up with it.

1. stop_database  the guest stops the database cleanly; one that can't is not waited for
2. reboot         the provider ends every process of the server and boots it again, once
3. await_agent    the agent answers, out of another boot than before
4. start          the database runs and lets clients in
5. verify         it is healthy

A reboot that the provider refuses takes the way back `reinstate`: the database is started again. A later
failure leaves the instance in ERROR with a fault; `resume` goes on.
"""

from instar.control.engine.outcomes import Done, Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.wire.errors import GuestError, GuestUnreachable
from instar.wire.states import InstanceStatus, Stretch

PATIENCE = 10.0
"""Seconds that a guest has to answer before its server goes down without it."""


def request(desk: Desk, caller: Caller, instance_id: str) -> Submitted:
    """Accept a reboot. Raises NotFound, and Busy when an operation is open or the instance is not ACTIVE."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        inputs = {"image": instance.image}
        submission = Submission(caller.user, caller.request_id, inputs, details={"address": instance.address})
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def stop_database(ctx: Context) -> Outcome:
    """Stop the database cleanly, and note which boot is to end."""
    try:
        outcome = guest_steps.run_job(ctx, "stop")
        return Done({"boot_id": ctx.guest.info().boot_id}) if isinstance(outcome, Done) else outcome
    except (GuestUnreachable, GuestError) as error:
        if error.body.retryable and ctx.work.waited < PATIENCE:
            raise
        return Done({"warning": error.body.sentence()})


def reboot(ctx: Context) -> Outcome:
    """Have the server boot again."""
    ctx.work.check_mine()
    info = ctx.provider.reboot_server(ctx.server, ctx.work.operation_id)
    return guest_steps.up(info, "reboot", "rebooted")


def await_agent(ctx: Context) -> Outcome:
    """Wait for the agent of the new boot."""
    before = ctx.output("stop_database").get("boot_id", "")
    return guest_steps.await_agent(ctx, ctx.inputs["image"], after=before)


def start(ctx: Context) -> Outcome:
    """Start the database and let clients in; it was stopped on purpose and does not come up by itself."""
    return guest_steps.run_job(ctx, "start")


STORY: Story[Context] = Story(
    kind="reboot",
    status=InstanceStatus.REBOOT,
    steps=(
        Step("stop_database", stop_database, Stretch.SWITCH, patience=60, optional=True),
        Step("reboot", reboot, Stretch.SWITCH, patience=300, way_back="reinstate"),
        Step("await_agent", await_agent, Stretch.SWITCH, patience=300),
        Step("start", start, Stretch.SWITCH, patience=180),
        Step("verify", guest_steps.healthy, Stretch.SETTLE, patience=60),
    ),
    ways_back=((Step("reinstate", guest_steps.reinstate, Stretch.SWITCH, patience=180),),),
)
