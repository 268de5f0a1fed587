"""Plans of upgrades: made by a worker, kept for a while."""

from typing import Any

from instar.control.api import instances, paging
from instar.control.api.call import Call
from instar.control.operations import plan as planning
from instar.control.store import plans as store
from instar.control.store.tables import PlanRow
from instar.wire import rest
from instar.wire.errors import NotFound
from instar.wire.plans import Plan, UpgradeOptions


def index(call: Call) -> rest.PlansAnswer:
    """List the plans that are kept for an instance, newest first."""
    instance_id = call.path["instance_id"]
    with call.desk.store.read() as session:
        instances.find(session, call, instance_id)
        rows = paging.behind(call, store.of_instance(session, instance_id), _id)
        shown, links = paging.cut(call, f"instances/{instance_id}/plans", rows, _id)
    return paging.linked(rest.PlansAnswer(plans=[_summary(row) for row in shown]), links)


def create(call: Call, body: rest.CreatePlanRequest) -> rest.PlanAnswer | rest.PlanPending:
    """Plan an upgrade: every check, with the database up, changing nothing.

    A plan that is not made in time is answered with 202; `Location` says where it will be.
    """
    wanted = body.plan
    options = UpgradeOptions(**wanted.model_dump(exclude={"datastore_version"}))
    instance_id = call.path["instance_id"]
    submitted = planning.request(call.desk, call.caller, instance_id, wanted.datastore_version, options)
    call.accepted(submitted)
    made = planning.answer(call.desk, submitted)
    if made is not None:
        return rest.PlanAnswer(plan=made)
    links = call.viewer.links(f"instances/{instance_id}/plans", submitted.operation_id)
    call.headers["Location"] = links[0].href
    return rest.PlanPending(operation_id=submitted.operation_id, links=links)


def show(call: Call) -> rest.PlanAnswer:
    """Show a plan, by its id or by its hash."""
    instance_id, ref = call.path["instance_id"], call.path["plan"]
    with call.desk.store.read() as session:
        instances.find(session, call, instance_id)
        row = store.find(session, instance_id, ref)
    if row is None:
        raise NotFound(f"Plan '{ref}' of instance {instance_id} cannot be found")
    return rest.PlanAnswer(plan=Plan.model_validate(row.body))


def _id(row: PlanRow) -> str:
    return row.id


def _summary(row: PlanRow) -> rest.PlanSummary:
    names = ("id", "hash", "created", "version_before", "version_after", "allowed")
    fields: dict[str, Any] = {name: row.body[name] for name in names}
    return rest.PlanSummary(**fields)
