"""Close an undo window: what an upgrade kept for its undoing is deleted.

1. forget  the volume's snapshots and the old server go, and the record says that nothing can be undone

It takes the instance's slot, so that it can't cross an undo that was asked for in time. The window of a busy
instance, or of one in ERROR, whose next upgrade may yet have to go back to a snapshot, is closed later.
"""

import logging
from dataclasses import replace

from sqlalchemy import select

from instar.control.engine.outcomes import Done, Outcome, Step, Story
from instar.control.engine.submit import Submission, submit
from instar.control.operations import undo
from instar.control.operations.context import Context
from instar.control.store.session import Store
from instar.control.store.tables import Instance
from instar.wire.errors import Busy
from instar.wire.states import USABLE

LOG = logging.getLogger(__name__)
BATCH = 50


def close_due(store: Store) -> int:
    """Submit the closing of every window whose time is over; gives how many. Repeatable."""
    closed = 0
    with store.read() as session:
        due = select(Instance.id).where(
            Instance.undo_until < store.now(session),
            Instance.deleted.is_(False),
            Instance.status.in_(USABLE),
        )
        ids = list(session.execute(due.order_by(Instance.undo_until).limit(BATCH)).scalars())
    for instance_id in ids:
        try:
            with store.begin() as session:
                instance = session.get_one(Instance, instance_id)
                if not _is_over(instance, store.now(session)):
                    continue
                submit(session, store.now(session), STORY, instance, Submission("instar"))
                closed += 1
        except Busy:
            LOG.debug("undo window stays open for now instance=%s", instance_id)
    return closed


def _is_over(instance: Instance, now: float) -> bool:
    """Look again: an upgrade may have failed, or opened a window of its own, since it was listed."""
    until = instance.undo_until
    return until is not None and until < now and instance.status in USABLE


def forget(ctx: Context) -> Outcome:
    """Delete the snapshots, and the server that was replaced."""
    outcome = undo.forget(ctx) if ctx.instance.volume is not None else Done()
    closed = {"undo": None, "undo_until": None}
    return replace(outcome, record=closed) if isinstance(outcome, Done) else outcome


STORY: Story[Context] = Story(
    kind="close_undo", steps=(Step("forget", forget, patience=60, harmless=True),), quiet=True
)
