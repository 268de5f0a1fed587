"""How long clients could not connect, measured from outside while an operation is under way.

Each operation of this process has a thread that knocks at the instance's public address. Time inside a
process is the monotonic clock's; wall times only join what two workers saw.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from instar.control.guests.reach import reachable
from instar.wire.outages import OutageView

WHILE_UP, WHILE_DOWN, AT_REST = 0.05, 0.025, 0.25
"""Seconds between two looks. One that gets in costs the database a process, another one next to nothing."""
UNBROKEN = 10.0
"""Seconds in one state after which it is looked at as `AT_REST`."""
TIMEOUT = 1.0
UNASKED = 60.0
"""Seconds after which nobody is taken to want to know any more: the operation is another worker's."""

Look = Callable[[str, str, int, float], bool]


class Record:
    """What was seen, look by look. The first look joins it to what an earlier worker recorded."""

    def __init__(self, known: OutageView | None = None) -> None:
        self._known = known
        self._view = known.model_copy() if known else OutageView()
        self._down_at: float | None = None
        self._looked_at: float | None = None
        self.since = 0.0

    def note(self, up: bool, began: float, ended: float, wall: float) -> None:
        """Note a look that lasted from `began` to `ended` (monotonic), when the wall clock read `wall`."""
        begun_at = wall - (ended - began)
        if self._looked_at is None:
            self.since = ended
            self._join(up, began, begun_at)
        was_up = self._down_at is None
        if up != was_up:
            self.since = ended
            if self._looked_at is not None:
                self._view.resolution = max(self._view.resolution, ended - self._looked_at)
            self._end(ended, wall) if up else self._begin(began, begun_at)
        self._looked_at = ended
        self._view.seen = wall
        self._view.ever_up |= up

    def view(self) -> OutageView:
        """Give what was seen up to the last look."""
        view = self._view.model_copy()
        if self._down_at is not None and self._looked_at is not None:
            lasting = max(0.0, self._looked_at - self._down_at)
            view.seconds += lasting
            view.longest = max(view.longest, lasting)
        return view

    @property
    def is_up(self) -> bool:
        """Whether the last look got in."""
        return self._down_at is None

    def _join(self, up: bool, began: float, wall: float) -> None:
        """Count the time in which nobody looked as an outage if one of its ends is one."""
        if self._known is None:
            return
        known, view = self._known, self._view
        view.whole = False
        if known.down_since is not None:
            view.seconds = max(0.0, known.seconds - max(0.0, known.seen - known.down_since))
            self._down_at = began - max(0.0, wall - known.down_since)
        elif not up:
            self._begin(began - max(0.0, wall - known.seen), known.seen)

    def _begin(self, at: float, wall: float) -> None:
        view = self._view
        self._down_at, view.down_since = at, wall
        view.began = wall if view.began is None else view.began
        view.count += 1

    def _end(self, at: float, wall: float) -> None:
        view, lasted = self._view, at - (at if self._down_at is None else self._down_at)
        view.seconds += lasted
        view.longest = max(view.longest, lasted)
        view.ended, view.down_since = wall, None
        self._down_at = None


class Outages:
    """Watches instances for the operations of this process."""

    def __init__(self, look: Look = reachable) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._watches: dict[str, _Watch] = {}

    def ensure(
        self,
        operation_id: str,
        manager: str,
        address: str,
        port: int,
        known: OutageView | Mapping[str, Any] | None,
    ) -> None:
        """Begin to watch for an operation, or go on with it; `known` is what was recorded of it before.

        To be repeated at least every `UNASKED` seconds; returns at once.
        """
        with self._lock:
            watch = self._watches.get(operation_id)
            if watch is None or not watch.is_alive():
                before = OutageView.model_validate(known) if known is not None else None
                watch = _Watch(operation_id, lambda: self._look(manager, address, port, TIMEOUT), before)
                self._watches[operation_id] = watch
                watch.start()
            watch.asked = time.monotonic()
            self._forget()

    def view(self, operation_id: str) -> OutageView | None:
        """Give what was seen so far, None when nobody watches or nothing was seen yet."""
        with self._lock:
            watch = self._watches.get(operation_id)
        if watch is None:
            return None
        watch.asked = time.monotonic()
        return watch.view()

    def end(self, operation_id: str) -> OutageView | None:
        """Stop watching; gives what was seen."""
        with self._lock:
            watch = self._watches.pop(operation_id, None)
        if watch is None:
            return None
        watch.ended.set()
        return watch.view()

    def _forget(self) -> None:
        for operation_id in [each for each, watch in self._watches.items() if not watch.is_alive()]:
            del self._watches[operation_id]


class _Watch(threading.Thread):
    """One operation's thread; it ends by itself when nobody asks any more."""

    def __init__(self, operation_id: str, look: Callable[[], bool], known: OutageView | None) -> None:
        super().__init__(name=f"outage-{operation_id}", daemon=True)
        self._look, self._record = look, Record(known)
        self._seen = threading.Lock()
        self.asked = time.monotonic()
        self.ended = threading.Event()

    def run(self) -> None:
        """Look, note, pause, until told to end."""
        while not self.ended.is_set() and time.monotonic() - self.asked < UNASKED:
            began = time.monotonic()
            up = self._look()
            with self._seen:
                self._record.note(up, began, time.monotonic(), time.time())
            time.sleep(self._pause())

    def view(self) -> OutageView | None:
        """Give what was seen so far, None when there was no look yet."""
        with self._seen:
            view = self._record.view()
        return view if view.seen else None

    def _pause(self) -> float:
        if time.monotonic() - self._record.since > UNBROKEN:
            return AT_REST
        return WHILE_UP if self._record.is_up else WHILE_DOWN
