"""Configure: values set through the API are put in force on an instance, or taken out of force.

1. apply  the guest writes the values, has the database heed them, and says which of them wait for a restart

Clients are served all the while. After a failure, or an abort, the way back `put_back` puts the values that
the instance had in force again, so that the record is true of what runs.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from instar.control.engine.outcomes import Done, Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import answers, guest_steps, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.store.tables import Configuration, Instance, Operation
from instar.wire.agent import ConfigurationApplied, ConfigurationParams
from instar.wire.errors import Aborted, DeadlinePassed, GuestUnreachable
from instar.wire.states import InstanceStatus

UNCERTAIN = (Aborted.code, DeadlinePassed.code, GuestUnreachable.code)
"""Errors after which the new values may be in force; after one of its own the guest has put the old back."""


def enter(
    session: Session,
    desk: Desk,
    caller: Caller,
    instance: Instance,
    group: Configuration | None,
    values: Mapping[str, Any],
) -> Submitted:
    """Accept that `group` (None: no group) with `values` is put in force, in the caller's transaction.

    Wake a worker after it. Raises Busy when an operation is open or the instance is not usable.
    """
    refuse_if_busy(session, instance.id)
    lookup.refuse_unless_active(instance)
    submission = Submission(
        actor=caller.user,
        request_id=caller.request_id,
        inputs={
            "configuration_id": group.id if group else None,
            "configuration": group.name if group else None,
            "changed": _changed(instance.settings or {}, values),
        },
        secrets=desk.sealer.seal({"values": dict(values)}),
    )
    operation = submit(session, desk.store.now(session), STORY, instance, submission)
    return Submitted(operation.id, instance.id)


def cause(operation: Operation) -> str:
    """Say in a line why an operation failed; the operation itself tells all of it."""
    body = answers.error_of(operation).body
    first = body.seen.strip().partition("\n")[0]
    return f"{body.brief}: {first[:200]}" if first else body.brief


def apply(ctx: Context) -> Outcome:
    """Let the guest put the values in force."""
    values = ctx.secrets()["values"]
    outcome = guest_steps.run_job(ctx, "apply_configuration", ConfigurationParams(configuration=values))
    if not isinstance(outcome, Done):
        return outcome
    applied = ConfigurationApplied.model_validate(outcome.output)
    return Done(
        applied.model_dump(),
        record={
            "configuration_id": ctx.inputs["configuration_id"],
            "settings": values or None,
            "restart_required": bool(applied.pending_restart),
            "service_status": ctx.guest.status().status,
        },
    )


def put_back(ctx: Context) -> Outcome:
    """Let the guest put the values in force that the record tells of, unless it has done so itself."""
    if (ctx.work.error or {}).get("code") not in UNCERTAIN:
        return Done()
    values = ConfigurationParams(configuration=ctx.instance.settings or {})
    outcome = guest_steps.run_job(ctx, "apply_configuration", values)
    if not isinstance(outcome, Done):
        return outcome
    applied = ConfigurationApplied.model_validate(outcome.output)
    waits = bool(applied.pending_restart)
    return Done(record={"restart_required": waits, "service_status": ctx.guest.status().status})


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name the parameters whose value changes; the values themselves may be secret."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


STORY: Story[Context] = Story(
    kind="configure",
    status=InstanceStatus.ACTIVE,
    steps=(Step("apply", apply, patience=60, way_back="put_back"),),
    ways_back=((Step("put_back", put_back, patience=60),),),
)
