"""Operations: what was asked for, how far it is, how it ended."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import requests

from instar.client import _stream
from instar.client._http import Http, segment
from instar.client.errors import DeadlinePassed, InstarError, OperationFailed
from instar.wire.events import EventView
from instar.wire.rest import Operation, OperationAnswer, OperationsAnswer
from instar.wire.states import OperationState

_SILENCE = 45.0
"""Seconds without so much as a heartbeat after which a stream counts as broken."""
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


class Operations:
    """Look at operations, follow them, wait for them, resume them, have them turn back."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, operation: str | Operation) -> Operation:
        """Read an operation with its steps. Raises NotFound."""
        return self._http.get(_path(operation), OperationAnswer).operation

    def list(self, instance_id: str, *, limit: int | None = None) -> Iterator[Operation]:
        """List an instance's operations, newest first, without their steps."""
        pages = self._http.pages(f"/instances/{segment(instance_id)}/operations", OperationsAnswer, limit)
        return (operation for page in pages for operation in page.operations)

    def resume(self, operation: str | Operation) -> Operation:
        """Run the failed step again, after its cause was repaired. Raises Busy when it can't be resumed."""
        self._http.request("POST", f"{_path(operation)}/action", json={"resume": {}})
        return self.get(operation)

    def abort(self, operation: str | Operation) -> Operation:
        """Stop an open operation: it leaves the instance as it was, by its way back where need be.

        Raises NoWayBack, or Busy, saying why, when that does not apply.
        """
        self._http.request("POST", f"{_path(operation)}/action", json={"abort": {}})
        return self.get(operation)

    def rollback(self, operation: str | Operation, *, discard_writes_since: str | None = None) -> Operation:
        """Have a failed operation lead back to where it began.

        Where that would lose writes, `discard_writes_since` has to be the time that the refusal names.
        Raises NoWayBack, or Busy, saying why, when that does not apply.
        """
        since = {} if discard_writes_since is None else {"discard_writes_since": discard_writes_since}
        self._http.request("POST", f"{_path(operation)}/action", json={"rollback": since})
        return self.get(operation)

    def follow(
        self,
        operation: str | Operation,
        *,
        after: int = 0,
        patience: float = 600.0,
        on_break: Callable[[InstarError], None] | None = None,
    ) -> Iterator[EventView]:
        """Give an operation's events, past ones first and then as they happen, until it has ended.

            >>> for event in client.operations.follow(operation):
            ...     print(event.kind, event.payload)

        `after` is the id of the last event that is already known. A broken stream is taken up again where it
        broke; where no stream gets through, the operation is asked for now and then until it has ended.
        The control plane may stay away for `patience` seconds in a row, then its error is raised; `on_break`
        hears of each such failure.
        """
        silent = on_break or (lambda error: None)
        return (event for event in self._watch(operation, after, patience, silent) if event is not None)

    def wait(self, operation: str | Operation, timeout: float | None = None) -> Operation:
        """Wait until an operation has ended well, and give it with its steps.

        Raises OperationFailed with the operation's error, and DeadlinePassed after `timeout` seconds, when
        the operation goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        patience = 600.0 if timeout is None else timeout
        for _ in self._watch(operation, 0, patience, lambda error: None, deadline):
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlinePassed(
                    f"Operation {_id(operation)} has not ended after {timeout:g} s",
                    remedy="It goes on; wait for it again.",
                    retryable=True,
                )
        return self.ended(operation)

    def ended(self, operation: str | Operation) -> Operation:
        """Read an operation that has ended. Raises OperationFailed when it failed."""
        found = self.get(operation)
        if found.state == OperationState.FAILED:
            raise OperationFailed(found)
        return found

    def _watch(
        self,
        operation: str | Operation,
        after: int,
        patience: float,
        on_break: Callable[[InstarError], None],
        deadline: float | None = None,
    ) -> Iterator[EventView | None]:
        """Give events until the operation has ended; None where only time has passed."""
        lost, attempt = None, 0
        while True:
            for event in self._events(operation, after, deadline):
                after, attempt = (event.id, 0) if event else (after, attempt)
                yield event
                if event and _stream.is_last(event):
                    break
            try:
                if self.get(operation).state != OperationState.OPEN:
                    return
                lost = None
            except InstarError as error:
                lost = lost or time.monotonic()
                if error.status < 500 or time.monotonic() - lost > patience:
                    raise
                on_break(error)
            yield None
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1

    def _events(
        self, operation: str | Operation, after: int, deadline: float | None
    ) -> Iterator[EventView | None]:
        """Read one stream until it ends or breaks; what broke it shows when the operation is asked for."""
        silence = _SILENCE if deadline is None else max(0.1, min(_SILENCE, deadline - time.monotonic()))
        try:
            response = self._http.request(
                "GET",
                f"{_path(operation)}/events",
                headers={"Accept": "text/event-stream", "Last-Event-ID": str(after)},
                params={"after": after},
                stream=True,
                timeout=(10, silence),
            )
        except InstarError:
            return
        with closing(response):
            try:
                for event in _stream.parse(_stream.lines(response)):
                    if event is None or event.id > after:
                        yield event
            except requests.RequestException:
                return


def _id(operation: str | Operation) -> str:
    return operation if isinstance(operation, str) else operation.id


def _path(operation: str | Operation) -> str:
    return f"/operations/{segment(_id(operation))}"
