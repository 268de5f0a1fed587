"""The stream of one operation's events, read from the record as they are committed."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sqlalchemy import select

from instar.control.store.session import Store
from instar.control.store.tables import Event, Operation
from instar.wire.events import EventView
from instar.wire.states import OperationState

LOOK_EVERY = 0.1
HEARTBEAT_EVERY = 10.0


def follow(
    store: Store, project: str, operation_id: str, after: int, stop: Callable[[], bool]
) -> Iterator[EventView | None]:
    """Give the operation's events behind number `after`, as they come; None is a heartbeat.

    Ends with the operation, or when `stop` says so. Holds no transaction while it waits.
    """
    last_word = time.monotonic()
    while not stop():
        ended, events = _look(store, project, operation_id, after)
        for event in events:
            after = event.id
            yield event
        if ended:
            return
        if events:
            last_word = time.monotonic()
        elif time.monotonic() - last_word > HEARTBEAT_EVERY:
            last_word = time.monotonic()
            yield None
        time.sleep(LOOK_EVERY)


def _look(store: Store, project: str, operation_id: str, after: int) -> tuple[bool, list[EventView]]:
    """Read whether the operation has ended, and then its events: the end event can't be missed."""
    with store.read() as session:
        state = session.execute(
            select(Operation.state).where(Operation.id == operation_id, Operation.project == project)
        ).scalar()
        query = select(Event).where(
            Event.operation_id == operation_id, Event.project == project, Event.id > after
        )
        return state != OperationState.OPEN, [
            _view(event) for event in session.execute(query.order_by(Event.id)).scalars()
        ]


def _view(event: Event) -> EventView:
    return EventView(
        id=event.id,
        kind=event.kind,
        operation_id=event.operation_id,
        instance_id=event.instance_id,
        created=datetime.fromtimestamp(event.created, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        payload=event.payload,
    )
