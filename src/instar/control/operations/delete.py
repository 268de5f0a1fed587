"""Delete: the server, the volume and the address go, in that order; the row is hidden at the end.

1. stop_database  the database is stopped cleanly, where the guest still answers
2. server         the server and every process of it, and the one that an upgrade made or kept beside it
3. volume         the data, and its snapshots
4. network        the address
5. finish         the instance can't be found any more

A failure leaves the instance in ERROR with a fault; `resume` goes on where it stopped.
"""

import time

from instar.control.engine.outcomes import Done, Outcome, Step, Story
from instar.control.engine.submit import Submission, submit
from instar.control.operations import guest_steps, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.store import plans
from instar.wire.errors import InstarError
from instar.wire.states import InstanceStatus, Stretch


def request(desk: Desk, caller: Caller, instance_id: str) -> Submitted:
    """Accept a delete. Raises NotFound, and Busy when an operation is open."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        submission = Submission(caller.user, caller.request_id, details={"address": instance.address})
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def stop_database(ctx: Context) -> Outcome:
    """Stop the database cleanly; a guest that does not answer is not waited for, its data go anyway."""
    if ctx.instance.server is None:
        return Done()
    try:
        return guest_steps.run_job(ctx, "stop")
    except InstarError as error:
        return Done({"warning": error.body.sentence()})


def server(ctx: Context) -> Outcome:
    """Remove the server, also one that was made and never recorded."""
    found = [ctx.instance.server, *(ctx.provider.find_server(name) for name in ctx.server_names)]
    for number, handle in enumerate(found):
        if handle is not None and handle not in found[:number]:
            ctx.provider.destroy_server(handle)
    return Done(record={"server": None})


def volume(ctx: Context) -> Outcome:
    """Remove the volume."""
    handle = ctx.instance.volume or ctx.provider.find_volume(ctx.name)
    if handle is not None:
        ctx.provider.destroy_volume(handle)
    return Done(record={"volume": None})


def network(ctx: Context) -> Outcome:
    """Give the address back, and that of a standby."""
    handles = (ctx.instance.port or ctx.provider.find_port(ctx.name), ctx.provider.find_port(ctx.second_name))
    for handle in handles:
        if handle is not None:
            ctx.provider.destroy_port(handle)
    return Done(record={"port": None})


def finish(ctx: Context) -> Outcome:
    """Hide the instance; its plans are forgotten."""
    with ctx.store.begin() as session:
        plans.forget(session, ctx.instance.id)
    return Done(record={"deleted": True, "deleted_at": time.time()})


STORY: Story[Context] = Story(
    kind="delete",
    status=InstanceStatus.SHUTDOWN,
    ends_as=InstanceStatus.DELETED,
    steps=(
        Step("stop_database", stop_database, Stretch.SWITCH, patience=60, optional=True),
        Step("server", server, Stretch.SWITCH),
        Step("volume", volume, Stretch.SWITCH),
        Step("network", network, Stretch.SWITCH),
        Step("finish", finish, Stretch.SETTLE),
    ),
)
