"""`instar worker` that stands still where it is told to, so that a test can strike while it stands there.

The test writes `order` (operation kind, step, moment) into the folder `strikes` below the state directory.
The worker that gets there renames it to `reached.<its process id>`, and goes on when that file is gone. The
moments are `entry`, and whatever is part of the message of a job under way: the empty string is any of them.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from instar.cli.main import main
from instar.control import wiring
from instar.control.engine.runner import Work
from instar.control.engine.worker import Worker
from instar.control.guests.base import Guest, Guests
from instar.control.operations.context import Context
from instar.wire.agent import JobView
from instar.wire.states import JobState

ENTRY = "entry"


class Order:
    """Where a worker is to stand still; kept in a file, and obeyed by the first that gets there."""

    def __init__(self, folder: Path) -> None:
        self._order = folder / "order"
        self._reached = folder / f"reached.{os.getpid()}"

    def stand_still(self, kind: str, step: str, moment: Callable[[str], bool]) -> None:
        """Wait until the test has struck, if this is the place."""
        try:
            order = json.loads(self._order.read_text())
            if (order["kind"], order["step"]) != (kind, step) or not moment(order["moment"]):
                return
            self._order.rename(self._reached)
        except FileNotFoundError:
            return
        while self._reached.exists():
            time.sleep(0.002)


class WatchedGuest:
    """Stands before a guest, and looks at what it tells of its jobs."""

    def __init__(self, inner: Guest, look: Callable[[JobView], None]) -> None:
        self.info, self.status, self.call = inner.info, inner.status, inner.call
        self._inner, self._look = inner, look

    def start_job(self, job_id: str, hook: str, params: dict[str, Any]) -> JobView:
        """Start a job, or find it."""
        return self._looked_at(self._inner.start_job(job_id, hook, params))

    def job(self, job_id: str, wait: float = 0.0) -> JobView:
        """Tell of a job; it is looked at often, as its messages come and go."""
        ends = time.monotonic() + wait
        while True:
            view = self._looked_at(self._inner.job(job_id, wait=0.02))
            if view.state != JobState.IN_PROGRESS or time.monotonic() > ends:
                return view

    def _looked_at(self, view: JobView) -> JobView:
        if view.state == JobState.IN_PROGRESS:
            self._look(view)
        return view


class WatchedGuests:
    """Stands before all guests, for one step."""

    def __init__(self, inner: Guests, look: Callable[[JobView], None]) -> None:
        self.files, self._inner, self._look = inner.files, inner, look

    def at(self, instance_id: str, address: str) -> WatchedGuest:
        """Give the channel to one guest, watched."""
        return WatchedGuest(self._inner.at(instance_id, address), self._look)


def watched(worker: Worker, order: Order) -> Worker:
    """Have a worker look for orders at each step, and in each job of a guest."""
    make = worker.runner.make_context

    def told(work: Work) -> Context:
        order.stand_still(work.kind, work.step, lambda moment: moment == ENTRY)
        context: Context = make(work)

        def look(view: JobView) -> None:
            said = view.progress.message
            order.stand_still(work.kind, work.step, lambda moment: moment != ENTRY and moment in said)

        return Context(**{**vars(context), "guests": WatchedGuests(context.guests, look)})

    worker.runner.make_context = told
    return worker


if __name__ == "__main__":
    folder = Path(sys.argv.pop(1))
    make_worker = wiring.make_worker
    wiring.make_worker = lambda *rooms: watched(make_worker(*rooms), Order(folder))
    sys.exit(main())
