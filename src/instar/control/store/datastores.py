"""Queries on datastores and their versions."""

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from instar.control.store.tables import Datastore, DatastoreVersion, Instance, Operation
from instar.wire.states import OperationState


def all_datastores(session: Session) -> list[Datastore]:
    """List the datastores by name, their versions loaded."""
    query = select(Datastore).options(selectinload(Datastore.versions)).order_by(Datastore.name)
    return list(session.execute(query).scalars())


def find_datastore(session: Session, ref: str) -> Datastore | None:
    """Find a datastore by id or by name, its versions loaded."""
    query = select(Datastore).where(or_(Datastore.id == ref, Datastore.name == ref))
    found = session.execute(query.options(selectinload(Datastore.versions))).scalars().all()
    return min(found, key=lambda datastore: datastore.id != ref, default=None)


def find_version(session: Session, version_id: str) -> DatastoreVersion | None:
    """Find a version by its id, its datastore loaded."""
    return session.execute(_versions().where(DatastoreVersion.id == version_id)).scalar_one_or_none()


def page_of_versions(session: Session, limit: int, after: str | None) -> list[DatastoreVersion]:
    """List up to `limit` versions of all datastores, in the order of their ids, beginning behind `after`."""
    query = _versions().order_by(DatastoreVersion.id).limit(limit)
    if after is not None:
        query = query.where(DatastoreVersion.id > after)
    return list(session.execute(query).scalars())


def instances_of(session: Session, version_id: str) -> int:
    """Count the instances of a version, deleted ones included: their rows still name it."""
    query = select(func.count()).select_from(Instance).where(Instance.version_id == version_id)
    return session.execute(query).scalar_one()


def undo_towards(session: Session, version_id: str) -> str | None:
    """Give the id of an instance whose last upgrade can be undone, and whose undo leads to the version."""
    query = select(Instance.id, Instance.undo).where(
        Instance.undo_until.is_not(None), Instance.deleted.is_(False)
    )
    return next(
        (id_ for id_, undo in session.execute(query) if undo and undo["version_id"] == version_id), None
    )


def operation_towards(session: Session, version_id: str) -> str | None:
    """Give the id of an open operation whose frozen inputs name the version."""
    query = select(Operation.id, Operation.inputs).where(Operation.state == OperationState.OPEN)
    return next((id_ for id_, inputs in session.execute(query) if version_id in inputs.values()), None)


def _versions() -> Select[DatastoreVersion]:
    return select(DatastoreVersion).options(joinedload(DatastoreVersion.datastore))
