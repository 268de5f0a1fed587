"""A client that writes one row every few milliseconds over TCP, reconnects by itself, and keeps count.

It stands for the users of an upgraded database: what was acknowledged to it must be found afterwards, and the
longest time without a successful write is the downtime that they saw.
"""

import threading
import time
from dataclasses import dataclass

import psycopg

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

    def __init__(self, conninfo: str, interval: float = 0.003) -> None:
        self._conninfo = conninfo
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
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (n bigint PRIMARY KEY, at timestamptz)")
            connection.execute(f"TRUNCATE {TABLE}")
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
        with psycopg.connect(self._conninfo) as connection:
            query = f"SELECT count(*) FROM {TABLE} WHERE n BETWEEN 1 AND %s"
            row = connection.execute(query, (self._acknowledged,)).fetchone()
        assert row is not None
        return Tally(self._acknowledged, row[0], self._longest, self._errors)

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
                with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=2) as connection:
                    self._write(connection)
            except psycopg.Error as error:
                self._errors += 1
                self.last_error = str(error).strip()
                self._stop.wait(0.002)

    def _write(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        """Write until told to stop or thrown out; a row whose answer was lost is written again."""
        statement = f"INSERT INTO {TABLE} VALUES (%s, now()) ON CONFLICT (n) DO NOTHING"
        while not self._stop.is_set():
            connection.execute(statement, (self._acknowledged + 1,))
            now = time.monotonic()
            with self._lock:
                self._longest = max(self._longest, now - self._last)
                self._last = now
                self._acknowledged += 1
            self._stop.wait(self._interval)
