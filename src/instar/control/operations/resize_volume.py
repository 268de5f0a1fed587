"""Resize of a volume: it grows while the database serves; it never shrinks.

1. extend  the provider makes the volume larger
2. grow    the guest has its file system take up the room, where the volume has one of its own
3. verify  the size is read back, and the record says what was seen

A failure in 1 leaves the instance as it was. A later one leaves it in ERROR with a fault; `resume` goes on.
"""

from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Story, Wait
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup, quotas
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.wire.errors import BadRequest, NotFound, NotSupported, ProviderError
from instar.wire.states import InstanceStatus, Stretch


def request(desk: Desk, caller: Caller, instance_id: str, size: int) -> Submitted:
    """Accept that a volume grows to `size` GiB.

    Raises NotFound, BadRequest for a size that is not larger, NotSupported where the provider can't, Busy
    when an operation is open or the instance is not ACTIVE, OverLimit beyond a quota.
    """
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        if size <= instance.volume_size:
            raise BadRequest(
                f"resize.volume.size: must be larger than the volume, which has {instance.volume_size} GiB",
                seen=str(size),
            )
        if not desk.abilities.extend_volume:
            raise NotSupported("Volumes of this provider can't grow", remedy="Create another instance.")
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        more = size - instance.volume_size
        quotas.refuse_beyond(session, desk, instance.project, {"volumes": more})
        inputs = {"size": size, "size_before": instance.volume_size}
        submission = Submission(caller.user, caller.request_id, inputs, details={"new_size": size})
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def extend(ctx: Context) -> Outcome:
    """Make the volume larger."""
    ctx.work.check_mine()
    size = ctx.provider.extend_volume(ctx.volume, ctx.inputs["size"]).size
    if size < ctx.inputs["size"]:
        return Wait(guest_steps.LOOK_AGAIN, f"the volume is being extended: it has {size} GiB")
    return Done(record={"volume_size": size})


def grow(ctx: Context) -> Outcome:
    """Have the file system take up the room; a guest that knows nothing of it has none of its own."""
    try:
        ctx.guest.call("grow_volume", {})
    except (NotFound, NotSupported) as error:
        return Done({"warning": error.body.sentence()})
    return Done()


def verify(ctx: Context) -> Outcome:
    """Read back how large the volume is, and that the database serves."""
    seen = ctx.provider.inspect_volume(ctx.volume)
    if seen is None or seen.size < ctx.inputs["size"]:
        return Fail(
            ProviderError(
                "The volume is not as large as was asked for",
                seen=f"{seen.size} GiB" if seen else "there is no such volume",
                remedy="Find out what the provider did, and resume the operation.",
            )
        )
    return guest_steps.serving(ctx, volume_size=seen.size)


STORY: Story[Context] = Story(
    kind="resize_volume",
    status=InstanceStatus.RESIZE,
    steps=(
        Step("extend", extend, Stretch.PREPARE, patience=300, harmless=True),
        Step("grow", grow, Stretch.SETTLE, patience=300),
        Step("verify", verify, Stretch.SETTLE, patience=60),
    ),
)
"""Its steps are none of the switch: the database serves all the while."""
