"""Delivers committed events as notifications, at least once, in the order they were written."""

import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_service import backend
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from instar.control.store.session import Store
from instar.control.store.tables import Event
from instar.wire.errors import InstarError, Unavailable

# oslo.messaging would choose eventlet, and a library below it imports eventlet wherever it is installed
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
backend.init_backend(backend.BackendType.THREADING)
import oslo_messaging  # noqa: E402

LOG = logging.getLogger(__name__)
LOOK_EVERY = 0.5
BATCH = 100
PATIENCE = 15.0
"""Seconds between looks, at most, while events are not taken."""
_PASSING = (SQLAlchemyError, InstarError, OSError, RuntimeError, ValueError)
"""What a store or a broker's library may raise: the event stays in the store and is tried again."""

_MARK = (
    update(Event.__table__)  # type: ignore[arg-type]
    .where(Event.id == bindparam("its_id"), Event.delivered.is_(False))
    .values(delivered=True)
)

Notify = Callable[[str, dict[str, Any]], None]
"""`notify(event_type, payload)`; raises when the event was not taken."""


class _Transport(oslo_messaging.transport.NotificationTransport):  # type: ignore[misc]
    """A transport that counts what the broker did not take: oslo.messaging logs that, and tells nobody."""

    untaken = 0

    def _send_notification(self, *args: Any, **options: Any) -> None:
        self.untaken += 1
        super()._send_notification(*args, **options)
        self.untaken -= 1


def notifier(conf: cfg.ConfigOpts, publisher: str) -> Notify:
    """Make a notifier as section [oslo_messaging_notifications] says; driver `log` when it names none.

    It tries once: what is not taken stays in the store, which can wait longer than a thread.
    """
    transport = _Transport(oslo_messaging.get_notification_transport(conf)._driver)
    section = conf.oslo_messaging_notifications
    driver = None if section.driver else "log"  # None takes the drivers that the section names
    sender = oslo_messaging.Notifier(
        transport, publisher_id=publisher, driver=driver, topics=section.topics, retry=0
    )

    def notify(event_type: str, payload: dict[str, Any]) -> None:
        transport.untaken = 0
        sender.info({}, event_type, payload)
        if transport.untaken:
            raise Unavailable(f"The message broker did not take {event_type}", retryable=True)

    return notify


class Delivery:
    """Carries events to the notifier, in a thread of its own; what fails is tried again."""

    def __init__(self, store: Store, notify: Notify) -> None:
        self._store = store
        self._notify = notify
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """End after the event that is on its way."""
        self._stop.set()
        self._thread.join()

    def deliver(self) -> int:
        """Deliver what is waiting; gives how many events.

        Of several workers that deliver the same ones, all but the fastest stand back until the next look.
        """
        with self._store.read() as session:
            waiting = select(Event).where(Event.delivered.is_(False)).order_by(Event.id).limit(BATCH)
            events = list(session.execute(waiting).scalars())
        for number, event in enumerate(events):
            self._notify(event.kind, event.payload)
            if not self._mark(event.id):
                return number
        return len(events)

    def _mark(self, event_id: int) -> bool:
        """Note that an event was delivered; tells whether another worker had not done so before."""
        with self._store.begin() as session:
            marked = session.connection().execute(_MARK, {"its_id": event_id})
            return marked.rowcount == 1

    def _run(self) -> None:
        pause = LOOK_EVERY
        while not self._stop.wait(pause):
            try:
                while self.deliver() == BATCH and not self._stop.is_set():
                    pass
                pause = LOOK_EVERY
            except _PASSING as error:
                pause = min(2 * pause, PATIENCE)
                LOG.error("notification not delivered, to be tried again error=%s", error)
