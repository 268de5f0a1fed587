"""Outages in scenarios: it looks when it is asked, and has no threads."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from instar.control.guests.outages import Record
from instar.wire.outages import OutageView


class FakeOutages:
    """Passes for `Outages`; `reachable` tells by its address whether an instance serves."""

    def __init__(self, reachable: Callable[[str], bool]) -> None:
        self._reachable = reachable
        self._lock = threading.Lock()
        self._watched: dict[str, tuple[str, Record]] = {}

    def ensure(
        self,
        operation_id: str,
        manager: str,
        address: str,
        port: int,
        known: OutageView | Mapping[str, Any] | None,
    ) -> None:
        """Begin to watch for an operation, or look again."""
        with self._lock:
            if operation_id not in self._watched:
                before = OutageView.model_validate(known) if known is not None else None
                self._watched[operation_id] = address, Record(before)
        self.view(operation_id)

    def view(self, operation_id: str) -> OutageView | None:
        """Look, and give what was seen so far; None when nobody watches."""
        with self._lock:
            if operation_id not in self._watched:
                return None
            address, record = self._watched[operation_id]
            now = time.monotonic()
            record.note(self._reachable(address), now, now, time.time())
            return record.view()

    def end(self, operation_id: str) -> OutageView | None:
        """Look a last time, and give what was seen."""
        view = self.view(operation_id)
        with self._lock:
            self._watched.pop(operation_id, None)
        return view
