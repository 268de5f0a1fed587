"""An instance's configuration moves to the version that it is upgraded to: its values, and its group."""

from typing import Any

from instar.control.catalog import parameters
from instar.control.operations.context import Context
from instar.control.store import configurations
from instar.control.store.tables import Configuration, DatastoreVersion, Instance
from instar.wire.plans import Plan


def settings(instance: Instance, plan: Plan) -> dict[str, Any] | None:
    """Give the values that the API put in force as the target version has them, None when there are none."""
    if instance.settings is None:
        return {} if instance.configuration_id else None
    own = [line for line in plan.configuration if line.name in instance.settings]
    return parameters.carried(instance.settings, own)


def record(ctx: Context) -> dict[str, Any]:
    """Say what the upgraded instance's configuration is; its group for the new version is found or made."""
    moved = ctx.output("preflight")["settings"]
    if ctx.instance.configuration_id is None:
        return {"settings": moved}
    with ctx.store.begin() as session:
        group = session.get_one(Configuration, ctx.instance.configuration_id)
        if group.version_id == ctx.inputs["version_id"]:
            return {"settings": moved or None}
        target = session.get_one(DatastoreVersion, ctx.inputs["version_id"])
        own = configurations.for_version(session, group, target, moved, ctx.store.now(session))
        return {"settings": moved or None, "configuration_id": own.id}
