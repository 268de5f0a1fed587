"""Forgets ended operations after a settable time, and quiet ones soon after their end."""

from collections.abc import Collection

from sqlalchemy import and_, delete, or_, select

from instar.control.store.session import Store
from instar.control.store.tables import Event, Operation, StepRecord

QUIET_KINDS_KEEP = 120.0
BATCH = 500


def forget(store: Store, keep: float, quiet_kinds: Collection[str] = ()) -> int:
    """Delete operations that ended more than `keep` seconds ago, with their steps and events; gives how many.

    The newest operation of an instance in ERROR stays: an operator may still resume it.
    """
    with store.begin() as session:
        now = store.now(session)
        old = or_(
            Operation.ended < now - keep,
            and_(Operation.kind.in_(quiet_kinds), Operation.ended < now - QUIET_KINDS_KEEP),
        )
        kept = Operation.instance.has(status="ERROR")
        ids = list(session.execute(select(Operation.id).where(old, ~kept).limit(BATCH)).scalars())
        for table, column in ((StepRecord, StepRecord.operation_id), (Event, Event.operation_id)):
            session.execute(
                delete(table).where(column.in_(ids)), execution_options={"synchronize_session": False}
            )
        session.execute(
            delete(Operation).where(Operation.id.in_(ids)), execution_options={"synchronize_session": False}
        )
        return len(ids)
