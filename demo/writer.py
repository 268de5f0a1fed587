"""A client that writes one row every few milliseconds over TCP, reconnects by itself, and keeps count.

It stands for the users of an upgraded database: what was acknowledged to it must be found afterwards, and the
longest time without a successful write is the downtime that they saw.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

from access import Access, ask, tell

TABLE = "acknowledged"


@dataclass(frozen=True)
class Tally:
    """What a writer saw, and what the database holds of it."""

    acknowledged: int
    found: int
    longest_gap: float
    errors: int

    @property
    def lost(self) -> int:
        """Rows that were acknowledged and are not there."""
        return self.acknowledged - self.found


class Writer:
    """Writes rows numbered from 1, each once it has been told that the one before is committed."""

    def __init__(self, access: Access, interval: float = 0.003) -> None:
        self._access = access
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._lock = threading.Lock()
        self._acknowledged = 0
        self._errors = 0
        self._last = 0.0
        self._longest = 0.0
        self.last_error = ""

    def start(self) -> None:
        """Make the table and begin to write; returns after the first acknowledged row."""
        tell(
            self._access,
            f"CREATE TABLE IF NOT EXISTS {TABLE} (n bigint PRIMARY KEY, at timestamp NOT NULL)",
            f"TRUNCATE TABLE {TABLE}",
        )
        self._thread.start()
        self.wait_for(1)

    def wait_for(self, more: int, timeout: float = 60.0) -> None:
        """Wait until `more` further rows have been acknowledged."""
        target, deadline = self.acknowledged + more, time.monotonic() + timeout
        while self.acknowledged < target:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the writer gets no rows through: {self.last_error}")
            self._stop.wait(0.01)

    def stop(self) -> Tally:
        """End, and count what the database holds of what was acknowledged."""
        self._stop.set()
        self._thread.join()
        query = f"SELECT count(*) FROM {TABLE} WHERE n BETWEEN 1 AND %s"
        found = ask(self._access, query, (self._acknowledged,))[0]
        return Tally(self._acknowledged, found, self._longest, self._errors)

    @property
    def acknowledged(self) -> int:
        """Rows acknowledged so far."""
        return self._acknowledged

    @property
    def longest_gap(self) -> float:
        """The longest time without a successful write since `reset_gap`, the present one included."""
        with self._lock:
            return max(self._longest, time.monotonic() - self._last)

    def reset_gap(self) -> None:
        """Forget the gaps so far."""
        with self._lock:
            self._longest = 0.0

    def _run(self) -> None:
        self._last = time.monotonic()
        while not self._stop.is_set():
            try:
                with self._access.connect() as connection, connection.cursor() as cursor:
                    self._write(cursor)
            except self._access.errors as error:
                self._errors += 1
                self.last_error = str(error).strip()
                self._stop.wait(0.002)

    def _write(self, cursor: Any) -> None:
        """Write until told to stop or thrown out; a row whose answer was lost is written again."""
        statement = self._access.unless_there.format(f"{TABLE} VALUES (%s, now())")
        while not self._stop.is_set():
            cursor.execute(statement, (self._acknowledged + 1,))
            now = time.monotonic()
            with self._lock:
                self._longest = max(self._longest, now - self._last)
                self._last = now
                self._acknowledged += 1
            self._stop.wait(self._interval)
