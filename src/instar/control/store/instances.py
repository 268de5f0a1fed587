"""Queries on instances and their operations; none of them sees a deleted instance unless asked to."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload, selectinload

from instar.control.store.tables import Configuration, DatastoreVersion, Instance, Operation, StepRecord


def find(
    session: Session, instance_id: str, project: str | None, *, deleted: bool = False
) -> Instance | None:
    """Find an instance of a project (None: of any) by its id; `deleted` ones only where asked for."""
    query = _instances().where(Instance.id == instance_id, Instance.deleted.is_(deleted))
    if project is not None:
        query = query.where(Instance.project == project)
    return session.execute(query).scalar_one_or_none()


def page(
    session: Session, project: str | None, limit: int, after: Instance | None, *, deleted: bool = False
) -> list[Instance]:
    """List up to `limit` instances, newest first, beginning behind `after`."""
    query = _instances().where(Instance.deleted.is_(deleted)).limit(limit)
    if project is not None:
        query = query.where(Instance.project == project)
    if after is not None:
        query = query.where(_behind(Instance.created, Instance.id, after))
    return list(session.execute(query.order_by(Instance.created.desc(), Instance.id.desc())).scalars())


def marker(session: Session, instance_id: str, project: str | None) -> Instance | None:
    """Find the instance that a page ended with; it may have been deleted since."""
    found = session.get(Instance, instance_id)
    return found if found and project in (None, found.project) else None


def open_operations(session: Session, instance_ids: Iterable[str]) -> dict[str, Operation]:
    """Give the open exclusive operation of each of the instances that has one, by instance id."""
    query = select(Operation).where(Operation.slot.in_(list(instance_ids)))
    return {operation.instance_id: operation for operation in session.execute(query).scalars()}


def find_operation(session: Session, operation_id: str, project: str | None) -> Operation | None:
    """Find an operation of a project (None: of any) by its id, its instance loaded (deleted or not)."""
    query = _operations().where(Operation.id == operation_id)
    if project is not None:
        query = query.where(Operation.project == project)
    return session.execute(query).scalar_one_or_none()


def page_of_operations(
    session: Session, instance_id: str, hidden: Iterable[str], limit: int, after: Operation | None
) -> list[Operation]:
    """List up to `limit` operations of an instance, newest first, leaving out the kinds in `hidden`."""
    query = _operations().where(Operation.instance_id == instance_id, Operation.kind.not_in(list(hidden)))
    if after is not None:
        query = query.where(_behind(Operation.created, Operation.id, after))
    query = query.order_by(Operation.created.desc(), Operation.id.desc()).limit(limit)
    return list(session.execute(query).scalars())


def steps(session: Session, operation_id: str) -> list[StepRecord]:
    """List an operation's passages through steps, in the order they happened."""
    query = select(StepRecord).where(StepRecord.operation_id == operation_id).order_by(StepRecord.number)
    return list(session.execute(query).scalars())


def _instances() -> Select[Instance]:
    version = joinedload(Instance.version, innerjoin=True)
    return select(Instance).options(
        version.joinedload(DatastoreVersion.datastore, innerjoin=True),
        selectinload(Instance.configuration).lazyload(Configuration.version),
    )


def _operations() -> Select[Operation]:
    return select(Operation).options(joinedload(Operation.instance))


def _behind(
    created: InstrumentedAttribute[float], id_: InstrumentedAttribute[str], last: Instance | Operation
) -> ColumnElement[bool]:
    """Continue a listing by (created, id) descending; the first clause alone bounds the scan of the index."""
    return and_(created <= last.created, or_(created < last.created, id_ < last.id))
