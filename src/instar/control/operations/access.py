"""Access: who may reach the database's port, where the provider can limit that.

1. limit  the provider lets in whom the request names, and the record says so

Clients are served all the while. What is asked of a provider that can't limit anything is refused when it
narrows, and noted when it doesn't. A failure, or an abort, takes the way back `put_back`: those are let in
who were before.
"""

import ipaddress
from typing import Any

from instar.control.engine.outcomes import Done, Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.providers.base import AccessRule, Handle
from instar.wire import rest
from instar.wire.errors import BadRequest, NotSupported
from instar.wire.states import InstanceStatus, Stretch


def request(desk: Desk, caller: Caller, instance_id: str, wanted: rest.Access) -> Submitted | None:
    """Accept other access; None where that is a change of the record alone.

    Raises NotFound, BadRequest for what is no network, NotSupported where the provider can't limit access,
    and Busy when an operation is open or the instance is not ACTIVE.
    """
    check(desk, wanted)
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        refuse_if_busy(session, instance.id)
        if not desk.abilities.limits_access:
            instance.access = wanted.model_dump(exclude_unset=True)
            instance.updated = desk.store.now(session)
            return None
        lookup.refuse_unless_active(instance)
        details = {"access": wanted.model_dump(exclude_unset=True)}
        inputs = {**details, "service_status": instance.service_status}
        submission = Submission(caller.user, caller.request_id, inputs, details=details)
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def check(desk: Desk, wanted: rest.Access) -> None:
    """Raise BadRequest naming what is no network, NotSupported where nobody can be kept out."""
    networks = [_network(text, place) for place, text in enumerate(wanted.allowed_cidrs)]
    if desk.abilities.limits_access or not networks or any(each.prefixlen == 0 for each in networks):
        return
    raise NotSupported(
        "instance.access.allowed_cidrs: this provider can't limit who reaches an instance",
        remedy="Leave it out, and keep others out by a firewall of the machine's or network's own.",
    )


def _network(text: str, place: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise BadRequest(f"instance.access.allowed_cidrs.{place}: {error}") from None


def limit(ctx: Context) -> Outcome:
    """Have the provider let in whom the request names."""
    tell(ctx, ctx.port.handle, ctx.inputs["access"])
    return Done(record={name: ctx.inputs[name] for name in ("access", "service_status")})


def put_back(ctx: Context) -> Outcome:
    """Have the provider let in those whom the record names."""
    tell(ctx, ctx.port.handle, ctx.instance.access or {})
    return Done(record={"service_status": ctx.inputs["service_status"]})


def tell(ctx: Context, port: Handle, access: dict[str, Any]) -> None:
    """Tell the provider whom a port lets in. Repeatable."""
    ctx.work.check_mine()
    rule = AccessRule(access.get("is_public", False), tuple(access.get("allowed_cidrs", ())))
    ctx.provider.limit_access(port, rule)


STORY: Story[Context] = Story(
    kind="update_access",
    status=InstanceStatus.ACTIVE,
    steps=(Step("limit", limit, Stretch.PREPARE, patience=60, way_back="put_back"),),
    ways_back=((Step("put_back", put_back, Stretch.PREPARE, patience=60),),),
)
