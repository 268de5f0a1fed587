"""Inquiry: a brief question or order to the guest, put by the door and carried out by a worker.

The door touches no machine: it writes the inquiry, a worker calls the guest, the door reads the answer.
Inquiries take no slot and write no events; they are forgotten soon after their end.
"""

import time
from collections.abc import Callable
from typing import Any

from instar.control.engine.outcomes import Done, Fail, Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import answers, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk
from instar.control.store.tables import Instance
from instar.wire.errors import GuestUnreachable, Unavailable
from instar.wire.states import OperationState

QUESTIONS = ("list_databases", "list_users", "root_enabled", "run_probes")
"""Hooks that change nothing, so that they may be put again."""


def ask(
    desk: Desk,
    caller: Caller,
    instance_id: str,
    hook: str,
    params: dict[str, Any],
    secrets: dict[str, Any] | None = None,
    check: Callable[[Instance], None] = lambda _: None,
) -> dict[str, Any]:
    """Have a worker call the guest's `hook`, and give its answer, without any password in it.

    `secrets` are merged over `params`, key by key, and sealed on their way; `check` sees the instance first
    and may refuse. Raises NotFound, Busy, the
    guest's own error, or Unavailable when no answer came within the desk's time.
    """
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        check(instance)
        submission = Submission(
            actor=caller.user,
            request_id=caller.request_id,
            inputs={"hook": hook, "params": params, "actor": caller.user},
            secrets=desk.sealer.seal(secrets or {}),
        )
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return _answer(desk, operation.id)


def _answer(desk: Desk, operation_id: str) -> dict[str, Any]:
    """Give what the inquiry ended with."""
    operation = answers.ended(desk, operation_id)
    if operation.state == OperationState.SUCCEEDED:
        answer: dict[str, Any] = operation.outputs["call"]
        return answer
    raise Unavailable(
        "The guest's answer did not come in time",
        seen=operation.reason or "no worker took the question up",
        remedy="See that a worker runs and that the instance is healthy, then send the request again.",
        retryable=True,
    )


def call(ctx: Context) -> Outcome:
    """Call the guest; an order whose answer was lost is not given again, as it may have been carried out."""
    lookup.refuse_unless_active(ctx.instance)
    hook = ctx.inputs["hook"]
    try:
        answer = ctx.guest.call(hook, _merge(ctx.inputs["params"], ctx.secrets()))
    except GuestUnreachable as error:
        if hook in QUESTIONS:
            raise
        return Fail(_lost(hook, error))
    enabled = {"root_enabled": time.time(), "root_enabled_by": ctx.inputs.get("actor")}
    return Done(_without_passwords(answer), record=enabled if hook == "enable_root" else {})


def _lost(hook: str, error: GuestUnreachable) -> Unavailable:
    return Unavailable(
        f"The guest did not confirm {hook}",
        seen=error.body.sentence(),
        remedy="Look whether it was carried out, and send the request again if it was not.",
        retryable=False,
    )


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _without_passwords(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {key: _without_passwords(value) for key, value in answer.items() if key != "password"}
    if isinstance(answer, list):
        return [_without_passwords(item) for item in answer]
    return answer


STORY: Story[Context] = Story(
    kind="inquiry",
    steps=(Step("call", call, patience=12, harmless=True),),
    exclusive=False,
    quiet=True,
    urgent=True,
)
