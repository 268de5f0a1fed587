"""Operations: what was done to an instance, what is being done, and the operators' verbs."""

from sqlalchemy.orm import Session

from instar.control.api import actions, instances, paging
from instar.control.api.call import Call
from instar.control.api.views import operations as views
from instar.control.operations import resume, turn_back
from instar.control.operations.stories import STORIES
from instar.control.store import instances as store
from instar.control.store.tables import Operation
from instar.wire import rest
from instar.wire.errors import BadRequest, NotFound
from instar.wire.ids import is_id

_VERBS = ("resume", "rollback", "abort")


def index(call: Call) -> rest.OperationsAnswer:
    """List an instance's operations, newest first."""
    instance_id = call.path["instance_id"]
    quiet = [kind for kind, story in STORIES.items() if story.quiet]
    with call.desk.store.read() as session:
        instances.find(session, call, instance_id)
        after = _last_seen(session, call)
        rows = store.page_of_operations(session, instance_id, quiet, call.query.size + 1, after)
        shown, links = paging.cut(call, f"instances/{instance_id}/operations", rows, lambda row: row.id)
        now = call.desk.store.now(session)
        answer = rest.OperationsAnswer(operations=[_line(session, row, now) for row in shown])
    return paging.linked(answer, links)


def show(call: Call) -> rest.OperationAnswer:
    """Show an operation with its steps; it is there after its instance was deleted, too."""
    with call.desk.store.read() as session:
        row = find(session, call)
        records = store.steps(session, row.id)
        now = call.desk.store.now(session)
        return rest.OperationAnswer(operation=views.detail(row, records, now, turn_back.verbs(session, row)))


def act(call: Call, body: rest.ActionRequest) -> None:
    """Act on an operation.

    `{"resume": {}}` runs the failed step again; `{"rollback": {}}` has a failed operation take its way back,
    with `discard_writes_since` where that loses writes; `{"abort": {}}` stops an open one.
    """
    verb, params = next(iter(body.root.items()))
    if verb not in _VERBS:
        raise BadRequest(f"Invalid operation action: {verb[:64]}", remedy=f"Known ones: {', '.join(_VERBS)}")
    call.authorise(f"operation:{verb}")
    where = call.desk, call.caller, call.path["operation_id"]
    if verb == "rollback":
        call.accepted(turn_back.roll_back(*where, discard_writes_since=actions.consent(verb, params or {})))
        return
    if params:
        raise BadRequest(f"Validation error: {verb}: takes no parameters")
    call.accepted(turn_back.abort(*where) if verb == "abort" else resume.request(*where))


def find(session: Session, call: Call) -> Operation:
    """Find the path's operation within the caller's reach. Raises NotFound."""
    row = store.find_operation(session, call.path["operation_id"], call.caller.reach)
    if row is None:
        raise NotFound(f"Operation '{call.path['operation_id']}' cannot be found")
    return row


def _line(session: Session, row: Operation, now: float) -> rest.Operation:
    return views.summary(row, now, turn_back.verbs(session, row))


def _last_seen(session: Session, call: Call) -> Operation | None:
    marker = call.query.marker
    if marker is None:
        return None
    row = store.find_operation(session, marker, call.caller.reach) if is_id(marker) else None
    if row is None or row.instance_id != call.path["instance_id"]:
        raise paging.bad_marker(marker)
    return row
