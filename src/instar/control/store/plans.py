"""Queries on plans: kept for each instance, the newest twenty."""

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from instar.control.store.tables import PlanRow

KEPT = 20


def keep(session: Session, row: PlanRow) -> None:
    """Keep a plan, and forget the oldest of its instance's where there are many; may be repeated."""
    session.merge(row)
    session.flush()
    query = select(PlanRow.id).where(PlanRow.instance_id == row.instance_id)
    old = session.execute(query.order_by(PlanRow.created.desc(), PlanRow.id.desc()).offset(KEPT)).scalars()
    session.execute(delete(PlanRow).where(PlanRow.id.in_(list(old))))


def forget(session: Session, instance_id: str) -> None:
    """Forget an instance's plans."""
    session.execute(delete(PlanRow).where(PlanRow.instance_id == instance_id))


def find(session: Session, instance_id: str, ref: str) -> PlanRow | None:
    """Find an instance's plan by its id or its hash; of several with the same hash the newest."""
    query = select(PlanRow).where(
        PlanRow.instance_id == instance_id, or_(PlanRow.id == ref, PlanRow.hash == ref)
    )
    return session.execute(query.order_by(PlanRow.created.desc(), PlanRow.id.desc()).limit(1)).scalar()


def of_instance(session: Session, instance_id: str) -> list[PlanRow]:
    """List an instance's plans, newest first."""
    query = select(PlanRow).where(PlanRow.instance_id == instance_id)
    return list(session.execute(query.order_by(PlanRow.created.desc(), PlanRow.id.desc())).scalars())
