"""Presence: every instance at rest is asked how its database is, every so often, by one worker at a time."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import lazyload

from instar.control.guests.base import Guests
from instar.control.store.session import Store
from instar.control.store.tables import Instance
from instar.wire.agent import DatabaseStatus
from instar.wire.errors import InstarError
from instar.wire.states import USABLE, ServiceStatus

LOG = logging.getLogger(__name__)
BATCH = 50
_ALONE = select(Instance).options(lazyload(Instance.version))
"""Without the version, whose row all instances of it would wait for one another to lock."""


class Presence:
    """Asks instances at rest; `interval` and `limit` in seconds.

    A guest that has not answered for `limit` is in ERROR; until then its last word stands.
    """

    def __init__(self, store: Store, guests: Guests, interval: float = 30.0, limit: float = 90.0) -> None:
        self._store = store
        self._guests = guests
        self._interval = interval
        self._limit = limit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Begin to ask, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the questions that are out."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(8, thread_name_prefix="presence") as pool:
            pause = 0.0
            while not self._stop.wait(pause):
                pause = min(1.0, self._interval)
                try:
                    asked = list(pool.map(self._ask, self.claim()))
                    pause = 0.0 if len(asked) == BATCH else pause
                except SQLAlchemyError as error:
                    LOG.error("record store did not answer error=%s", error)

    def claim(self) -> list[Instance]:
        """Take instances whose turn it is; another worker won't ask them until their next turn."""
        with self._store.begin() as session:
            now = self._store.now(session)  # a value: PostgreSQL's clock in a condition would use no index
            query = _ALONE.where(
                Instance.deleted.is_(False), Instance.status.in_(USABLE), Instance.next_check <= now
            )
            longest_due = query.order_by(Instance.next_check).limit(BATCH)
            taken = list(session.execute(longest_due.with_for_update(skip_locked=True)).scalars())
            if taken:
                turn = update(Instance).where(Instance.id.in_([instance.id for instance in taken]))
                session.connection().execute(turn.values(next_check=now + self._interval))
        return taken

    def _ask(self, instance: Instance) -> None:
        """Ask one guest and record what it says, if the instance is still at rest."""
        try:
            said = self._guests.at(instance.id, instance.address or "").status()
        except InstarError as error:
            said = DatabaseStatus(status=ServiceStatus.ERROR, reason=error.body.sentence())
        with self._store.begin() as session:
            query = _ALONE.add_columns(self._store.clock).where(Instance.id == instance.id)
            found = session.execute(query.with_for_update()).one_or_none()
            if found and found[0].status in USABLE:
                self._write(found[0], said, found[1])

    def _write(self, row: Instance, said: DatabaseStatus, now: float) -> None:
        silent = said.status == ServiceStatus.ERROR
        if silent and now - max(row.service_updated or 0.0, row.updated) < self._limit:
            return
        if said.status != row.service_status:
            LOG.info(
                "database status changed instance=%s from=%s to=%s", row.id, row.service_status, said.status
            )
        row.service_status, row.service_reason = said.status, said.reason
        row.volume_used = float(said.volume_used) if said.volume_used is not None else row.volume_used
        if not silent:
            row.service_updated = now
