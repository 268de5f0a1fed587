"""Brings back a database that should run and does not; never while a job runs."""

import logging
import threading

from instar.agent.datastores.base import Datastore
from instar.agent.jobs import Jobs
from instar.wire.errors import InstarError

INTERVAL = 0.5
LONGEST_PAUSE = 60.0

_log = logging.getLogger(__name__)


class Keeper:
    """A thread that looks after the database; a failure doubles the pause before the next try."""

    def __init__(self, datastore: Datastore, jobs: Jobs) -> None:
        self._datastore, self._jobs = datastore, jobs
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a look that is under way."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = INTERVAL
        while True:
            pause = INTERVAL if self._look() else min(2 * pause, LONGEST_PAUSE)
            if self._ended.wait(pause):
                return

    def _look(self) -> bool:
        with self._jobs.idle() as idle:
            if not idle:
                return True
            try:
                self._datastore.bring_back()
            except InstarError as error:
                _log.error("database is down: %s", error)
                return False
            except Exception:  # noqa: BLE001 - the watch must go on
                _log.exception("looking after the database failed unexpectedly")
                return False
        return True
