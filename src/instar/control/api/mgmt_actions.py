"""Actions that only administrators have, on instances of any project."""

from collections.abc import Mapping
from dataclasses import replace

from instar.control.api import actions, bodies, mgmt_instances
from instar.control.api.actions import Action, Params
from instar.control.api.call import Call
from instar.control.operations import reboot, reset_status, stop, upgrade
from instar.control.operations.desk import Submitted
from instar.wire import rest
from instar.wire.plans import UpgradeOptions


def act(call: Call, body: rest.ActionRequest) -> None:
    """Act on an instance of any project: reboot, stop, reset-task-status, rebuild.

    `stop` stops the database until a restart. `rebuild` puts an image onto the instance as an upgrade does:
    the one that `image_id` names, else its version's own; the version stays.
    """
    verb, action = actions.choose(body, ACTIONS)
    with call.desk.store.read() as session:
        project = mgmt_instances.find(session, call.path["instance_id"]).project
    there = replace(call, caller=replace(call.caller, project=project))
    actions.carry_out(there, verb, action, body)


def _rebuild(call: Call, params: Params) -> Submitted:
    image = bodies.within(rest.RebuildRequest, {"rebuild": params}).rebuild.image_id
    where = call.desk, call.caller, call.path["instance_id"]
    return upgrade.request(*where, None, UpgradeOptions(), image=image)


ACTIONS: Mapping[str, Action] = {
    "reboot": Action("", actions.plain("reboot", reboot.request)),
    "stop": Action("", actions.plain("stop", stop.request)),
    "reset-task-status": Action("", actions.plain("reset-task-status", reset_status.request)),
    "rebuild": Action("", _rebuild),
    "migrate": Action("", lacks="Its provider chooses where a server runs, and Instar moves none."),
}
