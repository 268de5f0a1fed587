"""Actions on an instance: a table of verbs, each with who may, and what it comes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from instar.control.api import bodies
from instar.control.api.call import Call
from instar.control.operations import (
    force_delete,
    reboot,
    reset_status,
    resize,
    resize_volume,
    restart,
    rollback,
)
from instar.control.operations.desk import Submitted
from instar.wire import rest
from instar.wire.errors import BadRequest, NotSupported

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Action:
    """A verb: the policy that is asked, and what it does with its parameters.

    One that does nothing is known and not built; `lacks` says what it would take.
    """

    policy: str | Callable[[Params], str]
    run: Callable[[Call, Params], Submitted | None] | None = None
    lacks: str = ""


def act(call: Call, body: rest.ActionRequest) -> None:
    """Act on an instance: restart, reboot, resize, rollback, reset_status, force_delete.

    `resize` wants either `flavorRef` or `volume` with a `size`; a `rollback` that loses writes wants
    `discard_writes_since`, the time of the snapshot that it goes back to; the others take no parameters.
    """
    verb, action = choose(body, ACTIONS)
    policy = action.policy
    call.authorise(policy if isinstance(policy, str) else policy(body.root[verb] or {}))
    carry_out(call, verb, action, body)


def choose(body: rest.ActionRequest, known: Mapping[str, Action]) -> tuple[str, Action]:
    """Find the action that a body names. Raises BadRequest."""
    verb = next(iter(body.root))
    if verb not in known:
        raise BadRequest(f"Invalid instance action: {verb[:64]}", remedy=f"Known ones: {', '.join(known)}")
    return verb, known[verb]


def carry_out(call: Call, verb: str, action: Action, body: rest.ActionRequest) -> None:
    """Do what an action says. Raises NotSupported for one that is not built."""
    if action.run is None:
        raise NotSupported(f"Action {verb} is not supported", seen=action.lacks)
    if submitted := action.run(call, body.root[verb] or {}):
        call.accepted(submitted)


def plain(verb: str, request: Callable[..., Submitted | None]) -> Callable[[Call, Params], Submitted | None]:
    """Make what an action without parameters does."""

    def run(call: Call, params: Params) -> Submitted | None:
        if params:
            raise BadRequest(f"Validation error: {verb}: takes no parameters")
        return request(call.desk, call.caller, call.path["instance_id"])

    return run


def consent(verb: str, params: Params) -> str | None:
    """Read which writes a rollback may lose: its one parameter. Raises BadRequest."""
    unknown = sorted(set(params) - {"discard_writes_since"})
    since = params.get("discard_writes_since")
    if unknown or not isinstance(since, str | None):
        raise BadRequest(f"Validation error: {verb}: takes discard_writes_since, a text, and nothing else")
    return since


def _rollback(call: Call, params: Params) -> Submitted:
    since = consent("rollback", params)
    return rollback.request(call.desk, call.caller, call.path["instance_id"], discard_writes_since=since)


def _reset_policy(params: Params) -> str:
    return "instance:force_delete" if "force_delete" in params else "instance:reset_status"


def _reset_status(call: Call, params: Params) -> None:
    """Trove's clients may say that they are about to delete the instance by force."""
    if set(params) - {"force_delete"}:
        raise BadRequest("Validation error: reset_status: takes no parameters")
    reset_status.request(call.desk, call.caller, call.path["instance_id"])


def _resize_policy(params: Params) -> str:
    return "instance:resize_volume" if "volume" in params else "instance:resize_flavor"


def _resize(call: Call, params: Params) -> Submitted:
    wanted = bodies.within(rest.ResizeRequest, {"resize": params}).resize
    where = call.desk, call.caller, call.path["instance_id"]
    if wanted.volume is not None:
        return resize_volume.request(*where, wanted.volume.size)
    return resize.request(*where, wanted.flavorRef or "")


_REPLICAS = "Instar has no replicas."
ACTIONS: Mapping[str, Action] = {
    "restart": Action("instance:restart", plain("restart", restart.request)),
    "reboot": Action("instance:reboot", plain("reboot", reboot.request)),
    "rollback": Action("instance:rollback", _rollback),
    "resize": Action(_resize_policy, _resize),
    "promote_to_replica_source": Action("instance:promote_to_replica_source", lacks=_REPLICAS),
    "eject_replica_source": Action("instance:eject_replica_source", lacks=_REPLICAS),
    "reset_status": Action(_reset_policy, _reset_status),
    "force_delete": Action("instance:force_delete", plain("force_delete", force_delete.request)),
}
