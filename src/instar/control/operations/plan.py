"""Plan: everything that an upgrade would find and do, made by a worker with the database up.

One step, `make`, which changes nothing on the instance and keeps the plan under the operation's id. A plan is
made in every status, also while another operation is open: what would be in the way is a finding. It takes no
slot and writes no events, and the operation is forgotten soon after its end; the plan stays.
"""

from sqlalchemy.orm import Session

from instar.control.catalog import paths, versions
from instar.control.engine.outcomes import Done, Outcome, Step, Story
from instar.control.engine.submit import Submission, submit
from instar.control.operations import answers, lookup, planning, tags
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.store import plans
from instar.control.store.tables import DatastoreVersion
from instar.wire.plans import Plan, UpgradeOptions
from instar.wire.states import OperationState


def request(
    desk: Desk, caller: Caller, instance_id: str, version_ref: str, options: UpgradeOptions
) -> Submitted:
    """Have a worker make a plan.

    Raises NotFound for an unknown instance or version, BadRequest with the versions that can be reached for a
    forbidden one.
    """

    def find(session: Session) -> DatastoreVersion:
        known = lookup.instance(session, caller, instance_id).version
        return versions.find(session, known.datastore_id, version_ref)

    newest = tags.resolve(desk, find)
    with desk.store.begin() as session:
        instance, target = lookup.instance(session, caller, instance_id), find(session)
        paths.check(instance.version, target, target.datastore.versions)
        chosen = planning.choose(session, instance, target, options, desk)
        image = versions.image_of(target, newest)
        inputs = {"version_id": target.id, "version": target.name, "image": image}
        submission = Submission(
            actor=caller.user,
            request_id=caller.request_id,
            inputs={**inputs, **chosen.model_dump(exclude={"plan"})},
        )
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def answer(desk: Desk, submitted: Submitted) -> Plan | None:
    """Wait for the plan; None when it was not made within the desk's time, and may be made yet."""
    operation = answers.ended(desk, submitted.operation_id)
    if operation.state != OperationState.SUCCEEDED:
        return None
    with desk.store.read() as session:
        row = plans.find(session, submitted.instance_id, submitted.operation_id)
    return Plan.model_validate(row.body) if row else None


def make(ctx: Context) -> Outcome:
    """Make the plan and keep it."""
    plan = planning.make(ctx, planning.Wanted.of(ctx.inputs))
    planning.keep(ctx, plan)
    return Done({"plan": plan.id, "hash": plan.hash, "allowed": plan.allowed})


STORY: Story[Context] = Story(
    kind="plan", steps=(Step("make", make, patience=30, harmless=True),), exclusive=False, quiet=True
)
