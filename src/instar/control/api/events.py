"""The progress of an operation as a stream of server-sent events."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from instar.control.api import operations
from instar.control.api.call import Call
from instar.control.events import stream
from instar.control.operations.desk import Desk
from instar.wire.errors import BadRequest, Unavailable
from instar.wire.events import EventView

EventNumber = Annotated[int, Field(ge=0, lt=2**63)]
_NUMBER = TypeAdapter(EventNumber)
_HEARTBEAT = b": still here\n\n"


class Position(BaseModel):
    """Query of the stream: the number of the last event that the caller has seen."""

    after: EventNumber = 0


def follow(call: Call) -> Iterable[bytes]:
    """Stream an operation's events from the beginning, or behind `after` or the header Last-Event-ID.

    The stream ends with the operation; until then comments are sent as heartbeats.
    """
    with call.desk.store.read() as session:
        operation = operations.find(session, call)
    after = _after(call)
    if not call.desk.streams.acquire(blocking=False):
        remedy = "Ask for the operation itself, or try again."
        raise Unavailable("Too many event streams are open", remedy=remedy, retryable=True)
    events = stream.follow(call.desk.store, operation.project, operation.id, after, call.stopping)
    return _Frames(call.desk, events)


class _Frames:
    """The body of the answer; the server closes it, also when the caller went away."""

    def __init__(self, desk: Desk, events: Iterator[EventView | None]) -> None:
        self._events = events
        self._desk: Desk | None = desk

    def __iter__(self) -> Iterator[bytes]:
        return map(_frame, self._events)

    def close(self) -> None:
        """Give the place to another stream; repeatable."""
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.streams.release()


def _after(call: Call) -> int:
    if call.last_event is None:
        return int(call.query.after)
    try:
        return _NUMBER.validate_python(call.last_event)
    except ValidationError:
        raise BadRequest("Last-Event-ID: must be the number of an event", seen=call.last_event[:64]) from None


def _frame(event: EventView | None) -> bytes:
    if event is None:
        return _HEARTBEAT
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n".encode()
