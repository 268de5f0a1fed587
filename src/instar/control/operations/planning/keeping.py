"""Plans that were made: what a request takes over from one, and what has changed since."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from instar.control.catalog import managers
from instar.control.operations.context import Context
from instar.control.operations.desk import Desk
from instar.control.operations.planning import strategies
from instar.control.store import plans
from instar.control.store.tables import DatastoreVersion, Instance, PlanRow
from instar.wire.errors import BadRequest, InstarError, Vetoed
from instar.wire.plans import Plan, UpgradeOptions, changes

AGAIN = "Make a new plan (`instar plan`), read it, and send the upgrade with its hash."


def choose(
    session: Session,
    instance: Instance,
    target: DatastoreVersion,
    options: UpgradeOptions,
    desk: Desk,
) -> UpgradeOptions:
    """Fill in what a request leaves open: from the plan that it names, else from the defaults.

    Raises BadRequest, naming the field, for a method that the engine does not have, and for a plan that is
    not known or is another upgrade's; NotSupported for a strategy that the provider does not have.
    """
    methods = managers.find(instance.version.manager).methods
    if options.method not in (None, *methods):
        raise BadRequest(
            f"instance.upgrade_method: {target.datastore.name} has no method {options.method}",
            remedy=f"Leave it out: its data files cross to another format by {' or '.join(methods)}.",
        )
    given = options.model_dump(exclude_none=True)
    if options.plan and options.strategy == "auto":
        del given["strategy"]
    planned = _planned(session, instance, target, options) if options.plan else {}
    for name in ("method", "snapshot", "on_failure", "text_ordering", "strategy"):
        if planned and given.get(name, planned[name]) != planned[name]:
            raise BadRequest(
                f"instance.upgrade_{name}: is not the plan's",
                seen=f"{given[name]} instead of {planned[name]}",
                remedy="Leave it out, or make a plan with it.",
            )
    usual: dict[str, Any] = {"method": methods[0], **asdict(desk.defaults)}
    chosen = usual | given | planned
    chosen["strategy"] = strategies.choose(chosen["strategy"], desk.abilities)
    return UpgradeOptions.model_validate(chosen)


def _planned(
    session: Session, instance: Instance, target: DatastoreVersion, options: UpgradeOptions
) -> dict[str, str]:
    row = plans.find(session, instance.id, options.plan or "")
    if row is None:
        raise BadRequest(
            f"instance.upgrade_plan: the instance has no plan {options.plan}",
            remedy=f"Name one of `instar plan list {instance.name}`, or make a new one.",
        )
    if row.body["version_after"] != target.name:
        seen = f"it is for an upgrade to {row.body['version_after']}"
        raise BadRequest("instance.upgrade_plan: is another upgrade's plan", seen=seen)
    return {
        "method": row.body["method"],
        "snapshot": row.body["snapshot"]["policy"],
        "on_failure": row.body["on_failure"],
        "text_ordering": row.body["text_ordering"].get("policy", "rebuild"),
        "strategy": row.body.get("strategy", "rebuild"),
        "plan": row.hash,
    }


def changed_since(ctx: Context, hash_: str | None, now: Plan) -> InstarError | None:
    """Make the error that says what is not as it was when the plan with that hash was made.

    None when nothing is, or when no plan was named.
    """
    if hash_ in (None, now.hash):
        return None
    with ctx.store.read() as session:
        row = plans.find(session, ctx.instance.id, hash_ or "")
    if row is None:
        return Vetoed(f"Plan {hash_} is not known any more", remedy=AGAIN)
    seen = "; ".join(changes(row.body["basis"], now.basis))
    return Vetoed(f"What plan {hash_} depends on has changed since it was made", seen=seen, remedy=AGAIN)


def keep(ctx: Context, plan: Plan) -> None:
    """Keep a plan under its id; may be repeated."""
    with ctx.store.begin() as session:
        plans.keep(
            session,
            PlanRow(
                id=plan.id,
                instance_id=plan.instance_id,
                hash=plan.hash,
                body=plan.model_dump(mode="json"),
                created=ctx.store.now(session),
            ),
        )
